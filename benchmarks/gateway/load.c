/* Puts load on HTTP servers of this machine and checks every reply.
 *
 *     load [options] PORT [PORT...]
 *
 *     --path PATH          where to POST                            [/v1/chat/completions]
 *     --body FILE          what to POST
 *     --header 'K: V'      a header more; may be given again
 *     --expect KIND        json, openai or anthropic (streams)      [json]
 *     --connections N      at most this many a port                 [64]
 *     --seconds S          for how long requests are started        [5]
 *     --requests N         start no more than N a port              [no limit]
 *     --rate R             R requests a second and port, whether or not answers come [closed loop]
 *     --grace S            how long to wait for the last replies    [10]
 *
 * Closed loop: the ports are measured one after the other, each connection sends its next request
 * when the reply to the last has ended. Open loop (--rate): requests go to the ports in turn at
 * even intervals, and a reply's time counts from when its request was due, so that waiting for a
 * free connection counts too.
 *
 * A reply is good if its status is 200 and its body whole: JSON with usage in it, or a stream with
 * every content chunk and its proper end. Chunks carry ~nanoseconds~, the time at which they were
 * sent; their transit is from then until they were read here.
 *
 * Prints one line of JSON: an array with an object a port; times in microseconds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define CHUNKS 64 /* content chunks in a stream of upstream.c */
#define MAX_PORTS 16
#define MAX_HEAD 16384
#define MAX_TEXT (4 << 20)
#define SECOND 1000000000L
#define SAMPLE 400

enum expect { JSON, OPENAI_STREAM, ANTHROPIC_STREAM };
enum framing { NO_BODY, LENGTH, CHUNKED, UNTIL_CLOSE };
enum part { SIZE, DATA, DATA_END, TRAILER }; /* of a chunked body */

struct times { long *at, n, cap; }; /* nanoseconds */

struct target {
    int port;
    char *request;
    size_t request_len;
    struct times whole, first, transit;
    long started, good, bad_status, bad_body, cut, refused, late, reconnects, bytes, open, most_open;
    struct conn **idle;
    long idle_n, conns;
    char sample[SAMPLE + 1];
};

struct conn {
    struct target *target;
    int fd;
    bool busy, headed, keep_alive, touched, used_before;
    long due, first;
    int status;
    char head[MAX_HEAD];
    size_t head_len;
    enum framing framing;
    enum part part;
    long left; /* bytes of the body, or of the chunk, that are still to come */
    char *text; /* JSON: the body so far; a stream: the unfinished line */
    size_t text_len, text_cap;
    int chunks, ends;
};

static struct {
    const char *path, *body;
    char headers[8192];
    enum expect expect;
    long connections, requests, rate;
    double seconds, grace;
} options = {"/v1/chat/completions", NULL, "", JSON, 64, 0, 0, 5, 10};

static struct target targets[MAX_PORTS];
static int targets_n, epoll_fd, timer_fd = -1;
static long busy_n;

static long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}

static void note(struct times *times, long value) {
    if (times->n == times->cap) {
        times->cap = times->cap ? times->cap * 2 : 4096;
        times->at = realloc(times->at, (size_t)times->cap * sizeof *times->at);
        if (!times->at) abort();
    }
    times->at[times->n++] = value;
}

/* -- connections */

static bool dial(struct conn *c) {
    int one = 1;
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((unsigned short)c->target->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0) return false;
    if (connect(c->fd, (struct sockaddr *)&at, sizeof at)) {
        close(c->fd);
        c->fd = -1;
        return false;
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &e);
    c->used_before = false;
    return true;
}

static void hang_up(struct conn *c) {
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
}

static struct conn *new_conn(struct target *target) {
    struct conn *c = calloc(1, sizeof *c);
    if (!c) abort();
    c->target = target;
    c->fd = -1;
    target->conns++;
    return c;
}

static bool push(struct conn *c) {
    const struct target *target = c->target;
    c->headed = c->touched = false;
    c->head_len = c->text_len = 0;
    c->first = c->left = 0;
    c->status = c->chunks = c->ends = 0;
    if (c->fd < 0 && !dial(c)) return false;
    for (size_t sent = 0; sent < target->request_len;) {
        ssize_t n = send(c->fd, target->request + sent, target->request_len - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        sent += (size_t)n;
    }
    return true;
}

/* Send a request that was due at `due`. False if there is no way to the server. */
static bool start(struct conn *c, long due) {
    c->target->started++;
    c->due = due;
    bool sent = push(c);
    if (!sent && c->used_before) { /* closed by the server while it was idle */
        c->target->reconnects++;
        hang_up(c);
        sent = push(c);
    }
    if (!sent) {
        c->target->refused++;
        hang_up(c);
        return false;
    }
    c->busy = true;
    busy_n++;
    return true;
}

/* -- a reply */

static void keep(struct conn *c, const char *bytes, size_t n) {
    if (c->text_len + n > MAX_TEXT) n = MAX_TEXT - c->text_len;
    if (c->text_len + n + 1 > c->text_cap) {
        c->text_cap = (c->text_len + n + 1) * 2;
        c->text = realloc(c->text, c->text_cap);
        if (!c->text) abort();
    }
    memcpy(c->text + c->text_len, bytes, n);
    c->text_len += n;
}

static void take_line(struct conn *c, const char *line, size_t n, long t) {
    if (options.expect == ANTHROPIC_STREAM && n >= 19 && !memcmp(line, "event: message_stop", 19))
        c->ends++;
    if (n < 6 || memcmp(line, "data:", 5)) return;
    if (options.expect == OPENAI_STREAM && memmem(line, n < 16 ? n : 16, "[DONE]", 6)) c->ends++;
    const char *mark = memchr(line, '~', n);
    if (!mark) return;
    if (!c->first) c->first = t;
    c->chunks++;
    note(&c->target->transit, t - atol(mark + 1));
}

static void take_content(struct conn *c, const char *bytes, size_t n, long t) {
    if (options.expect == JSON || c->status != 200) {
        if (!c->first) c->first = t;
        keep(c, bytes, n);
        return;
    }
    const char *end = bytes + n, *newline;
    while ((newline = memchr(bytes, '\n', (size_t)(end - bytes)))) {
        size_t length = (size_t)(newline - bytes);
        if (c->text_len) {
            keep(c, bytes, length);
            take_line(c, c->text, c->text_len, t);
            c->text_len = 0;
        } else {
            take_line(c, bytes, length, t);
        }
        bytes = newline + 1;
    }
    if (bytes < end) keep(c, bytes, (size_t)(end - bytes));
}

static bool body_is_good(const struct conn *c) {
    if (options.expect != JSON) return c->chunks == CHUNKS && c->ends == 1;
    size_t n = c->text_len;
    while (n && (c->text[n - 1] == '\n' || c->text[n - 1] == ' ')) n--;
    return n > 2 && c->text[0] == '{' && c->text[n - 1] == '}' &&
           (memmem(c->text, n, "\"completion_tokens\"", 19) ||
            memmem(c->text, n, "\"output_tokens\"", 15));
}

static void sample(struct conn *c, const char *what) {
    char *to = c->target->sample;
    if (*to) return;
    int n = snprintf(to, SAMPLE, "%s: status %d, %d chunks, %d ends: ", what, c->status, c->chunks,
                     c->ends);
    for (size_t i = 0; i < c->text_len && n < SAMPLE; i++) {
        unsigned char b = (unsigned char)c->text[i];
        to[n++] = b < ' ' || b > '~' || b == '"' || b == '\\' ? ' ' : (char)b;
    }
    to[n] = 0;
}

static void ended(struct conn *c, bool whole, long t) {
    struct target *target = c->target;
    c->busy = false;
    busy_n--;
    if (c->headed) target->open--;
    if (!whole) {
        target->cut++;
        sample(c, "cut short");
    } else if (c->status != 200) {
        target->bad_status++;
        sample(c, "status");
    } else if (!body_is_good(c)) {
        target->bad_body++;
        sample(c, "body");
    } else {
        target->good++;
        note(&target->whole, t - c->due);
        note(&target->first, c->first - c->due);
    }
    c->used_before = true;
    if (!whole || !c->keep_alive) hang_up(c);
}

static const char *field(const char *head, const char *name) {
    size_t n = strlen(name);
    for (const char *at = strstr(head, "\r\n"); at; at = strstr(at, "\r\n")) {
        at += 2;
        if (!strncasecmp(at, name, n) && at[n] == ':') {
            for (at += n + 1; *at == ' ';) at++;
            return at;
        }
    }
    return NULL;
}

static void take_head(struct conn *c) {
    const char *length = field(c->head, "content-length");
    const char *coding = field(c->head, "transfer-encoding");
    const char *connection = field(c->head, "connection");
    c->status = atoi(c->head + 9);
    c->keep_alive = !connection || strncasecmp(connection, "close", 5) != 0;
    c->framing = coding ? CHUNKED : length ? LENGTH : UNTIL_CLOSE;
    c->left = length && !coding ? atol(length) : 0;
    c->part = SIZE;
    if (c->framing == LENGTH && !c->left) c->framing = NO_BODY;
    c->headed = true;
    if (++c->target->open > c->target->most_open) c->target->most_open = c->target->open;
}

/* Bytes of a chunked body. True when it has ended. `head` collects the lines of its framing. */
static bool take_chunked(struct conn *c, const char *at, const char *end, long t) {
    while (at < end) {
        if (c->part == DATA) {
            long n = end - at < c->left ? end - at : c->left;
            take_content(c, at, (size_t)n, t);
            at += n;
            if ((c->left -= n) == 0) c->part = DATA_END;
            continue;
        }
        char b = *at++;
        if (b != '\n') {
            if (b != '\r' && c->head_len < 32) c->head[c->head_len++] = b;
            continue;
        }
        c->head[c->head_len] = 0;
        bool empty = c->head_len == 0;
        c->head_len = 0;
        if (c->part == TRAILER && empty) return true;
        if (c->part == DATA_END) c->part = SIZE;
        else if (c->part == SIZE) {
            c->left = strtol(c->head, NULL, 16);
            c->part = c->left ? DATA : TRAILER;
        }
    }
    return false;
}

/* Bytes from the server. True when the reply has ended. */
static bool take(struct conn *c, const char *bytes, size_t n, long t) {
    c->target->bytes += (long)n;
    c->touched = true;
    if (!c->headed) {
        size_t room = MAX_HEAD - 1 - c->head_len, held = c->head_len;
        size_t copied = n < room ? n : room;
        memcpy(c->head + held, bytes, copied);
        c->head_len += copied;
        c->head[c->head_len] = 0;
        char *end = strstr(c->head, "\r\n\r\n");
        if (!end) return false;
        size_t head = (size_t)(end - c->head) + 4;
        end[2] = 0;
        take_head(c);
        c->head_len = 0;
        bytes += head - held;
        n -= head - held;
    }
    switch (c->framing) {
    case NO_BODY:
        return true;
    case CHUNKED:
        return take_chunked(c, bytes, bytes + n, t);
    case LENGTH:
        take_content(c, bytes, n, t);
        return (c->left -= (long)n) <= 0;
    case UNTIL_CLOSE:
        take_content(c, bytes, n, t);
    }
    return false;
}

/* Read what has come. True when the connection is free for another request. */
static bool read_some(struct conn *c) {
    static char buffer[1 << 18];
    ssize_t n = recv(c->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    long t = now();
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (n > 0) {
        if (!c->busy || !take(c, buffer, (size_t)n, t)) return false;
        ended(c, true, t);
        return true;
    }
    if (!c->busy) {
        hang_up(c);
        return false;
    }
    if (!c->touched && c->used_before) { /* closed by the server while it was idle */
        c->target->reconnects++;
        hang_up(c);
        if (push(c)) return false;
    }
    ended(c, c->headed && c->framing == UNTIL_CLOSE, t);
    hang_up(c);
    return true;
}

static int wait_for(struct epoll_event *events, int n, int ms) {
    int got = epoll_wait(epoll_fd, events, n, ms);
    return got < 0 ? 0 : got;
}

static bool may_start(const struct target *target) {
    return !options.requests || target->started < options.requests;
}

/* -- the loops */

static double closed_loop(struct target *target) {
    struct epoll_event events[512];
    long began = now(), until = began + (long)(options.seconds * SECOND);
    long limit = until + (long)(options.grace * SECOND);
    for (long i = 0; i < options.connections && may_start(target); i++)
        start(new_conn(target), now());
    while (busy_n && now() < limit) {
        int n = wait_for(events, 512, 100);
        for (int i = 0; i < n; i++) {
            struct conn *c = events[i].data.ptr;
            long t;
            if (read_some(c) && (t = now()) < until && may_start(target)) start(c, t);
        }
    }
    return (double)(now() - began) / SECOND;
}

static void set_timer(long at) {
    struct itimerspec when = {.it_value = {at / SECOND, at % SECOND}};
    timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static struct conn *free_conn(struct target *target) {
    if (target->idle_n) return target->idle[--target->idle_n];
    return target->conns < options.connections ? new_conn(target) : NULL;
}

static double open_loop(void) {
    struct epoll_event events[512];
    timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, timer_fd, &e);
    for (int i = 0; i < targets_n; i++) {
        targets[i].idle = calloc((size_t)options.connections, sizeof(struct conn *));
        if (!targets[i].idle) abort();
    }
    long interval = SECOND / (options.rate * targets_n), began = now(), due = began;
    long until = began + (long)(options.seconds * SECOND);
    long limit = until + (long)(options.grace * SECOND), turn = 0;
    while ((due < until || busy_n) && now() < limit) {
        while (due < until && due <= now()) {
            struct target *target = &targets[turn++ % targets_n];
            struct conn *c = free_conn(target);
            if (!c) target->late++; /* as good as lost: nothing was free to send it */
            else if (!start(c, due)) target->idle[target->idle_n++] = c;
            due += interval;
        }
        if (due < until) set_timer(due);
        int n = wait_for(events, 512, due < until ? -1 : 100);
        for (int i = 0; i < n; i++) {
            struct conn *c = events[i].data.ptr;
            char expired[8];
            if (!c) {
                if (read(timer_fd, expired, sizeof expired) < 0) continue;
            } else if (read_some(c)) {
                c->target->idle[c->target->idle_n++] = c;
            }
        }
    }
    return (double)(now() - began) / SECOND;
}

/* -- what came of it */

static int by_size(const void *a, const void *b) {
    long x = *(const long *)a, y = *(const long *)b;
    return (x > y) - (x < y);
}

static void tell_times(const char *name, struct times *times) {
    static const struct { const char *name; double share; } points[] = {
        {"p50", .5}, {"p90", .9}, {"p99", .99}, {"p999", .999}, {"max", 1}};
    qsort(times->at, (size_t)times->n, sizeof *times->at, by_size);
    printf(",\"%s\":{\"n\":%ld", name, times->n);
    for (size_t i = 0; i < 5 && times->n; i++) {
        long at = (long)(points[i].share * (double)(times->n - 1) + .5);
        printf(",\"%s\":%.1f", points[i].name, (double)times->at[at] / 1000);
    }
    printf("}");
}

static void tell(struct target *t, double seconds) {
    long unfinished = t->started - t->good - t->bad_status - t->bad_body - t->cut - t->refused;
    printf("{\"port\":%d,\"seconds\":%.4f,\"started\":%ld,\"good\":%ld,\"errors\":%ld,"
           "\"bad_status\":%ld,\"bad_body\":%ld,\"cut\":%ld,\"refused\":%ld,\"late\":%ld,"
           "\"unfinished\":%ld,\"reconnects\":%ld,\"bytes\":%ld,\"most_open\":%ld,"
           "\"requests_s\":%.1f,\"chunks\":%ld,\"chunks_s\":%.1f",
           t->port, seconds, t->started, t->good, t->started - t->good + t->late, t->bad_status,
           t->bad_body, t->cut, t->refused, t->late, unfinished, t->reconnects, t->bytes,
           t->most_open, (double)t->good / seconds, t->transit.n, (double)t->transit.n / seconds);
    tell_times("latency_us", &t->whole);
    tell_times("first_us", &t->first);
    tell_times("transit_us", &t->transit);
    printf(",\"sample\":\"%s\"}", t->sample);
}

static char *read_file(const char *path, size_t *n) {
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(2);
    }
    char *bytes = malloc(MAX_TEXT);
    if (!bytes) abort();
    *n = fread(bytes, 1, MAX_TEXT, file);
    fclose(file);
    return bytes;
}

static void prepare(struct target *target, int port, const char *body, size_t body_len) {
    target->port = port;
    target->request = malloc(body_len + sizeof options.headers + 1024);
    if (!target->request) abort();
    int n = sprintf(target->request,
                    "POST %.400s HTTP/1.1\r\nhost: 127.0.0.1:%d\r\ncontent-type: application/json"
                    "\r\n%scontent-length: %zu\r\n\r\n",
                    options.path, port, options.headers, body_len);
    memcpy(target->request + n, body, body_len);
    target->request_len = (size_t)n + body_len;
}

static void usage(void) {
    fprintf(stderr, "usage: load --body FILE [options] PORT [PORT...]; see load.c\n");
    exit(2);
}

static enum expect kind(const char *name) {
    if (!strcmp(name, "json")) return JSON;
    if (!strcmp(name, "openai")) return OPENAI_STREAM;
    if (!strcmp(name, "anthropic")) return ANTHROPIC_STREAM;
    usage();
    return JSON;
}

static void read_options(int argc, char **argv) {
    static const struct option names[] = {
        {"path", 1, 0, 'p'},     {"body", 1, 0, 'b'},    {"header", 1, 0, 'h'},
        {"expect", 1, 0, 'e'},   {"connections", 1, 0, 'c'}, {"seconds", 1, 0, 'd'},
        {"requests", 1, 0, 'n'}, {"rate", 1, 0, 'r'},    {"grace", 1, 0, 'g'}, {0}};
    for (int o; (o = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (o == 'p') options.path = optarg;
        else if (o == 'b') options.body = optarg;
        else if (o == 'e') options.expect = kind(optarg);
        else if (o == 'c') options.connections = atol(optarg);
        else if (o == 'd') options.seconds = atof(optarg);
        else if (o == 'n') options.requests = atol(optarg);
        else if (o == 'r') options.rate = atol(optarg);
        else if (o == 'g') options.grace = atof(optarg);
        else if (o == 'h') {
            size_t n = strlen(options.headers);
            if (n + strlen(optarg) + 3 > sizeof options.headers) usage();
            sprintf(options.headers + n, "%s\r\n", optarg);
        } else usage();
    }
    if (!options.body || optind == argc || argc - optind > MAX_PORTS) usage();
}

int main(int argc, char **argv) {
    read_options(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    size_t body_len;
    char *body = read_file(options.body, &body_len);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (int i = optind; i < argc; i++) prepare(&targets[targets_n++], atoi(argv[i]), body, body_len);
    double together = options.rate ? open_loop() : 0;
    printf("[");
    for (int i = 0; i < targets_n; i++) {
        busy_n = options.rate ? busy_n : 0;
        if (i) printf(",");
        tell(&targets[i], options.rate ? together : closed_loop(&targets[i]));
    }
    printf("]\n");
    return 0;
}
