/* alloc.c: the host's allocator behind malloc's interface, with a count of what is alive. */
#include "base/alloc.h"

#include "base/error.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static void *libc_alloc(void *user, uint64_t bytes)
{
    (void)user;
    return malloc(bytes);
}

static void *libc_realloc(void *user, void *pointer, uint64_t bytes)
{
    (void)user;
    return realloc(pointer, bytes);
}

static void libc_free(void *user, void *pointer)
{
    (void)user;
    free(pointer);
}

static const imgret_allocator libc_allocator = {
    .size = sizeof(imgret_allocator),
    .alloc = libc_alloc,
    .realloc = libc_realloc,
    .free = libc_free,
};

static imgret_allocator current = {
    .size = sizeof(imgret_allocator),
    .alloc = libc_alloc,
    .realloc = libc_realloc,
    .free = libc_free,
};

static atomic_uint_fast64_t live_count;
static atomic_uint_fast64_t fail_countdown;

uint64_t ir_alloc_live_count(void)
{
    return atomic_load(&live_count);
}

void ir_alloc_fail_after(uint64_t n)
{
    atomic_store(&fail_countdown, n);
}

static bool fails_now(void)
{
    uint64_t left = atomic_load_explicit(&fail_countdown, memory_order_relaxed);
    if (left == 0)
        return false;
    return atomic_fetch_sub(&fail_countdown, 1) == 1;
}

int32_t imgret_set_allocator(const imgret_allocator *allocator, imgret_error *error)
{
    imgret_allocator wanted = libc_allocator;
    if (allocator) {
        int32_t status = ir_options_read(&wanted, sizeof wanted, sizeof wanted, allocator,
                                         "imgret_allocator", error);
        if (status)
            return status;
        if (!wanted.alloc || !wanted.realloc || !wanted.free)
            return ir_fail(error, IMGRET_INVALID_ARGUMENT,
                           "imgret_allocator needs alloc, realloc and free");
    }
    if (ir_alloc_live_count() != 0)
        return ir_fail(error, IMGRET_BUSY,
                       "the allocator cannot change while a handle or result is alive");
    current = wanted;
    return IMGRET_OK;
}

void *ir_malloc(size_t bytes)
{
    if (fails_now())
        return NULL;
    void *pointer = current.alloc(current.user, bytes ? bytes : 1);
    if (pointer)
        atomic_fetch_add_explicit(&live_count, 1, memory_order_relaxed);
    return pointer;
}

void *ir_calloc(size_t count, size_t bytes)
{
    size_t total;
    if (!ir_mul_size(count, bytes, &total))
        return NULL;
    void *pointer = ir_malloc(total);
    if (pointer)
        memset(pointer, 0, total);
    return pointer;
}

void *ir_malloc_array(size_t count, size_t bytes)
{
    size_t total;
    return ir_mul_size(count, bytes, &total) ? ir_malloc(total) : NULL;
}

void *ir_realloc(void *pointer, size_t bytes)
{
    if (!pointer)
        return ir_malloc(bytes);
    if (fails_now())
        return NULL;
    return current.realloc(current.user, pointer, bytes ? bytes : 1);
}

void ir_free(void *pointer)
{
    if (!pointer)
        return;
    atomic_fetch_sub_explicit(&live_count, 1, memory_order_relaxed);
    current.free(current.user, pointer);
}

void *ir_malloc_aligned(size_t alignment, size_t bytes)
{
    size_t total;
    if (__builtin_add_overflow(bytes, alignment + sizeof(void *), &total))
        return NULL;
    char *raw = ir_malloc(total);
    if (!raw)
        return NULL;
    uintptr_t start = (uintptr_t)raw + sizeof(void *);
    char *aligned = raw + sizeof(void *) + ((alignment - start % alignment) % alignment);
    memcpy(aligned - sizeof raw, &raw, sizeof raw);
    return aligned;
}

void ir_free_aligned(void *pointer)
{
    if (!pointer)
        return;
    char *raw;
    memcpy(&raw, (char *)pointer - sizeof raw, sizeof raw);
    ir_free(raw);
}

void ir_advise_random(void *pointer, size_t bytes)
{
    const uintptr_t large_page = (uintptr_t)1 << 21;
    uintptr_t start = ((uintptr_t)pointer + large_page - 1) & ~(large_page - 1);
    uintptr_t end = ((uintptr_t)pointer + bytes) & ~(large_page - 1);
    if (pointer && end > start)
        madvise((void *)start, end - start,
                MADV_HUGEPAGE); /* a hint: its failure costs only time */
}

char *ir_strndup(const char *text, size_t length)
{
    char *copy = ir_malloc(length + 1);
    if (!copy)
        return NULL;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *ir_strdup(const char *text)
{
    return text ? ir_strndup(text, strlen(text)) : NULL;
}

char *ir_asprintf(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = length < 0 ? NULL : ir_malloc((size_t)length + 1);
    if (!text)
        return NULL;
    va_start(arguments, format);
    vsnprintf(text, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return text;
}
