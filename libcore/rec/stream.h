/*
 * Streams of records: header, records, end (cagsr-stream(5)).
 *
 * A filter is
 *
 *     struct rec_reader *in = NULL;
 *     struct rec_writer *out = NULL;
 *     struct rec *r;
 *     int rc = rec_reader_new(&in, o.common.files, o.common.nfiles, &o.limits, &e);
 *
 *     if (rc >= 0)
 *         rc = rec_writer_new(&out, fd, in, &pg, &o.limits, &e);
 *     while (rc >= 0 && (rc = rec_reader_next(in, &r, &e)) > 0) {
 *         if (rec_is(r, "sample")) { ... getters, setters ... }
 *         rc = rec_writer_put(out, r, &e);
 *     }
 *     rc = rec_writer_end(out, rc, &e);
 *     rec_writer_free(out);
 *     rec_reader_free(in);
 *
 * The reader takes msgpack and JSON lines, told apart record by record (json.h has the
 * JSON form), checks counts and checksums, and swallows headers and ends; the writer
 * makes them.  A stream that is cut, or that says its producer failed, is ERR_TRUNC;
 * rec_writer_end then tells the next tool.
 */
#ifndef CAGSR_REC_STREAM_H
#define CAGSR_REC_STREAM_H

#include "base/err.h"
#include "rec/json.h"
#include "rec/record.h"

#include <stddef.h>
#include <stdint.h>

/* What a user may change about reading and writing; the same options in every tool. */
struct rec_limits {
    size_t max_record;   /* bytes; 0 is REC_MAX_DEFAULT */
    int allow_truncated; /* a cut stream ends where it is cut */
    int lines;           /* not an option: an empty input is no fault, and a file may be
                            one JSON array of records (prompts) */
};

/* The rows of a tool's option table for a `struct rec_limits` member m of struct T. */
#define REC_LIMITS_OPTIONS(T, m)                                                       \
    {"max-record", 0,                                                                  \
     CLI_SIZE,     offsetof(T, m.max_record),                                          \
     "SIZE",       "refuse records over SIZE bytes (default 64M)",                     \
     .lo = 1024,   .hi = 0xffffffffu},                                                 \
    {                                                                                  \
        "allow-truncated", 0, CLI_FLAG, offsetof(T, m.allow_truncated), NULL,          \
            "take a stream that was cut, or whose producer failed, as it is", .lo = 0  \
    }

/* ---- reading ------------------------------------------------------------------------
 */
struct rec_reader;

/* Reads the files one after another, "-" being standard input.  files are borrowed for
 * the reader's life.  All but "-" are looked at once, so that a wrong name is found
 * before the first record: ERR_FILE. */
int rec_reader_new(struct rec_reader **out, const char *const *files, size_t nfiles,
                   const struct rec_limits *limits, struct err *e) MUST_CHECK;
void rec_reader_free(struct rec_reader *rd); /* NULL is fine */

/* Returns 1 with *out set, borrowed until the next call (it may be changed with setters
 * and given to a writer); 0 at a clean end; or
 *   ERR_IO      read failed
 *   ERR_TRUNC   cut: no end, an end that counts otherwise, or a status that is not ok
 *   ERR_RECORD  not msgpack, not a map with str keys, too large, wrong checksum
 *   ERR_FILE    a format version this program does not know
 * each naming file, record and byte.  After an error only rec_reader_free is left. */
int rec_reader_next(struct rec_reader *rd, struct rec **out, struct err *e) MUST_CHECK;

/* The record that was returned last, unchanged, is what the next call returns. */
void rec_reader_back(struct rec_reader *rd);

/* 1 if rec_reader_next will answer without waiting for anyone, with a record, the end or an
 * error; 0 if not: what has come of the next record is not all of it.  Files are always
 * there, fifos among them never before they are opened.  Like rec_reader_next it ends the
 * loan of the record before. */
int rec_reader_ready(struct rec_reader *rd);

/* Records returned so far; bytes read so far, over all inputs. */
size_t rec_reader_count(const struct rec_reader *rd);
uint64_t rec_reader_bytes(const struct rec_reader *rd);

/* The sentence about what --allow-truncated let pass, or NULL.  For cli_note. */
const char *rec_reader_forgiven(const struct rec_reader *rd);

/* ---- writing ------------------------------------------------------------------------
 */
struct rec_writer;

/* What this program adds to the header's chain of programs; strings are borrowed. */
struct rec_pg {
    const char *name, *version, *command_line;
    const char *model;  /* hash in hex, or NULL */
    const char *dtype;  /* "f32", "bf16", or NULL */
    const char *kernel; /* the products' implementation, or NULL */
};

/* Writes to fd, which stays the caller's.  Every header that came from `in` (may be
 * NULL: then a fresh one) is written before its first record, with pg appended (NULL:
 * nothing, for a copy that the same program reads). Records
 * are flushed one by one when fd is a pipe or socket, else in blocks. */
int rec_writer_new(struct rec_writer **out, int fd, const struct rec_reader *in,
                   const struct rec_pg *pg, const struct rec_limits *limits,
                   struct err *e) MUST_CHECK;

/* From now on the writer makes JSON lines (json.h) instead of msgpack; before the first
 * record.  REC_LINES_ALL writes header and end as lines too, so that a cut is seen behind
 * a text filter; their checksum is left out, for text is made to be edited. */
enum rec_lines { REC_LINES_RECORDS, REC_LINES_ALL };
void rec_writer_json(struct rec_writer *w, enum rec_json_form form,
                     enum rec_lines lines);

/* Appends one record.  ERR_IO, ERR_NOMEM, or ERR_RECORD if it is over the limit. */
int rec_writer_put(struct rec_writer *w, const struct rec *r, struct err *e) MUST_CHECK;

/* Ends the stream: rc is the tool's result so far.  rc >= 0: the end record says ok.
 * rc < 0: it says so and carries e's sentence, if it still can be written at all.
 * Returns rc, or the fault of writing (e says it) if rc was >= 0.  w may be NULL: then
 * just rc. */
int rec_writer_end(struct rec_writer *w, int rc, struct err *e) MUST_CHECK;

/* Sends what is buffered. */
int rec_writer_flush(struct rec_writer *w, struct err *e) MUST_CHECK;

size_t rec_writer_count(const struct rec_writer *w); /* records since the start */
void rec_writer_free(struct rec_writer *w);          /* NULL is fine; writes nothing */

/* ---- groups -------------------------------------------------------------------------
 * The candidates of one prompt are adjacent: records of kind "sample" with the same id.
 * A group holds copies; its memory is reused from group to group. */
enum { REC_GROUP_MAX = 65536 };

struct rec_group {
    struct rec *rec; /* rec[0..n), each may be changed and written */
    size_t n;
    int other; /* 1: not samples, but one record of another kind: pass it on */
    size_t cap;
    int begun; /* rec_group_ready took these records, rec_group_next not yet */
};

/* 1 with the next group in *g, 0 at a clean end, or the reader's errors.  When the
 * reader fails behind a group's last record, that group is delivered first.
 * g starts zeroed.  A sample without id is ERR_RECORD. */
int rec_group_next(struct rec_group *g, struct rec_reader *rd,
                   struct err *e) MUST_CHECK;

/* 1 if rec_group_next will answer without waiting for anyone.  That a group is whole is
 * known from the record behind it, or the end.  *g holds from now on what there is of the
 * group: the next call on rd must be for the same g. */
int rec_group_ready(struct rec_group *g, struct rec_reader *rd);
void rec_group_release(struct rec_group *g);

#endif
