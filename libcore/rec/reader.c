/*
 * Reading streams.
 *
 * read(2), not fread(3): a filter must answer as soon as a record is there.  Bytes land
 * in one buffer that grows up to the largest record allowed; the walk over a record
 * goes on where it stopped, so a record that arrives in many small pieces costs no more
 * than one that is there at once.  Records are hashed as they are consumed, in runs as
 * long as the buffer allows.
 *
 * A file is a run of segments.  A segment is opened by a header, or by a record without
 * one, and closed by an end record.  Binary segments must be closed: what a killed
 * producer leaves behind is never taken for the whole.  JSON lines without a header
 * need no end: people write those by hand.
 */
#include "rec/stream.h"

#include "base/hash.h"
#include "rec/buf.h"
#include "rec/json.h"
#include "rec/private.h"
#include "rec/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BLOCK = 256 << 10,
    WAIT = -1000, /* no errcode: in a hurry, and what is there does not make a record */
};

struct rec_reader {
    const char *const *files;
    size_t nfiles, nextfile;
    struct rec_limits limits;
    int fd;           /* -1: none open */
    const char *name; /* for messages; NULL: standard input */
    int eof;

    unsigned char *buf; /* [pos, end) is not consumed yet */
    size_t cap, pos, end;
    uint64_t base;  /* offset in the file of buf[0] */
    uint64_t total; /* bytes read, all files */
    struct rec_scan scan;
    size_t line; /* of a JSON line: bytes searched for its end */
    int array;   /* the file is one JSON array of records, and we are in it */
    struct rec_json_seek seek; /* of a record in an array */

    struct rec rec;
    struct rec_buf text; /* msgpack bytes made from a JSON line */

    struct hasher *hasher;
    size_t hashed; /* buf[hashed, pos) belongs to records and is not hashed yet */
    int open;      /* a segment is */
    int binary;    /* it has a header, or binary records: it must be closed */
    int closed;    /* some segment of this file was closed */
    int edited;    /* it came as JSON: counts and sums are not those of its bytes */
    size_t in_segment, count;

    const struct rec_header *header; /* of the open segment */
    const struct rec_header *last;   /* met last */
    struct rec_headers headers;

    int hurry;  /* nothing may be waited for */
    int again;  /* rec is to be returned again */
    int failed; /* sticky, with why */
    struct err why;
    char forgiven[ERR_TEXT];
};

/* ---- opening and closing --------------------------------------------------------- */
static int is_stdin(const char *file)
{
    return strcmp(file, "-") == 0;
}

static int look(const char *const *files, size_t n, struct err *e)
{
    struct stat st;

    for (size_t i = 0; i < n; i++) {
        if (is_stdin(files[i]))
            continue;
        if (stat(files[i], &st) < 0 || access(files[i], R_OK) < 0)
            return err_set(e, ERR_FILE, "%s: %s", files[i], strerror(errno));
        if (S_ISDIR(st.st_mode))
            return err_set(e, ERR_FILE, "%s: is a directory", files[i]);
    }
    return 0;
}

int rec_reader_new(struct rec_reader **out, const char *const *files, size_t nfiles,
                   const struct rec_limits *limits, struct err *e)
{
    int rc = look(files, nfiles, e);

    *out = NULL;
    if (rc < 0)
        return rc;
    struct rec_reader *rd = calloc(1, sizeof *rd);
    if (!rd || !(rd->buf = malloc(BLOCK)) || !(rd->hasher = hasher_new())) {
        if (rd)
            free(rd->buf);
        free(rd);
        return err_set(e, ERR_NOMEM, "no memory to read with");
    }
    rd->files = files;
    rd->nfiles = nfiles;
    rd->fd = -1;
    rd->cap = BLOCK;
    if (limits)
        rd->limits = *limits;
    if (!rd->limits.max_record)
        rd->limits.max_record = REC_MAX_DEFAULT;
    *out = rd;
    return 0;
}

static void close_file(struct rec_reader *rd)
{
    if (rd->fd > STDERR_FILENO)
        close(rd->fd);
    rd->fd = -1;
}

void rec_reader_free(struct rec_reader *rd)
{
    if (!rd)
        return;
    close_file(rd);
    rec_headers_release(&rd->headers);
    free(rd->buf);
    rec_release(&rd->rec);
    rec_buf_release(&rd->text);
    hasher_free(rd->hasher);
    free(rd);
}

size_t rec_reader_count(const struct rec_reader *rd)
{
    return rd->count;
}

uint64_t rec_reader_bytes(const struct rec_reader *rd)
{
    return rd->total;
}

const char *rec_reader_forgiven(const struct rec_reader *rd)
{
    return rd->forgiven[0] ? rd->forgiven : NULL;
}

const struct rec_header *rec_reader_header(const struct rec_reader *rd)
{
    return rd->last;
}

/* "FILE: record N at byte B: text", N being the record that is being read. */
static int fault(struct rec_reader *rd, enum errcode code, struct err *e,
                 const char *text)
{
    return err_set(e, code, "%s%srecord %zu at byte %llu: %s", rd->name ? rd->name : "",
                   rd->name ? ": " : "", rd->count + 1,
                   (unsigned long long)(rd->base + rd->pos), text);
}

/* A cut: an error, or the end of the segment where the user allows it. */
static int cut(struct rec_reader *rd, struct err *e, const char *text)
{
    struct err note = {0};

    if (!rd->limits.allow_truncated)
        return fault(rd, ERR_TRUNC, e, text);
    (void)fault(rd, ERR_TRUNC, &note, text);
    memcpy(rd->forgiven, note.text, sizeof rd->forgiven);
    rd->open = 0;
    rd->closed = 1;
    return 0;
}

/* ---- bytes ----------------------------------------------------------------------- */
static void hash_consumed(struct rec_reader *rd)
{
    hasher_add(rd->hasher, rd->buf + rd->hashed, rd->pos - rd->hashed);
    rd->hashed = rd->pos;
}

/* Makes room behind the unconsumed bytes: moves them to the front, or grows. */
static int make_room(struct rec_reader *rd, struct err *e)
{
    const size_t left = rd->end - rd->pos;

    if (rd->end < rd->cap && rd->cap - rd->end >= BLOCK / 4)
        return 0;
    hash_consumed(rd);
    memmove(rd->buf, rd->buf + rd->pos, left);
    rd->base += rd->pos;
    rd->hashed = rd->pos = 0;
    rd->end = left;
    if (rd->cap - rd->end >= BLOCK / 4)
        return 0;
    /* Never more than twice what is there: memory follows bytes, not promises. */
    unsigned char *p = realloc(rd->buf, 2 * rd->cap);
    if (!p)
        return fault(rd, ERR_NOMEM, e, "no memory for it");
    rd->buf = p;
    rd->cap *= 2;
    return 0;
}

/* 1 if a read will not wait: for bytes, the end or an error. */
static int readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, 0) > 0;
}

/* 1 if opening it will not wait; a fifo waits for its writer. */
static int opens(const char *file)
{
    struct stat st;

    return is_stdin(file) || stat(file, &st) < 0 || S_ISREG(st.st_mode);
}

/* 1 with more bytes, 0 at the file's end (eof set), ERR_IO, ERR_NOMEM, WAIT. */
static int fill(struct rec_reader *rd, struct err *e)
{
    ssize_t n;
    const int rc = make_room(rd, e);

    if (rc < 0)
        return rc;
    if (rd->hurry && !readable(rd->fd))
        return WAIT;
    do
        n = read(rd->fd, rd->buf + rd->end, rd->cap - rd->end);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return fault(rd, ERR_IO, e, strerror(errno));
    rd->end += (size_t)n;
    rd->total += (uint64_t)n;
    rd->eof = n == 0;
    return n > 0;
}

/* 1 with a file open, 0 when all are read, ERR_FILE, WAIT. */
static int next_file(struct rec_reader *rd, struct err *e)
{
    const char *none = "-";

    if (rd->nextfile >= rd->nfiles && (rd->nfiles > 0 || rd->nextfile > 0))
        return 0;
    const char *file = rd->nfiles ? rd->files[rd->nextfile] : none;
    if (rd->hurry && !opens(file))
        return WAIT;
    rd->nextfile++;
    rd->name = is_stdin(file) ? NULL : file;
    rd->fd = is_stdin(file) ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
    if (rd->fd < 0)
        return err_set(e, ERR_FILE, "%s: %s", file, strerror(errno));
    rd->eof = rd->open = rd->closed = rd->array = 0;
    rd->pos = rd->end = rd->hashed = 0;
    rd->base = 0;
    return 1;
}

/* ---- one record's bytes ---------------------------------------------------------- */
static int bad(struct rec_reader *rd, const char *why, struct err *e)
{
    char text[160];

    snprintf(text, sizeof text, "%s of %zu bytes", why, rd->limits.max_record);
    return fault(rd, ERR_RECORD, e, strstr(why, "limit") ? text : why);
}

static int take_binary(struct rec_reader *rd, struct err *e)
{
    const unsigned char *p = rd->buf + rd->pos;
    const char *why = rec_scan_keys(&rd->rec, p);

    if (why)
        return fault(rd, ERR_RECORD, e, why);
    rd->rec.raw = p;
    rd->rec.size = rd->scan.pos;
    rd->rec.offset = rd->base + rd->pos;
    rd->edited = 0;
    return 1;
}

/* 1: rec holds the next record's bytes, still at pos; 0: the file ended here. */
static int next_binary(struct rec_reader *rd, struct err *e)
{
    int rc;

    rec_clear(&rd->rec);
    rec_scan_start(&rd->scan);
    for (;;) {
        switch (rec_scan_run(&rd->scan, &rd->rec, rd->buf + rd->pos, rd->end - rd->pos,
                             rd->limits.max_record)) {
        case SCAN_DONE: return take_binary(rd, e);
        case SCAN_BAD: return bad(rd, rd->scan.why, e);
        case SCAN_NOMEM: return fault(rd, ERR_NOMEM, e, "no memory for its fields");
        case SCAN_MORE: break;
        }
        if ((rc = fill(rd, e)) < 0)
            return rc;
        if (rc == 0)
            return cut(rd, e, "input ends inside it");
    }
}

static int take_json(struct rec_reader *rd, size_t n, struct err *e)
{
    struct err why = {0};
    int rc;

    rec_clear(&rd->rec);
    rec_buf_clear(&rd->text);
    rc = rec_json_parse(&rd->text, (const char *)rd->buf + rd->pos, n, &why);
    if (rc >= 0)
        rc = rec_parse(&rd->rec, rd->text.p, rd->text.n, &why);
    if (rc >= 0 && rd->text.n > rd->limits.max_record)
        return bad(rd, "it goes over the limit", e);
    if (rc == ERR_TRUNC && rd->eof) /* the last line, without its newline */
        return cut(rd, e, why.text);
    if (rc < 0)
        return fault(rd, rc == ERR_TRUNC ? ERR_RECORD : (enum errcode)rc, e, why.text);
    rd->rec.offset = rd->base + rd->pos;
    rd->scan.pos = n;
    rd->edited = 1;
    return 1;
}

static int next_json(struct rec_reader *rd, struct err *e)
{
    int rc;

    rd->seek = (struct rec_json_seek){0};
    for (rd->line = 0;;) {
        const size_t avail = rd->end - rd->pos;
        const unsigned char *p = rd->buf + rd->pos;
        const unsigned char *nl =
            rd->array ? NULL : memchr(p + rd->line, '\n', avail - rd->line);

        if (nl)
            return take_json(rd, (size_t)(nl - p) + 1, e);
        if (rd->array && rec_json_seek(&rd->seek, (const char *)p, avail))
            return take_json(rd, rd->seek.at, e);
        rd->line = avail;
        /* Text is larger than what it stands for: base64, digits. */
        if (avail / 8 > rd->limits.max_record)
            return bad(rd, "the line goes over the limit", e);
        if ((rc = fill(rd, e)) < 0)
            return rc;
        if (rc == 0)
            return take_json(rd, rd->end - rd->pos, e);
    }
}

/* Blank characters stand between JSON lines; they are no msgpack a stream could hold.
 * Commas and brackets are those of an array of records.  1: a record follows; 0: none. */
static int skip_blanks(struct rec_reader *rd, struct err *e)
{
    const char *blank = rd->array ? " \t\r\n," : " \t\r\n";
    int rc;

    for (;;) {
        while (rd->pos < rd->end && strchr(blank, rd->buf[rd->pos]) && rd->buf[rd->pos])
            rd->pos++;
        if (rd->pos == rd->end) {
            if ((rc = fill(rd, e)) > 0)
                continue;
            return rc == 0 && rd->array ? cut(rd, e, "the array does not end") : rc;
        }
        const unsigned char c = rd->buf[rd->pos];
        if (c == '[' && rd->limits.lines && !rd->array && !rd->open && !rd->closed) {
            rd->array = 1;
            rd->pos++;
            return skip_blanks(rd, e);
        }
        if (!rd->array || c == '{')
            return 1;
        if (c != ']')
            return fault(rd, ERR_RECORD, e, "the array holds what is no object");
        rd->array = 0;
        rd->closed = 1; /* nothing but blanks may follow */
        rd->pos++;
        blank = " \t\r\n";
    }
}

/* ---- segments -------------------------------------------------------------------- */
static void open_segment(struct rec_reader *rd, const struct rec_header *h, int binary)
{
    rd->open = 1;
    rd->binary = binary;
    rd->header = h;
    rd->in_segment = 0;
    hasher_reset(rd->hasher);
    rd->hashed = rd->pos;
}

static int take_header(struct rec_reader *rd, struct err *e)
{
    uint64_t version = 0;
    struct err why = {0};
    int rc;

    if (rd->open && rd->binary &&
        (rc = cut(rd, e, "a header, but the stream before it has no end")) < 0)
        return rc;
    if (rec_value_uint(&version, rec_find(&rd->rec, "cagsr")) < 0 || version == 0)
        return fault(rd, ERR_RECORD, e, "a header without a format version 'cagsr'");
    if (version != 1)
        return fault(rd, ERR_FILE, e, "a format version newer than 1, which we read");
    const struct rec_header *h;
    if ((rc = rec_headers_keep(&h, &rd->headers, &rd->rec, &why)) < 0)
        return fault(rd, (enum errcode)rc, e, why.text);
    rd->pos += rd->scan.pos;
    rd->last = h;
    open_segment(rd, h, 1);
    return 0;
}

static int check_count(struct rec_reader *rd, struct err *e)
{
    uint64_t n;
    char text[128];
    const int rc = rec_opt_uint(&rd->rec, "records", &n, e);

    if (rc <= 0 || n == rd->in_segment)
        return rc < 0 ? rc : 0;
    snprintf(text, sizeof text, "the end counts %llu records, %zu came",
             (unsigned long long)n, rd->in_segment);
    return cut(rd, e, text);
}

static int check_sum(struct rec_reader *rd, struct err *e)
{
    struct rec_str hex = {0};
    char want[HASH_HEX], text[128];
    const int rc = rec_opt_str(&rd->rec, "xxh", &hex, e);

    if (rc <= 0)
        return rc;
    hash_hex(want, hasher_value(rd->hasher));
    if (rec_str_is(hex, want))
        return 0;
    snprintf(text, sizeof text,
             "the checksum of the records before it is %s, the end says %.*s", want,
             hex.n < 32 ? (int)hex.n : 32, hex.s);
    return fault(rd, ERR_RECORD, e, text);
}

static int check_status(struct rec_reader *rd, struct err *e)
{
    struct rec_str status = {"missing", 7}, why = {"", 0};
    char text[ERR_TEXT];

    if (rec_value_str(&status, rec_find(&rd->rec, "status")) == 0 &&
        rec_str_is(status, "ok"))
        return 0;
    if (rec_value_str(&why, rec_find(&rd->rec, "error")) < 0)
        why.n = 0;
    snprintf(text, sizeof text, "the producer's status is '%.*s'%s%.*s",
             status.n < 32 ? (int)status.n : 32, status.s, why.n ? ": " : "",
             why.n < 512 ? (int)why.n : 512, why.s);
    return cut(rd, e, text);
}

static int take_end(struct rec_reader *rd, struct err *e)
{
    int rc;

    if (!rd->open && rd->closed)
        return fault(rd, ERR_RECORD, e, "an end after the end");
    if (!rd->open)
        open_segment(rd, NULL, 1);
    hash_consumed(rd);
    rd->rec.number = rd->count + 1;
    rd->rec.source = rd->name;
    if ((rc = check_status(rd, e)) < 0)
        return rc;
    if (!rd->edited && ((rc = check_count(rd, e)) < 0 || (rc = check_sum(rd, e)) < 0))
        return rc;
    rd->pos += rd->scan.pos;
    rd->hashed = rd->pos;
    rd->open = 0;
    rd->closed = 1;
    return 0;
}

static int take_record(struct rec_reader *rd)
{
    if (!rd->open)
        open_segment(rd, NULL, !rd->edited);
    rd->pos += rd->scan.pos;
    if (rd->edited)
        rd->hashed = rd->pos;
    rd->in_segment++;
    /* In front of all others it goes under the header that came, if one did. */
    rd->rec.header = rd->header || rd->count ? rd->header : rd->last;
    rd->rec.number = ++rd->count;
    rd->rec.source = rd->name;
    return 1;
}

/* The file is over; 0 to go on with the next, or the cut. */
static int end_file(struct rec_reader *rd, struct err *e)
{
    int rc = 0;

    close_file(rd);
    if (rd->open && rd->binary)
        rc = cut(rd, e, "input ends without an end record");
    else if (!rd->open && !rd->closed && !rd->limits.lines)
        rc = cut(rd, e, "input is empty: no record, no end");
    rd->open = 0;
    return rc;
}

static int next(struct rec_reader *rd, struct rec **out, struct err *e)
{
    int rc;

    for (;;) {
        if (rd->fd < 0 && (rc = next_file(rd, e)) <= 0)
            return rc;
        if ((rc = skip_blanks(rd, e)) < 0)
            return rc;
        if (rc > 0)
            rc = rd->buf[rd->pos] == '{' ? next_json(rd, e) : next_binary(rd, e);
        if (rc < 0)
            return rc;
        if (rc == 0) {
            if ((rc = end_file(rd, e)) < 0)
                return rc;
            continue;
        }
        *out = &rd->rec;
        if (rec_is(&rd->rec, "header"))
            rc = take_header(rd, e);
        else if (rec_is(&rd->rec, "end"))
            rc = take_end(rd, e);
        else
            return take_record(rd);
        if (rc < 0)
            return rc;
    }
}

/* next(), whose errors stay. */
static int step(struct rec_reader *rd, struct rec **out)
{
    const int rc = rd->failed ? rd->failed : next(rd, out, &rd->why);

    if (rc < 0 && rc != WAIT)
        rd->failed = rc;
    return rc;
}

int rec_reader_next(struct rec_reader *rd, struct rec **out, struct err *e)
{
    *out = &rd->rec;
    const int rc = rd->again ? 1 : step(rd, out);

    rd->again = 0;
    if (rc < 0 && e)
        *e = rd->why;
    return rc;
}

void rec_reader_back(struct rec_reader *rd)
{
    rd->again = 1;
}

int rec_reader_ready(struct rec_reader *rd)
{
    struct rec *r;

    if (!rd->again) {
        rd->hurry = 1;
        const int rc = step(rd, &r);
        rd->hurry = 0;
        if (rc == WAIT)
            return 0;
        rd->again = rc > 0;
    }
    return 1;
}
