/* log.c: messages to the host's log callback, silent by default. */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static imgret_log_fn log_fn;
static void *log_user;
static _Atomic int32_t log_level; /* 0: nobody listens */

void imgret_set_log(imgret_log_fn log, void *user, int32_t level)
{
    pthread_mutex_lock(&lock);
    log_fn = log;
    log_user = user;
    atomic_store(&log_level, log ? level : 0);
    pthread_mutex_unlock(&lock);
}

void ir_log_line(int32_t level, const char *message)
{
    if (level > atomic_load_explicit(&log_level, memory_order_relaxed))
        return;
    pthread_mutex_lock(&lock);
    imgret_log_fn deliver = log_fn;
    void *user = log_user;
    pthread_mutex_unlock(&lock);
    if (deliver)
        deliver(user, level, message);
}

void ir_log(int32_t level, const char *format, ...)
{
    if (level > atomic_load_explicit(&log_level, memory_order_relaxed))
        return;
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ir_log_line(level, text);
}
