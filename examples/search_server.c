/* search_server.c: a server of many threads over one database handle.
 *
 *   search_server DATABASE SOCKET [THREADS]   serves on a Unix socket until SIGTERM or SIGINT
 *   search_server --ask SOCKET PICTURE        asks such a server
 *
 * A request is one line, the path of a picture. The answer is one line a result, "SCORE<TAB>URI", or
 * "error<TAB>MESSAGE". All threads wait in accept on the same socket and share the database: queries
 * run beside one another, and their pictures go through the model in common batches. A signal stops
 * the queries that are running too, by imgret_interrupt, which a signal handler may call.
 */
#include <errno.h>
#include <imgret/imgret.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { THREADS_MAX = 64, THREADS_DEFAULT = 4, REQUEST_BYTES_MAX = 4096, PATIENCE_S = 10 };

typedef struct search_server {
    imgret *db;
    int socket;
} search_server;

static search_server *the_server; /* for the signal handler */
static atomic_int stopping;

/* Shutting the socket down wakes all threads that wait in accept. */
static void on_signal(int number)
{
    (void)number;
    int saved = errno;
    atomic_store(&stopping, 1);
    shutdown(the_server->socket, SHUT_RDWR);
    imgret_interrupt(the_server->db);
    errno = saved;
}

static void answer(imgret *db, const char *path, FILE *out)
{
    imgret_error error = IMGRET_ERROR_INIT;
    const imgret_input input = {.size = sizeof input, .kind = IMGRET_INPUT_FILE, .path = path};
    const imgret_query_options options = {.size = sizeof options, .k = 5, .deadline_ms = 5000};
    imgret_results *results;
    if (imgret_query(&results, db, &input, &options, &error))
        fprintf(out, "error\t%s\n", error.message);
    for (uint64_t i = 0; i < imgret_results_count(results); i++) {
        const imgret_hit *hit = imgret_results_at(results, i);
        fprintf(out, "%.4f\t%s\n", hit->score, hit->uri ? hit->uri : "-");
    }
    imgret_results_free(results);
}

/* One connection: any number of requests, until the client ends it or says nothing for long. */
static void serve(imgret *db, int connection)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    int copy = dup(connection);
    FILE *in = fdopen(connection, "r"), *out = copy >= 0 ? fdopen(copy, "w") : NULL;
    char line[REQUEST_BYTES_MAX];
    while (in && out && fgets(line, sizeof line, in)) {
        size_t end = strcspn(line, "\n");
        if (!line[end])
            break; /* longer than any request */
        line[end] = '\0';
        answer(db, line, out);
        if (fputs("\n", out) < 0 || fflush(out))
            break;
    }
    if (out)
        fclose(out);
    else if (copy >= 0)
        close(copy);
    if (in)
        fclose(in);
    else
        close(connection);
}

static void *work(void *argument)
{
    search_server *server = argument;
    while (!atomic_load(&stopping)) {
        int connection = accept(server->socket, NULL, NULL);
        if (connection >= 0)
            serve(server->db, connection);
        else if (errno != EINTR && errno != ECONNABORTED && errno != EMFILE)
            break;
    }
    return NULL;
}

static int fill_address(struct sockaddr_un *address, const char *path)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address->sun_path)
        return fprintf(stderr, "search_server: %s is too long for a socket\n", path), 1;
    strcpy(address->sun_path, path);
    return 0;
}

static int listen_at(const char *path)
{
    struct sockaddr_un address;
    int made = socket(AF_UNIX, SOCK_STREAM, 0);
    if (made < 0 || fill_address(&address, path) ||
        bind(made, (struct sockaddr *)&address, sizeof address) || listen(made, SOMAXCONN)) {
        fprintf(stderr, "search_server: cannot listen at %s: %s\n", path, strerror(errno));
        if (made >= 0)
            close(made);
        return -1;
    }
    return made;
}

static void run(search_server *server, int thread_count)
{
    pthread_t threads[THREADS_MAX];
    int started = 0;
    struct sigaction action = {.sa_handler = on_signal};
    the_server = server;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN); /* a client that went away is no reason to end */
    while (started < thread_count && !pthread_create(&threads[started], NULL, work, server))
        started++;
    printf("ready, %d threads\n", started);
    fflush(stdout);
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    signal(SIGTERM, SIG_IGN); /* the database is about to close */
    signal(SIGINT, SIG_IGN);
}

static int ask(const char *path, const char *picture)
{
    struct sockaddr_un address;
    char line[REQUEST_BYTES_MAX];
    int connection = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connection < 0 || fill_address(&address, path) ||
        connect(connection, (struct sockaddr *)&address, sizeof address))
        return fprintf(stderr, "search_server: cannot reach %s\n", path), 2;
    dprintf(connection, "%s\n", picture);
    FILE *in = fdopen(connection, "r");
    int failed = !in;
    while (in && fgets(line, sizeof line, in) && line[0] != '\n') {
        failed |= strncmp(line, "error\t", 6) == 0;
        fputs(line, stdout);
    }
    if (in)
        fclose(in);
    return failed;
}

int main(int argc, char **argv)
{
    if (argc == 4 && !strcmp(argv[1], "--ask"))
        return ask(argv[2], argv[3]);
    int thread_count = argc == 4 ? atoi(argv[3]) : THREADS_DEFAULT;
    if (argc < 3 || argc > 4 || thread_count < 1 || thread_count > THREADS_MAX)
        return fprintf(stderr, "usage: search_server DATABASE SOCKET [THREADS]\n"
                               "       search_server --ask SOCKET PICTURE\n"),
               2;
    imgret_error error = IMGRET_ERROR_INIT;
    const imgret_open_options options = {.size = sizeof options, .flags = IMGRET_OPEN_READ_ONLY};
    search_server server;
    if (imgret_open(&server.db, argv[1], &options, &error))
        return fprintf(stderr, "search_server: %s\n", error.message), 1;
    server.socket = listen_at(argv[2]);
    if (server.socket >= 0) {
        run(&server, thread_count);
        close(server.socket);
        unlink(argv[2]);
    }
    imgret_close(server.db);
    return server.socket < 0;
}
