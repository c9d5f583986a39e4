/* A provider that costs next to nothing: OpenAI chat completions and Anthropic messages, from one
 * epoll loop on loopback.
 *
 *     upstream PORT
 *
 * A call gets a fixed reply of about 600 bytes; with "stream": true in its body, 64 content chunks
 * in the events of its dialect, each in a send of its own and marked ~nanoseconds~ with the time
 * (CLOCK_MONOTONIC) at which it was sent. The model's name sets the pace:
 *
 *     ...slow...    10 ms between chunks
 *     ...crawl...  250 ms between chunks
 *     ...hold...   200 ms before the reply
 *
 * A request counts only when every byte that its content-length promises has come: one that is cut
 * short is counted as truncated, one of no length gets 411. GET /stats tells the counts.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNKS 64
#define MAX_FDS 65536
#define MAX_HEAD (64 << 10)
#define MAX_BODY (64L << 20)
#define MAX_UNSENT (64 << 10) /* a paced stream that nobody reads skips its turn beyond this */
#define MS 1000000L
#define SMALL 1024

enum dialect { OPENAI, ANTHROPIC };

struct ask { /* what the body says */
    bool stream, include_usage;
    long pace, hold; /* nanoseconds */
};

struct conn {
    int fd;
    char *in, *out;
    size_t in_len, in_cap, out_from, out_len, out_cap;
    enum dialect dialect;
    struct ask ask;
    bool answering, writable_wanted, close_after;
    int step; /* the next event of the stream */
    struct queue *queue;
    struct conn *before, *after;
    long due;
};

struct queue { /* connections that wait equally long, so the first in is the first due */
    long delay;
    struct conn *first, *last;
};

static struct queue queues[] = {{10 * MS, 0, 0}, {250 * MS, 0, 0}, {200 * MS, 0, 0}};
static struct queue *const SLOW = &queues[0], *const CRAWL = &queues[1], *const HOLD = &queues[2];
static struct conn *conns[MAX_FDS];
static int epoll_fd;
static struct {
    long requests, streams, truncated, refused, abandoned, open;
} stats;

static long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000L + t.tv_nsec;
}

/* -- waiting for a turn */

static void enqueue(struct conn *c, struct queue *q) {
    c->queue = q;
    c->due = now() + q->delay;
    c->after = NULL;
    c->before = q->last;
    if (q->last) q->last->after = c; else q->first = c;
    q->last = c;
}

static void dequeue(struct conn *c) {
    struct queue *q = c->queue;
    if (!q) return;
    if (c->before) c->before->after = c->after; else q->first = c->after;
    if (c->after) c->after->before = c->before; else q->last = c->before;
    c->queue = NULL;
}

/* -- a connection's bytes out */

static void drop(struct conn *c) {
    if (c->answering && c->ask.stream) stats.abandoned++;
    else if (!c->answering && c->in_len) stats.truncated++;
    dequeue(c);
    conns[c->fd] = NULL;
    close(c->fd);
    free(c->in);
    free(c->out);
    free(c);
    stats.open--;
}

static void watch(struct conn *c, bool writable) {
    if (c->writable_wanted == writable) return;
    c->writable_wanted = writable;
    struct epoll_event e = {.events = EPOLLIN | (writable ? EPOLLOUT : 0), .data.fd = c->fd};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
}

/* Send what there is to send. False if the connection is gone. */
static bool flush(struct conn *c) {
    while (c->out_from < c->out_len) {
        ssize_t n = send(c->fd, c->out + c->out_from, c->out_len - c->out_from, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno == EINTR) continue;
            if (errno == EAGAIN) {
                watch(c, true);
                return true;
            }
            drop(c);
            return false;
        }
        c->out_from += (size_t)n;
    }
    c->out_from = c->out_len = 0;
    watch(c, false);
    if (c->close_after && !c->answering) {
        c->in_len = 0;
        drop(c);
        return false;
    }
    return true;
}

static size_t unsent(const struct conn *c) { return c->out_len - c->out_from; }

static void put(struct conn *c, const char *bytes, size_t n) {
    if (c->out_len + n > c->out_cap) {
        c->out_cap = (c->out_len + n) * 2;
        c->out = realloc(c->out, c->out_cap);
        if (!c->out) abort();
    }
    memcpy(c->out + c->out_len, bytes, n);
    c->out_len += n;
}

static void put_reply(struct conn *c, const char *status, const char *body) {
    char head[256];
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 %s\r\ncontent-type: application/json\r\nx-request-id: req_bench\r\n"
                     "content-length: %zu\r\n%s\r\n",
                     status, strlen(body), c->close_after ? "connection: close\r\n" : "");
    put(c, head, (size_t)n);
    put(c, body, strlen(body));
}

/* -- what is said */

#define TEXT "A ledger keeps what was promised: each call is written down before it is made, and " \
             "again when it has ended, so that nothing is lost and nothing is counted twice."

static const char *const REPLIES[] = {
    [OPENAI] = "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion\",\"created\":1764000000,"
               "\"model\":\"bench-1\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
               "\"content\":\"" TEXT "\",\"refusal\":null},\"logprobs\":null,"
               "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":210,"
               "\"completion_tokens\":34,\"total_tokens\":244,\"prompt_tokens_details\":"
               "{\"cached_tokens\":0,\"audio_tokens\":0},\"completion_tokens_details\":"
               "{\"reasoning_tokens\":0,\"audio_tokens\":0}},\"system_fingerprint\":\"fp_bench\"}",
    [ANTHROPIC] = "{\"id\":\"msg_bench\",\"type\":\"message\",\"role\":\"assistant\","
                  "\"model\":\"bench-1\",\"content\":[{\"type\":\"text\",\"text\":\"" TEXT "\"}],"
                  "\"stop_reason\":\"end_turn\",\"stop_sequence\":null,\"usage\":{"
                  "\"input_tokens\":210,\"cache_creation_input_tokens\":0,"
                  "\"cache_read_input_tokens\":0,\"output_tokens\":34}}",
};

#define OPENAI_CHUNK "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\"," \
                     "\"created\":1764000000,\"model\":\"bench-1\"," \
                     "\"system_fingerprint\":\"fp_bench\",\"choices\":["

/* The events of an OpenAI stream; 0 when there are no more. */
static int openai_event(char *to, int step, bool usage) {
    const char *unused = usage ? ",\"usage\":null" : "";
    if (step == 0)
        return snprintf(to, SMALL, OPENAI_CHUNK "{\"index\":0,\"delta\":{\"role\":\"assistant\","
                        "\"content\":\"\",\"refusal\":null},\"logprobs\":null,"
                        "\"finish_reason\":null}]%s}\n\n", unused);
    if (step <= CHUNKS)
        return snprintf(to, SMALL, OPENAI_CHUNK "{\"index\":0,\"delta\":{\"content\":\" ~%ld~\"},"
                        "\"logprobs\":null,\"finish_reason\":null}]%s}\n\n", now(), unused);
    if (step == CHUNKS + 1)
        return snprintf(to, SMALL, OPENAI_CHUNK "{\"index\":0,\"delta\":{},\"logprobs\":null,"
                        "\"finish_reason\":\"stop\"}]%s}\n\n", unused);
    if (step == CHUNKS + 2 && usage)
        return snprintf(to, SMALL, OPENAI_CHUNK "],\"usage\":{\"prompt_tokens\":210,"
                        "\"completion_tokens\":64,\"total_tokens\":274}}\n\n");
    if (step == CHUNKS + 2 + usage) return snprintf(to, SMALL, "data: [DONE]\n\n");
    return 0;
}

#define EVENT(name, rest) "event: " name "\ndata: {\"type\":\"" name "\"" rest "}\n\n"

/* The events of an Anthropic stream; 0 when there are no more. */
static int anthropic_event(char *to, int step) {
    if (step == 0)
        return snprintf(to, SMALL, EVENT("message_start",
                        ",\"message\":{\"id\":\"msg_bench\",\"type\":\"message\",\"role\":"
                        "\"assistant\",\"model\":\"bench-1\",\"content\":[],\"stop_reason\":null,"
                        "\"stop_sequence\":null,\"usage\":{\"input_tokens\":210,"
                        "\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,"
                        "\"output_tokens\":1}}")
                        EVENT("content_block_start", ",\"index\":0,\"content_block\":{\"type\":"
                              "\"text\",\"text\":\"\"}"));
    if (step <= CHUNKS)
        return snprintf(to, SMALL, EVENT("content_block_delta", ",\"index\":0,\"delta\":{\"type\":"
                        "\"text_delta\",\"text\":\" ~%ld~\"}"), now());
    if (step == CHUNKS + 1)
        return snprintf(to, SMALL, EVENT("content_block_stop", ",\"index\":0")
                        EVENT("message_delta", ",\"delta\":{\"stop_reason\":\"end_turn\","
                              "\"stop_sequence\":null},\"usage\":{\"output_tokens\":64}")
                        EVENT("message_stop", ""));
    return 0;
}

/* Put the stream's next event, framed as an HTTP chunk. False when it has ended. */
static bool put_event(struct conn *c) {
    char event[SMALL], size[16];
    int n = c->dialect == OPENAI ? openai_event(event, c->step, c->ask.include_usage)
                                 : anthropic_event(event, c->step);
    c->step++;
    if (n == 0) {
        put(c, "0\r\n\r\n", 5);
        return false;
    }
    put(c, size, (size_t)snprintf(size, sizeof size, "%x\r\n", (unsigned)n));
    put(c, event, (size_t)n);
    put(c, "\r\n", 2);
    return true;
}

static bool serve(struct conn *c);

/* Unpaced: events follow each other as fast as the socket takes them, each in a send of its own. */
static bool pour(struct conn *c) {
    bool more = true;
    while (more && !unsent(c)) {
        more = put_event(c);
        if (!more) c->answering = false;
        if (!flush(c)) return false;
    }
    return more || serve(c);
}

static void take_turn(struct conn *c) {
    struct queue *q = c->queue;
    dequeue(c);
    if (q == HOLD) {
        put_reply(c, "200 OK", REPLIES[c->dialect]);
        c->answering = false;
        if (flush(c)) serve(c);
    } else if (unsent(c) > MAX_UNSENT) {
        enqueue(c, q);
    } else if (put_event(c)) {
        if (flush(c)) enqueue(c, q);
    } else {
        c->answering = false;
        if (flush(c)) serve(c);
    }
}

static bool answer(struct conn *c) {
    stats.requests++;
    if (!c->ask.stream) {
        if (c->ask.hold) {
            c->answering = true;
            enqueue(c, HOLD);
            return true;
        }
        put_reply(c, "200 OK", REPLIES[c->dialect]);
        return flush(c);
    }
    static const char head[] = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8"
                               "\r\ncache-control: no-cache\r\nx-request-id: req_bench\r\n"
                               "transfer-encoding: chunked\r\n\r\n";
    stats.streams++;
    c->answering = true;
    c->step = 0;
    put(c, head, sizeof head - 1);
    if (c->ask.pace) put_event(c);
    if (!flush(c)) return false;
    if (!c->ask.pace) return pour(c);
    enqueue(c, c->ask.pace == CRAWL->delay ? CRAWL : SLOW);
    return true;
}

/* -- what is asked */

static const char *past_string(const char *at, const char *end) { /* `at` is behind the quote */
    while (at < end && *at != '"') at += *at == '\\' ? 2 : 1;
    return at < end ? at + 1 : end;
}

static bool is_true(const char *at, const char *end) {
    while (at < end && (*at == ' ' || *at == ':')) at++;
    return end - at >= 4 && !memcmp(at, "true", 4);
}

static void read_model(struct ask *ask, const char *at, const char *end) {
    while (at < end && *at != '"') at++;
    size_t n = at < end ? (size_t)(past_string(at + 1, end) - at) : 0;
    if (memmem(at, n, "slow", 4)) ask->pace = SLOW->delay;
    if (memmem(at, n, "crawl", 5)) ask->pace = CRAWL->delay;
    if (memmem(at, n, "hold", 4)) ask->hold = HOLD->delay;
}

/* Keys of the outermost object and of stream_options count, text that looks like them does not. */
static struct ask read_ask(const char *at, const char *end) {
    struct ask ask = {0};
    int depth = 0;
    while (at < end) {
        char c = *at++;
        if (c == '{' || c == '[') depth++;
        else if (c == '}' || c == ']') depth--;
        else if (c == '"') {
            const char *key = at;
            at = past_string(at, end);
            size_t n = (size_t)(at - key) - 1;
            if (depth > 2 || at >= end || (*at != ':' && *at != ' ')) continue;
            if (depth == 1 && n == 5 && !memcmp(key, "model", 5)) read_model(&ask, at, end);
            if (depth == 1 && n == 6 && !memcmp(key, "stream", 6)) ask.stream = is_true(at, end);
            if (depth == 2 && n == 13 && !memcmp(key, "include_usage", 13))
                ask.include_usage = is_true(at, end);
        }
    }
    return ask;
}

static bool refuse(struct conn *c, const char *status) {
    stats.refused++;
    c->close_after = true;
    c->in_len = 0;
    put_reply(c, status, "{\"error\":{\"message\":\"The bench's upstream cannot read this.\","
                         "\"type\":\"invalid_request_error\",\"param\":null,\"code\":null}}");
    return flush(c);
}

static bool tell_stats(struct conn *c) {
    char body[256];
    snprintf(body, sizeof body,
             "{\"requests\":%ld,\"streams\":%ld,\"truncated\":%ld,\"refused\":%ld,"
             "\"abandoned\":%ld,\"open\":%ld}",
             stats.requests, stats.streams, stats.truncated, stats.refused, stats.abandoned,
             stats.open);
    put_reply(c, "200 OK", body);
    return flush(c);
}

/* Value of a header within `head` (which ends in a NUL), or NULL. */
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

static bool ends_with(const char *text, size_t n, const char *end) {
    size_t m = strlen(end);
    return n >= m && !memcmp(text + n - m, end, m);
}

/* Answer the requests that are whole, one after the other. False if the connection is gone. */
static bool serve(struct conn *c) {
    while (c->in_len && !c->answering) {
        char *end = memmem(c->in, c->in_len, "\r\n\r\n", 4);
        if (!end) return c->in_len < MAX_HEAD || refuse(c, "431 Request Header Fields Too Large");
        *end = 0;
        size_t head = (size_t)(end - c->in) + 4;
        const char *length_field = field(c->in, "content-length");
        const char *connection = field(c->in, "connection");
        bool get = !strncmp(c->in, "GET ", 4);
        long length = length_field ? atol(length_field) : get ? 0 : -1;
        if (length < 0) return refuse(c, "411 Length Required");
        if (length > MAX_BODY) return refuse(c, "413 Content Too Large");
        if (c->in_len < head + (size_t)length) {
            *end = '\r'; /* the head is looked at again when the rest has come */
            return true;
        }
        c->close_after = connection && !strncasecmp(connection, "close", 5);
        const char *path = strchr(c->in, ' ');
        size_t path_len = path ? strcspn(++path, " ?") : 0;
        bool openai = path && ends_with(path, path_len, "/chat/completions");
        bool anthropic = path && ends_with(path, path_len, "/messages");
        bool about = get && path && ends_with(path, path_len, "/stats");
        if (!openai && !anthropic && !about) return refuse(c, "404 Not Found");
        c->dialect = anthropic ? ANTHROPIC : OPENAI;
        const char *body = c->in + head;
        c->ask = read_ask(body, body + length);
        size_t whole = head + (size_t)length;
        memmove(c->in, c->in + whole, c->in_len - whole);
        c->in_len -= whole;
        if (!(about ? tell_stats(c) : answer(c))) return false;
    }
    return true;
}

/* -- the loop */

static void admit(int listener) {
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), one = 1;
        if (fd < 0) return;
        if (fd >= MAX_FDS) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct conn *c = calloc(1, sizeof *c);
        if (!c) abort();
        c->fd = fd;
        conns[fd] = c;
        stats.open++;
        struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e);
    }
}

static void take_in(struct conn *c) {
    if (c->in_cap - c->in_len < 4096) {
        c->in_cap = c->in_cap ? c->in_cap * 2 : 8192;
        c->in = realloc(c->in, c->in_cap);
        if (!c->in) abort();
    }
    ssize_t n = recv(c->fd, c->in + c->in_len, c->in_cap - c->in_len, 0);
    if (n > 0) {
        c->in_len += (size_t)n;
        serve(c);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        drop(c);
    }
}

static void ready(int fd, unsigned events) {
    struct conn *c = conns[fd];
    if (c && events & EPOLLOUT) {
        if (!flush(c)) return;
        if (c->answering && c->ask.stream && !c->ask.pace && !unsent(c) && !pour(c)) return;
    }
    if (c && events & (EPOLLIN | EPOLLHUP | EPOLLERR)) take_in(c);
}

static void all_turns(void) {
    long t = now();
    for (size_t i = 0; i < sizeof queues / sizeof *queues; i++)
        while (queues[i].first && queues[i].first->due <= t) take_turn(queues[i].first);
}

static int until_next_turn(void) { /* milliseconds, rounded up; -1 when nobody waits */
    long least = -1;
    for (size_t i = 0; i < sizeof queues / sizeof *queues; i++)
        if (queues[i].first && (least < 0 || queues[i].first->due < least))
            least = queues[i].first->due;
    if (least < 0) return -1;
    long wait = least - now();
    return wait <= 0 ? 0 : (int)((wait + MS - 1) / MS);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: upstream PORT\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((unsigned short)atoi(argv[1])),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 4096)) {
        perror("upstream");
        return 1;
    }
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event e = {.events = EPOLLIN, .data.fd = listener}, events[512];
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &e);
    for (;;) {
        int n = epoll_wait(epoll_fd, events, 512, until_next_turn());
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == listener) admit(listener);
            else ready(events[i].data.fd, events[i].events);
        }
        all_turns();
    }
}
