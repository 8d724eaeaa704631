/* test_io.c: asynchronous reads by io_uring, by threads and with faults. */
#include "testing.h"

#include "base/alloc.h"
#include "base/random.h"
#include "io/io.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { PAGES = 64, DEPTH = 16 };

typedef struct fixture {
    char path[64];
    int fd;
    bool direct;
    uint8_t *memory;
} fixture;

/* Each page is filled with its number; half a page ends the file. */
static int make_file(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    strcpy(f->path, "/tmp/imgret-io-XXXXXX");
    int fd = mkstemp(f->path);
    uint8_t page[IR_IO_BLOCK_BYTES];
    for (int i = 0; i <= PAGES; i++) {
        memset(page, i, sizeof page);
        size_t bytes = i < PAGES ? sizeof page : sizeof page / 2;
        assert_int_equal(write(fd, page, bytes), (ssize_t)bytes);
    }
    close(fd);
    assert_int_equal(ir_io_open_file(f->path, &f->fd, &f->direct, NULL), 0);
    f->memory = ir_malloc_aligned(4096, DEPTH * IR_IO_BLOCK_BYTES);
    *state = f;
    return 0;
}

static int remove_file(void **state)
{
    fixture *f = *state;
    close(f->fd);
    unlink(f->path);
    ir_free_aligned(f->memory);
    free(f);
    return 0;
}

static ir_io_options options_of(const fixture *f, uint32_t kind)
{
    return (ir_io_options){.kind = kind,
                           .depth = DEPTH,
                           .fd = f->fd,
                           .memory = f->memory,
                           .memory_bytes = DEPTH * IR_IO_BLOCK_BYTES};
}

static void queue_page(const fixture *f, ir_io *io, uint32_t buffer, uint32_t page)
{
    ir_io_read read = {.offset = (uint64_t)page * IR_IO_BLOCK_BYTES,
                       .bytes = IR_IO_BLOCK_BYTES,
                       .tag = buffer,
                       .buffer = f->memory + buffer * IR_IO_BLOCK_BYTES};
    ir_io_queue(io, &read);
}

/* A thousand reads, as many in flight as possible, each buffer holding the page it asked for. */
static void read_many(const fixture *f, ir_io *io)
{
    uint32_t page_of[DEPTH], free_buffers[DEPTH], free_count = 0, done_count = 0, queued = 0;
    uint64_t seed = 1;
    for (uint32_t i = 0; i < DEPTH; i++)
        free_buffers[free_count++] = i;
    while (done_count < 1000) {
        while (free_count > 0 && queued < 1000) {
            uint32_t buffer = free_buffers[--free_count];
            page_of[buffer] = (uint32_t)ir_random_below(&seed, PAGES);
            queue_page(f, io, buffer, page_of[buffer]);
            queued++;
        }
        ir_io_done done[DEPTH];
        uint32_t count = 0;
        assert_int_equal(ir_io_turn(io, done, DEPTH, 1, &count, NULL), 0);
        assert_true(count >= 1);
        for (uint32_t i = 0; i < count; i++) {
            const uint8_t *buffer = f->memory + done[i].tag * IR_IO_BLOCK_BYTES;
            assert_int_equal(done[i].result, IR_IO_BLOCK_BYTES);
            assert_int_equal(buffer[0], page_of[done[i].tag]);
            assert_int_equal(buffer[IR_IO_BLOCK_BYTES - 1], page_of[done[i].tag]);
            free_buffers[free_count++] = done[i].tag;
        }
        done_count += count;
    }
    assert_int_equal(ir_io_in_flight(io), 0);
}

static void every_kind_reads_what_was_asked(void **state)
{
    const fixture *f = *state;
    uint32_t kinds[] = {IR_IO_URING, IR_IO_THREADS, IR_IO_FAULTY, IR_IO_ANY};
    for (size_t i = 0; i < 4; i++) {
        ir_io_options options = options_of(f, kinds[i]);
        ir_io *io;
        int32_t status = ir_io_create(&io, &options, NULL);
        if (kinds[i] == IR_IO_URING && status == IMGRET_UNSUPPORTED) {
            print_message("io_uring is not allowed here\n");
            continue;
        }
        assert_int_equal(status, 0);
        if (kinds[i] != IR_IO_ANY)
            assert_int_equal(ir_io_kind(io), kinds[i]);
        read_many(f, io);
        ir_io_free(io);
    }
}

static void ends_and_bad_files_are_told(void **state)
{
    const fixture *f = *state;
    for (uint32_t kind = IR_IO_URING; kind <= IR_IO_THREADS; kind++) {
        ir_io_options options = options_of(f, kind);
        ir_io *io;
        if (ir_io_create(&io, &options, NULL))
            continue;
        queue_page(f, io, 0, PAGES);
        queue_page(f, io, 1, PAGES + 10);
        uint32_t seen = 0;
        while (seen < 2) {
            ir_io_done done[2];
            uint32_t count;
            assert_int_equal(ir_io_turn(io, done, 2, 1, &count, NULL), 0);
            for (uint32_t i = 0; i < count; i++)
                assert_int_equal(done[i].result, done[i].tag ? 0 : IR_IO_BLOCK_BYTES / 2);
            seen += count;
        }
        ir_io_free(io);
        options.fd = -1;
        if (ir_io_create(&io, &options, NULL))
            continue;
        queue_page(f, io, 0, 0);
        ir_io_done done;
        uint32_t count;
        assert_int_equal(ir_io_turn(io, &done, 1, 1, &count, NULL), 0);
        assert_int_equal(done.result, -EBADF);
        ir_io_free(io);
    }
}

static int32_t fail_every_third(void *context, const ir_io_read *read, int32_t result)
{
    uint32_t *count = context;
    (void)read;
    return ++*count % 3 == 0 ? -EIO : result;
}

static void faults_reach_the_caller_in_reverse_order(void **state)
{
    const fixture *f = *state;
    uint32_t seen = 0;
    ir_io_options options = options_of(f, IR_IO_FAULTY);
    options.fault = fail_every_third;
    options.fault_context = &seen;
    ir_io *io;
    assert_int_equal(ir_io_create(&io, &options, NULL), 0);
    for (uint32_t i = 0; i < 3; i++)
        queue_page(f, io, i, i);
    ir_io_done done[3];
    uint32_t count;
    assert_int_equal(ir_io_turn(io, done, 3, 3, &count, NULL), 0);
    assert_int_equal(count, 3);
    assert_int_equal(done[0].tag, 2);
    assert_int_equal(done[2].tag, 0);
    assert_int_equal(done[2].result, -EIO);
    ir_io_free(io);
}

static void freeing_waits_for_reads_in_flight(void **state)
{
    const fixture *f = *state;
    for (uint32_t kind = IR_IO_URING; kind <= IR_IO_THREADS; kind++) {
        ir_io_options options = options_of(f, kind);
        ir_io *io;
        if (ir_io_create(&io, &options, NULL))
            continue;
        uint32_t count;
        for (uint32_t i = 0; i < DEPTH; i++)
            queue_page(f, io, i, i);
        assert_int_equal(ir_io_turn(io, NULL, 0, 0, &count, NULL), 0);
        ir_io_free(io);
    }
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    int fd;
    bool direct;
    imgret_error error = IMGRET_ERROR_INIT;
    assert_int_equal(ir_io_open_file("/no-such-file", &fd, &direct, &error), IMGRET_NOT_FOUND);
    assert_non_null(strstr(error.message, "/no-such-file"));
    assert_int_equal(ir_io_open_file("/tmp", &fd, &direct, NULL), IMGRET_INVALID_ARGUMENT);
    ir_io *io;
    ir_io_options options = {.depth = 0};
    assert_int_equal(ir_io_create(&io, &options, &error), IMGRET_INVALID_ARGUMENT);
    options = (ir_io_options){.depth = 1, .kind = 99};
    assert_int_equal(ir_io_create(&io, &options, &error), IMGRET_INVALID_ARGUMENT);
    assert_null(io);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_kind_reads_what_was_asked, make_file, remove_file),
        cmocka_unit_test_setup_teardown(ends_and_bad_files_are_told, make_file, remove_file),
        cmocka_unit_test_setup_teardown(faults_reach_the_caller_in_reverse_order, make_file,
                                        remove_file),
        cmocka_unit_test_setup_teardown(freeing_waits_for_reads_in_flight, make_file, remove_file),
        cmocka_unit_test(what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests_name("io", tests, NULL, NULL);
}
