/* session.c: opening the database, reporting its errors, and stopping on a signal. */
#include "session.h"

#include "commands.h"
#include "message.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static imgret *_Atomic open_db;
static atomic_int signal_count;

/* Only lock-free atomics, imgret_interrupt and _exit: all safe in a signal handler. */
static void on_signal(int number)
{
    (void)number;
    if (atomic_fetch_add(&signal_count, 1) > 0)
        _exit(CLI_EXIT_INTERRUPTED);
    imgret *db = atomic_load(&open_db);
    if (db)
        imgret_interrupt(db);
}

void cli_session_catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    action.sa_handler = SIG_IGN; /* a write to a closed pipe answers EPIPE instead */
    sigaction(SIGPIPE, &action, NULL);
}

bool cli_session_is_interrupted(void)
{
    return atomic_load(&signal_count) > 0;
}

int cli_session_fail(const imgret_error *error)
{
    if (error->code == IMGRET_INTERRUPTED) {
        cli_error("interrupted");
        return CLI_EXIT_INTERRUPTED;
    }
    if (error->message[0])
        cli_error("%s", error->message);
    else
        cli_error("%s", imgret_status_name(error->code));
    return CLI_EXIT_ERROR;
}

imgret *cli_session_open(const cli_options *options, uint32_t flags)
{
    imgret_error error = IMGRET_ERROR_INIT;
    imgret_open_options open = {
        .size = sizeof open,
        .flags = flags,
        .model = options->model,
        .plugin_path = options->plugin_path,
        .metric = options->metric,
        .vector_type = options->vector_type,
        .threads = options->threads,
        .regions = options->regions,
        .decode_isolation = options->isolate ? "auto" : NULL,
    };
    imgret *db;
    if (imgret_open(&db, options->db, &open, &error) != IMGRET_OK) {
        cli_session_fail(&error);
        return NULL;
    }
    atomic_store(&open_db, db);
    return db;
}

void cli_session_close(imgret *db)
{
    atomic_store(&open_db, NULL);
    imgret_close(db);
}
