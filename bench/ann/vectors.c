/* vectors.c: sets of vectors in the field's file formats, read as a stream of float rows. */
#include "vectors.h"

#include "../common.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

typedef enum { ELEMENT_F32, ELEMENT_F16, ELEMENT_U8, ELEMENT_I8 } element;

struct bench_vectors {
    FILE *file;
    char *path;
    pid_t unpacker; /* gzip, or 0 */
    uint64_t count, read_count;
    uint32_t dimension;
    element kind;
    int row_heads;      /* the dimension stands before each row */
    unsigned char *row; /* one row as it is in the file */
};

enum { DIMENSION_MAX = 65536 };

static _Noreturn void fail(const bench_vectors *v, const char *what)
{
    bench_die("%s: %s", v->path, what);
}

static void read_bytes(const bench_vectors *v, void *out, size_t bytes)
{
    if (fread(out, 1, bytes, v->file) != bytes)
        fail(v, "cut short");
}

static uint32_t element_bytes(element kind)
{
    return kind == ELEMENT_F32 ? 4 : kind == ELEMENT_F16 ? 2 : 1;
}

static int ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* ---- Heads of the formats ------------------------------------------------------------------- */

static void open_bin(bench_vectors *v, element kind)
{
    uint32_t shape[2];
    read_bytes(v, shape, sizeof shape);
    v->count = shape[0];
    v->dimension = shape[1];
    v->kind = kind;
}

/* The number of rows is the file's length by that of a row: packed files cannot tell it. */
static void open_vecs(bench_vectors *v, element kind)
{
    struct stat info;
    int32_t dimension;
    if (v->unpacker || fstat(fileno(v->file), &info) != 0)
        fail(v, "unpack it first");
    read_bytes(v, &dimension, sizeof dimension);
    rewind(v->file);
    if (dimension < 1 || dimension > DIMENSION_MAX)
        fail(v, "no file of vectors");
    v->dimension = (uint32_t)dimension;
    v->kind = kind;
    v->row_heads = 1;
    v->count = (uint64_t)info.st_size / (4 + (uint64_t)dimension * element_bytes(kind));
}

static uint32_t big_endian(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void open_idx(bench_vectors *v)
{
    unsigned char head[16];
    read_bytes(v, head, sizeof head);
    uint64_t size = (uint64_t)big_endian(head + 8) * big_endian(head + 12);
    if (big_endian(head) != 0x803 || size > DIMENSION_MAX)
        fail(v, "no idx file of pictures");
    v->count = big_endian(head + 4);
    v->dimension = (uint32_t)size;
    v->kind = ELEMENT_U8;
}

/* NumPy's format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
static void open_npy(bench_vectors *v)
{
    unsigned char head[12];
    char text[4096];
    read_bytes(v, head, 10);
    if (memcmp(head, "\x93NUMPY", 6) != 0 || head[6] < 1 || head[6] > 3)
        fail(v, "no npy file");
    uint32_t length = head[8] | (uint32_t)head[9] << 8;
    if (head[6] > 1) {
        read_bytes(v, head + 10, 2);
        length |= (uint32_t)head[10] << 16 | (uint32_t)head[11] << 24;
    }
    if (length >= sizeof text)
        fail(v, "its head is too long");
    read_bytes(v, text, length);
    text[length] = 0;
    const char *shape = strstr(text, "'shape':");
    unsigned long long count, dimension;
    if (!shape || sscanf(shape, "'shape': (%llu, %llu)", &count, &dimension) != 2 ||
        dimension > DIMENSION_MAX || !strstr(text, "'fortran_order': False"))
        fail(v, "wants two dimensions in C order");
    v->count = count;
    v->dimension = (uint32_t)dimension;
    if (strstr(text, "'<f4'"))
        v->kind = ELEMENT_F32;
    else if (strstr(text, "'<f2'"))
        v->kind = ELEMENT_F16;
    else if (strstr(text, "'|u1'"))
        v->kind = ELEMENT_U8;
    else if (strstr(text, "'|i1'"))
        v->kind = ELEMENT_I8;
    else
        fail(v, "its elements are none of float32, float16, uint8, int8");
}

/* ---- Opening ---------------------------------------------------------------------------------- */

/* Reads through gzip(1), without a shell between. No other child inherits the pipe: the end that it
 * held would keep this gzip from noticing that nobody reads any more. */
static FILE *open_unpacker(bench_vectors *v)
{
    int ends[2];
    if (access(v->path, R_OK) != 0 || pipe2(ends, O_CLOEXEC) != 0)
        fail(v, "cannot be opened");
    v->unpacker = fork();
    if (v->unpacker == 0) {
        dup2(ends[1], STDOUT_FILENO);
        execlp("gzip", "gzip", "-dc", v->path, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    return v->unpacker > 0 ? fdopen(ends[0], "rb") : NULL;
}

bench_vectors *bench_vectors_open(const char *path, uint64_t count_max)
{
    bench_vectors *v = calloc(1, sizeof *v);
    char *name = strdup(path);
    if (!v || !name)
        bench_die("no memory");
    v->path = strdup(path);
    if (ends_with(name, ".gz")) {
        name[strlen(name) - 3] = 0;
        v->file = open_unpacker(v);
    } else
        v->file = fopen(path, "rb");
    if (!v->file)
        fail(v, "cannot be opened");
    if (ends_with(name, ".fbin"))
        open_bin(v, ELEMENT_F32);
    else if (ends_with(name, ".u8bin"))
        open_bin(v, ELEMENT_U8);
    else if (ends_with(name, ".i8bin"))
        open_bin(v, ELEMENT_I8);
    else if (ends_with(name, ".fvecs"))
        open_vecs(v, ELEMENT_F32);
    else if (ends_with(name, ".bvecs"))
        open_vecs(v, ELEMENT_U8);
    else if (ends_with(name, ".npy"))
        open_npy(v);
    else if (ends_with(name, "-ubyte"))
        open_idx(v);
    else
        fail(v, "not one of .fbin .u8bin .i8bin .fvecs .bvecs .npy idx*-ubyte");
    free(name);
    if (v->dimension < 1 || v->dimension > DIMENSION_MAX || v->count < 1)
        fail(v, "holds no vectors");
    if (v->count > UINT32_MAX)
        fail(v, "holds more than 2^32 - 1 vectors");
    if (count_max && count_max < v->count)
        v->count = count_max;
    v->row = malloc((size_t)v->dimension * element_bytes(v->kind));
    if (!v->row)
        bench_die("no memory");
    return v;
}

void bench_vectors_close(bench_vectors *v)
{
    if (!v)
        return;
    fclose(v->file); /* a gzip that has more to say ends by SIGPIPE */
    if (v->unpacker > 0)
        waitpid(v->unpacker, NULL, 0);
    free(v->path);
    free(v->row);
    free(v);
}

uint64_t bench_vectors_count(const bench_vectors *v)
{
    return v->count;
}

uint32_t bench_vectors_dimension(const bench_vectors *v)
{
    return v->dimension;
}

/* ---- Rows --------------------------------------------------------------------------------------- */

static float half_to_float(uint16_t half)
{
    int exponent = half >> 10 & 31;
    float fraction = (float)(half & 1023);
    float value = exponent == 0    ? ldexpf(fraction, -24)
                  : exponent == 31 ? (fraction > 0 ? NAN : INFINITY)
                                   : ldexpf(1024 + fraction, exponent - 25);
    return half & 0x8000 ? -value : value;
}

static void read_row(bench_vectors *v, float *out)
{
    uint32_t n = v->dimension;
    if (v->row_heads) {
        int32_t dimension;
        read_bytes(v, &dimension, sizeof dimension);
        if (dimension != (int32_t)n)
            fail(v, "its rows differ in length");
    }
    read_bytes(v, v->row, (size_t)n * element_bytes(v->kind));
    if (v->kind == ELEMENT_F32)
        memcpy(out, v->row, n * sizeof(float));
    for (uint32_t i = 0; i < n && v->kind == ELEMENT_F16; i++)
        out[i] = half_to_float((uint16_t)(v->row[2 * i] | v->row[2 * i + 1] << 8));
    for (uint32_t i = 0; i < n && v->kind == ELEMENT_U8; i++)
        out[i] = v->row[i];
    for (uint32_t i = 0; i < n && v->kind == ELEMENT_I8; i++)
        out[i] = (signed char)v->row[i];
}

uint64_t bench_vectors_read(bench_vectors *v, float *out, uint64_t row_max)
{
    uint64_t rows = v->count - v->read_count;
    if (rows > row_max)
        rows = row_max;
    for (uint64_t i = 0; i < rows; i++)
        read_row(v, out + i * v->dimension);
    v->read_count += rows;
    return rows;
}

float *bench_vectors_load(const char *path, uint64_t count_max, uint64_t *count,
                          uint32_t *dimension)
{
    bench_vectors *v = bench_vectors_open(path, count_max);
    *count = v->count;
    *dimension = v->dimension;
    /* Grown as rows arrive: the head's count is not trusted with an allocation. */
    float *rows = NULL;
    for (uint64_t at = 0, capacity = 0; at < *count;) {
        if (at == capacity) {
            capacity = capacity ? 2 * capacity : 1024;
            if (capacity > *count)
                capacity = *count;
            rows = realloc(rows, capacity * v->dimension * sizeof *rows);
            if (!rows)
                bench_die("no memory");
        }
        at += bench_vectors_read(v, rows + at * v->dimension, capacity - at);
    }
    bench_vectors_close(v);
    return rows;
}
