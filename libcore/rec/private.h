/*
 * What the files of rec/ share and nobody else sees.
 */
#ifndef CAGSR_REC_PRIVATE_H
#define CAGSR_REC_PRIVATE_H

#include "rec/record.h"
#include "rec/stream.h"

/* The number of the field, or r->nfields. */
size_t rec_field_index(const struct rec *r, const char *key);

/* Appends a msgpack extension value of n bytes. */
void rec_put_ext(struct rec *r, int type, const void *p, size_t n);

/* 1 if plain numbers in this field's arrays are float32 (json.h). */
int rec_json_f32_field(const char *key);

/* Where a JSON object that begins at s ends, seen piece by piece: zeroed at first; 1 with
 * its length in `at` once n bytes are enough; 0: more are needed.  Bytes seen are not
 * looked at again. */
struct rec_json_seek {
    size_t at, depth;
    int string, escape;
};
int rec_json_seek(struct rec_json_seek *k, const char *s, size_t n);

/* The half whose single has these bits, if there is one; else the nearest (ties to
 * even), infinity beyond the largest. */
uint16_t rec_half_of(uint32_t single);

/* Appends a record's bytes: those that came, if nothing was set. */
void rec_append(struct rec_buf *out, const struct rec *r);

/* A header that came from upstream; the same bytes stand once in a reader. */
struct rec_header {
    struct rec rec;
};

/* All headers that a reader met, each once; zeroed is none. */
struct rec_headers {
    struct rec_header **h; /* (n) */
    size_t n;
};

/* *out is the header with r's bytes, kept until release.  ERR_RECORD: too many different
 * ones; ERR_NOMEM. */
int rec_headers_keep(const struct rec_header **out, struct rec_headers *all,
                     const struct rec *r, struct err *e) MUST_CHECK;
void rec_headers_release(struct rec_headers *all);

/* The header the reader met last, or NULL. */
const struct rec_header *rec_reader_header(const struct rec_reader *rd);

#endif
