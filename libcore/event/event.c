#include "event/event.h"

#include "base/file.h"
#include "base/reserve.h"
#include "event/crc32c.h"
#include "io/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PREFIX_OF_NAMES "events.out.tfevents."

/* ---- bytes ----------------------------------------------------------------------------- */
static int add(struct event_bytes *b, const void *p, size_t n, struct err *e)
{
    const int rc = reserve(&b->p, &b->cap, b->n + n, 1, e);

    if (rc < 0)
        return rc;
    memcpy(b->p + b->n, p, n);
    b->n += n;
    return 0;
}

/* The low n bytes of v, the lowest first. */
static void little(unsigned char *out, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (unsigned char)(v >> 8 * i);
}

static uint64_t number_of(const unsigned char *p, size_t n)
{
    uint64_t v = 0;

    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

/* ---- protobuf: a key is the field's number and its wire type ----------------------------- */
enum wire { VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5 };
enum { VARINT_MAX = 10 };

static size_t varint(unsigned char *out, uint64_t v)
{
    size_t n = 0;

    for (; v > 127; v >>= 7)
        out[n++] = (unsigned char)(v | 128);
    out[n++] = (unsigned char)v;
    return n;
}

static int add_number(struct event_bytes *b, unsigned field, uint64_t v, struct err *e)
{
    unsigned char s[1 + VARINT_MAX] = {(unsigned char)(field << 3 | VARINT)};

    return add(b, s, 1 + varint(s + 1, v), e);
}

/* A number of n bytes, the lowest first. */
static int add_fixed(struct event_bytes *b, unsigned field, unsigned wire,
                     uint64_t bits, size_t n, struct err *e)
{
    unsigned char s[9] = {(unsigned char)(field << 3 | wire)};

    little(s + 1, bits, n);
    return add(b, s, 1 + n, e);
}

static int add_double(struct event_bytes *b, unsigned field, double x, struct err *e)
{
    uint64_t bits;

    memcpy(&bits, &x, sizeof bits);
    return add_fixed(b, field, FIXED64, bits, 8, e);
}

static int add_float(struct event_bytes *b, unsigned field, float x, struct err *e)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    return add_fixed(b, field, FIXED32, bits, 4, e);
}

/* Key and length of n bytes that the caller adds. */
static int add_head(struct event_bytes *b, unsigned field, size_t n, struct err *e)
{
    unsigned char s[1 + VARINT_MAX] = {(unsigned char)(field << 3 | LENGTH)};

    return add(b, s, 1 + varint(s + 1, n), e);
}

static int add_bytes(struct event_bytes *b, unsigned field, const void *p, size_t n,
                     struct err *e)
{
    const int rc = add_head(b, field, n, e);

    return rc < 0 ? rc : add(b, p, n, e);
}

/* ---- events ---------------------------------------------------------------------------- */
enum { FRAME_HEAD = 12, FRAME_TAIL = 4 };
enum { EVENT_TIME = 1, EVENT_STEP, EVENT_VERSION, EVENT_SUMMARY = 5, EVENT_LOG = 7 };
enum { SUMMARY_VALUE = 1, VALUE_TAG = 1, VALUE_SIMPLE, LOG_STATUS = 1, LOG_START = 1 };

/* Room for the frame's head, then the event's own fields. */
static int begin(struct event_file *w, uint64_t step, struct err *e)
{
    static const unsigned char head[FRAME_HEAD];
    struct timespec now;
    int rc;

    clock_gettime(CLOCK_REALTIME, &now);
    w->frame.n = 0;
    if ((rc = add(&w->frame, head, sizeof head, e)) < 0 ||
        (rc = add_double(&w->frame, EVENT_TIME,
                         (double)now.tv_sec + 1e-9 * (double)now.tv_nsec, e)) < 0)
        return rc;
    return step ? add_number(&w->frame, EVENT_STEP, step, e) : 0;
}

static int end(struct event_file *w, struct err *e)
{
    struct event_bytes *b = &w->frame;
    const size_t n = b->n - FRAME_HEAD;
    unsigned char crc[FRAME_TAIL];

    little(b->p, n, 8);
    little(b->p + 8, crc32c_masked(b->p, 8), 4);
    little(crc, crc32c_masked(b->p + FRAME_HEAD, n), 4);
    const int rc = add(b, crc, sizeof crc, e);
    return rc < 0 ? rc : file_write_all(w->fd, b->p, b->n, w->path, e);
}

int event_scalar(struct event_file *w, const char *tag, size_t n, double x,
                 struct err *e)
{
    unsigned char size[VARINT_MAX];
    struct event_bytes *b = &w->summary;
    int rc;

    if ((rc = add_head(b, SUMMARY_VALUE, 1 + varint(size, n) + n + 5, e)) < 0 ||
        (rc = add_bytes(b, VALUE_TAG, tag, n, e)) < 0)
        return rc;
    return add_float(b, VALUE_SIMPLE, (float)x, e);
}

int event_send(struct event_file *w, uint64_t step, struct err *e)
{
    int rc;

    if (w->summary.n == 0)
        return 0;
    if ((rc = begin(w, step, e)) >= 0 &&
        (rc = add_bytes(&w->frame, EVENT_SUMMARY, w->summary.p, w->summary.n, e)) >= 0)
        rc = end(w, e);
    w->summary.n = 0;
    return rc;
}

static int send_version(struct event_file *w, struct err *e)
{
    static const char version[] = "brain.Event:2";
    int rc;

    if ((rc = begin(w, 0, e)) < 0 ||
        (rc = add_bytes(&w->frame, EVENT_VERSION, version, sizeof version - 1, e)) < 0)
        return rc;
    return end(w, e);
}

static int send_start(struct event_file *w, uint64_t first, struct err *e)
{
    static const unsigned char start[] = {LOG_STATUS << 3 | VARINT, LOG_START};
    int rc;

    if ((rc = begin(w, first, e)) < 0 ||
        (rc = add_bytes(&w->frame, EVENT_LOG, start, sizeof start, e)) < 0)
        return rc;
    return end(w, e);
}

/* ---- files ----------------------------------------------------------------------------- */
static int make_dirs(const char *dir, struct err *e)
{
    char *path = strdup(dir);
    struct stat st;

    if (!path)
        return err_set(e, ERR_NOMEM, "no memory");
    for (char *s = path + 1; *path && *s; s++)
        if (*s == '/') {
            *s = 0;
            mkdir(path, 0777); /* the last says what is wrong */
            *s = '/';
        }
    const int failed = mkdir(path, 0777) < 0 && errno != EEXIST;
    const int why = errno;
    free(path);
    if (failed)
        return err_set(e, ERR_IO, "%s: cannot be made: %s", dir, strerror(why));
    if (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode))
        return err_set(e, ERR_FILE, "%s: not a directory", dir);
    return 0;
}

enum { SECONDS_DIGITS = 10 }; /* names sort as their seconds do */
#define SUFFIX ".cagsr"       /* of files that are ours to go on with */

/* The event file that sorts last: where readers wait for more. */
struct newest {
    char name[NAME_MAX + 1];
    long long seconds;
};

static int look_at(void *ctx, const char *name, struct err *e)
{
    const size_t n = sizeof PREFIX_OF_NAMES - 1;
    struct newest *x = ctx;
    char *rest;

    (void)e;
    if (strncmp(name, PREFIX_OF_NAMES, n) != 0 || strcmp(name, x->name) <= 0 ||
        strlen(name) >= sizeof x->name)
        return 0;
    const long long seconds = strtoll(name + n, &rest, 10);
    if (rest != name + n + SECONDS_DIGITS)
        return 0;
    x->seconds = seconds;
    memcpy(x->name, name, strlen(name) + 1);
    return 0;
}

/* 1 if all of a file is whole frames; one that was cut is of no use behind the cut. */
static int is_whole(const char *path)
{
    struct file_map m = {0};
    struct err unsaid = {0};
    size_t at = 0;

    if (file_map_open(&m, path, &unsaid) < 0)
        return 0;
    while (m.size - at >= FRAME_HEAD + FRAME_TAIL) {
        const unsigned char *p = (const unsigned char *)m.data + at;
        const uint64_t n = number_of(p, 8);

        if (number_of(p + 8, 4) != crc32c_masked(p, 8) ||
            n > m.size - at - FRAME_HEAD - FRAME_TAIL)
            break;
        at += FRAME_HEAD + (size_t)n + FRAME_TAIL;
    }
    const int whole = at > 0 && at == m.size;
    file_map_close(&m);
    return whole;
}

/* The newest file, if it is ours, whole, and nobody else writes it: 1. */
static int go_on(struct event_file *w, const char *dir, const struct newest *x)
{
    const size_t n = strlen(x->name), suffix = sizeof SUFFIX - 1;

    if (n <= suffix || strcmp(x->name + n - suffix, SUFFIX) != 0 ||
        !(w->path = file_join(dir, x->name)))
        return 0;
    w->fd = open(w->path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (w->fd >= 0 && flock(w->fd, LOCK_EX | LOCK_NB) == 0 && is_whole(w->path))
        return 1;
    if (w->fd >= 0)
        close(w->fd);
    free(w->path);
    *w = (struct event_file){.fd = -1};
    return 0;
}

static int make_file(struct event_file *w, const char *dir, long long seconds,
                     struct err *e)
{
    char host[HOST_NAME_MAX + 1] = "host";
    const size_t size =
        strlen(dir) + sizeof PREFIX_OF_NAMES + sizeof host + sizeof SUFFIX + 64;

    gethostname(host, sizeof host - 1);
    w->path = malloc(size);
    if (!w->path)
        return err_set(e, ERR_NOMEM, "no memory");
    snprintf(w->path, size, "%s/" PREFIX_OF_NAMES "%0*lld.%s.%ld.0" SUFFIX, dir,
             SECONDS_DIGITS, seconds, host, (long)getpid());
    w->fd = open(w->path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
    if (w->fd < 0)
        return err_set(e, ERR_IO, "%s: %s", w->path, strerror(errno));
    flock(w->fd, LOCK_EX | LOCK_NB); /* where there are no locks, there is one writer */
    return send_version(w, e);
}

int event_open(struct event_file *w, const char *dir, uint64_t first, struct err *e)
{
    struct newest last = {.seconds = -1};
    int rc;

    *w = (struct event_file){.fd = -1};
    if ((rc = make_dirs(dir, e)) < 0 || (rc = tree_list(dir, look_at, &last, e)) < 0)
        return rc;
    const long long now = (long long)time(NULL);
    if (!go_on(w, dir, &last) &&
        (rc = make_file(w, dir, now > last.seconds ? now : last.seconds + 1, e)) < 0)
        return rc;
    return send_start(w, first, e);
}

int event_close(struct event_file *w, int rc, struct err *e)
{
    if (w->fd >= 0 && close(w->fd) < 0 && rc >= 0)
        rc = err_set(e, ERR_IO, "%s: %s", w->path, strerror(errno));
    free(w->path);
    free(w->summary.p);
    free(w->frame.p);
    *w = (struct event_file){.fd = -1};
    return rc;
}
