/*
 * Walking untrusted msgpack bytes before anybody believes them.
 *
 * A decoder that trusts lengths can be made to ask for 128 GiB by five bytes.  So every
 * record is walked first: each length is held against the limit and the bytes that are
 * there, nesting against REC_DEPTH, and the fields of the record's map are noted on the
 * way.  Only then is the record handed out, and read in place (value.h).  Nothing here
 * allocates but the table of fields.
 *
 * Private to rec/.
 */
#ifndef CAGSR_REC_SCAN_H
#define CAGSR_REC_SCAN_H

#include "rec/record.h"

enum scan_result {
    SCAN_DONE,  /* one whole record, scan.pos bytes long, fields noted */
    SCAN_MORE,  /* good so far: call again with more bytes */
    SCAN_BAD,   /* scan.why says what */
    SCAN_NOMEM, /* the table of fields could not grow */
};

/* Where the walk stands; it goes on where it stopped when more bytes have come. */
struct rec_scan {
    size_t pos;               /* bytes walked */
    size_t depth;             /* containers open */
    uint64_t left[REC_DEPTH]; /* values still to come in each; a pair counts as two */
    const char *why;
};

/* Back to the first byte of a record. */
void rec_scan_start(struct rec_scan *s);

/* Walks the record that starts at p, of which avail bytes are there, into r->field (its
 * other members stay).  Bytes beyond max are never asked for. */
enum scan_result rec_scan_run(struct rec_scan *s, struct rec *r, const unsigned char *p,
                              size_t avail, size_t max);

/* Distinct keys, valid UTF-8, no NUL: what makes a record's map.  NULL, or what is
 * wrong. */
const char *rec_scan_keys(const struct rec *r, const unsigned char *p);

/* Size of the one value at p if it lies whole within avail bytes, else 0. */
size_t rec_value_span(const unsigned char *p, size_t avail);

/* One token: a scalar with its payload, or the head of a container. */
struct rec_token {
    enum rec_type type;
    int negative; /* REC_INT: u holds the bits of an int64_t */
    uint64_t u;
    double f;                  /* REC_F32, REC_F64 */
    const unsigned char *data; /* REC_STR, REC_BIN, REC_EXT: n bytes */
    size_t n;                  /* bytes, elements or pairs */
    int ext;                   /* type of an extension */
    size_t size;               /* head and payload; a container's head only */
};

/* Reads the head at p, of which avail >= 1 bytes are there; the payload may lie beyond.
 * 1; 0: more bytes are needed to know; -1: not msgpack. */
int rec_token_read(struct rec_token *t, const unsigned char *p, size_t avail);

#endif
