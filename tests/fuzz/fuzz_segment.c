/* fuzz_segment.c: the segment reader on arbitrary bytes; libFuzzer's entry point.
 *
 * The first byte chooses: even, the rest is the file; odd, the rest is a list of changes (offset
 * u32, value u32) to a small valid segment whose checks are then made right again, so
 * that what lies behind the checks is met by hostile numbers.
 */
#include "base/alloc.h"
#include "base/hash.h"
#include "base/pool.h"
#include "base/random.h"
#include "index/segment.h"
#include "index/segment_pages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DIMENSION = 24, COUNT = 60 };

static uint8_t *valid;
static size_t valid_bytes;
static int file = -1;
static char file_path[64];

static int32_t next_vector(void *context, int64_t *id, const void **stored, imgret_error *error)
{
    static float values[DIMENSION];
    uint32_t *next = context;
    (void)error;
    if (*next == COUNT)
        return 0;
    uint64_t seed = *next;
    for (uint32_t j = 0; j < DIMENSION; j++)
        values[j] = (float)ir_random_unit(&seed);
    *stored = values;
    *id = ++*next * 5;
    return 1;
}

static void make_valid(void)
{
    char path[] = "/tmp/imgret-fuzz-XXXXXX";
    int fd = mkstemp(path);
    ir_pool *pool;
    uint32_t next = 0;
    if (fd < 0 || ir_pool_create(&pool, 1, NULL))
        abort();
    ir_segment_spec spec = {.dimension = DIMENSION,
                            .metric = IMGRET_METRIC_L2,
                            .vector_type = IMGRET_VECTOR_F32,
                            .degree = 8,
                            .pool = pool};
    if (ir_segment_build(path, &spec, next_vector, &next, NULL, NULL))
        abort();
    FILE *made = fopen(path, "rb");
    valid = malloc(1 << 20);
    if (!made || !valid)
        abort();
    valid_bytes = fread(valid, 1, 1 << 20, made);
    fclose(made);
    close(fd);
    unlink(path);
    ir_pool_free(pool);
    file = memfd_create("segment", 0);
    snprintf(file_path, sizeof file_path, "/proc/self/fd/%d", file);
}

/* Makes all checks right that the changed header lets us find. */
static void mend(uint8_t *bytes)
{
    ir_segment_header header;
    memcpy(&header, bytes, sizeof header);
    uint64_t offset = header.sections[IR_SECTION_CHECKS].offset;
    uint64_t length = header.sections[IR_SECTION_CHECKS].bytes;
    if (offset % IR_PAGE_BYTES == 0 && offset <= valid_bytes && length <= valid_bytes - offset) {
        for (uint64_t page = 1; page < offset / IR_PAGE_BYTES && (page + 1) * 4 <= length; page++) {
            uint32_t check = ir_page_check(bytes + page * IR_PAGE_BYTES, page);
            memcpy(bytes + offset + page * 4, &check, 4);
        }
        header.checks_hash = ir_hash64(bytes + offset, length, 0);
    }
    header.header_hash = ir_hash64(&header, offsetof(ir_segment_header, header_hash), 0);
    memcpy(bytes, &header, sizeof header);
}

static bool ignore(void *context, const char *message)
{
    (void)context;
    (void)message;
    return false;
}

static void use_segment(void)
{
    ir_segment *segment;
    imgret_error error = IMGRET_ERROR_INIT;
    /* Threads read as well here and need no ring for each input. */
    ir_segment_open_options options = {.io_kind = IR_IO_FAULTY};
    if (ir_segment_open(&segment, file_path, &options, &error)) {
        if (segment || error.message[0] == '\0')
            abort(); /* a failure leaves nothing open and says why */
        return;
    }
    ir_segment_info info;
    ir_segment_get_info(segment, &info);
    float *query = calloc(info.dimension, sizeof *query);
    void *stored = malloc((size_t)info.dimension * 4);
    ir_neighbor found[100];
    uint32_t count = 0;
    ir_search search = {.vector = query, .k = 100};
    if (query && stored) {
        query[0] = 1;
        ir_segment_search(segment, &search, found, &count, NULL, NULL);
        ir_segment_get(segment, 5, stored, NULL);
    }
    if (count > 100)
        abort();
    free(query);
    free(stored);
    ir_segment_close(segment);
    uint64_t problems;
    ir_segment_check(file_path, ignore, NULL, &problems, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!valid)
        make_valid();
    if (size < 1)
        return 0;
    const uint8_t *bytes = data + 1;
    size_t count = size - 1;
    uint8_t *changed = NULL;
    if (data[0] % 2 == 1) {
        changed = malloc(valid_bytes);
        if (!changed)
            return 0;
        memcpy(changed, valid, valid_bytes);
        for (; count >= 8; bytes += 8, count -= 8) {
            uint32_t offset, value;
            memcpy(&offset, bytes, 4);
            memcpy(&value, bytes + 4, 4);
            memcpy(changed + offset % (valid_bytes - 3), &value, 4);
        }
        mend(changed);
        bytes = changed;
        count = valid_bytes;
    }
    if (ftruncate(file, 0) != 0 || pwrite(file, bytes, count, 0) != (ssize_t)count)
        abort();
    use_segment();
    free(changed);
    return 0;
}
