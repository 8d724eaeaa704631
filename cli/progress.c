/* progress.c: one line on the terminal with a bar, the rate, and the time left. */
#include "progress.h"

#include "message.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define REPAINT_NS 100000000
#define BAR_CELLS_MAX 40
#define RATE_WINDOW_NS 5000000000 /* the rate of the last seconds: a run of known files is fast */

static bool is_on, is_painted;
static int64_t painted_ns;
static int64_t window_ns; /* where the rate's window began, and what was done by then */
static uint64_t window_done;
static double rate; /* files a second */

static int64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void clear(void)
{
    if (is_painted)
        fputs("\r\x1b[K", stderr);
    is_painted = false;
}

void cli_progress_start(bool quiet)
{
    const char *terminal = getenv("TERM");
    is_on = !quiet && isatty(STDERR_FILENO) && terminal && strcmp(terminal, "dumb") != 0;
    window_ns = now_ns();
    window_done = 0;
    rate = 0;
    if (is_on)
        cli_message_set_clear(clear);
}

static unsigned terminal_columns(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

static void measure_rate(uint64_t done, int64_t now)
{
    int64_t elapsed_ns = now - window_ns;
    if (elapsed_ns > REPAINT_NS)
        rate = (double)(done - window_done) * 1e9 / (double)elapsed_ns;
    if (elapsed_ns > RATE_WINDOW_NS) { /* go on from the middle of the window */
        window_done += (done - window_done) / 2;
        window_ns += elapsed_ns / 2;
    }
}

/* "1:02:03 left" or "0:09 left"; nothing while it is unknown. */
static void format_left(char *out, size_t capacity, uint64_t left_count)
{
    out[0] = '\0';
    if (rate <= 0 || !left_count)
        return;
    double seconds = (double)left_count / rate + 0.5;
    if (seconds >= 360000)
        return;
    unsigned all = (unsigned)seconds;
    unsigned hours = all / 3600, minutes = all / 60 % 60;
    if (hours)
        snprintf(out, capacity, "  %u:%02u:%02u left", hours, minutes, all % 60);
    else
        snprintf(out, capacity, "  %u:%02u left", minutes, all % 60);
}

static void paint(const imgret_ingest_progress *progress)
{
    char head[64], tail[96], left[32];
    uint64_t done = progress->done_count, all = progress->file_count;
    uint64_t bad = progress->failed_count + progress->known_bad_count;
    format_left(left, sizeof left, progress->listing_done && all > done ? all - done : 0);
    int head_bytes = snprintf(head, sizeof head, "%" PRIu64 "/%" PRIu64 "%s ", done, all,
                              progress->listing_done ? "" : "+");
    int tail_bytes = 0;
    tail[0] = '\0';
    if (rate > 0) /* nothing settled yet: no rate to show */
        tail_bytes = snprintf(tail, sizeof tail, " %.0f/s%s", rate, left);
    if (bad && tail_bytes >= 0 && (size_t)tail_bytes < sizeof tail)
        tail_bytes += snprintf(tail + tail_bytes, sizeof tail - (size_t)tail_bytes,
                               "  %" PRIu64 " bad", bad);
    int columns = (int)terminal_columns() - 1; /* the last one would wrap on some terminals */
    int cells = columns - head_bytes - tail_bytes - 2;
    if (cells > BAR_CELLS_MAX)
        cells = BAR_CELLS_MAX;
    fputs("\r\x1b[K", stderr);
    if (cells < 4 || !progress->listing_done || !all) {
        fprintf(stderr, "%.*s%.*s", columns, head, columns > head_bytes ? columns - head_bytes : 0,
                tail);
    } else {
        int full = (int)((double)cells * (double)done / (double)all);
        fprintf(stderr, "%s[%.*s%*s]%s", head, full,
                "========================================", cells - full, "", tail);
    }
    fflush(stderr);
    is_painted = true;
}

void cli_progress_show(const imgret_ingest_progress *progress)
{
    int64_t now = now_ns();
    if (!is_on || (is_painted && now - painted_ns < REPAINT_NS))
        return;
    measure_rate(progress->done_count, now);
    painted_ns = now;
    paint(progress);
}

void cli_progress_stop(void)
{
    clear();
    cli_message_set_clear(NULL);
    is_on = false;
}
