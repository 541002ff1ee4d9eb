/*
 * One record: a msgpack map with str keys, kept as the bytes that came.
 *
 * A field that nobody sets is written again byte for byte, in its place; a set field
 * keeps its place; a new one goes to the end.  So what a tool does not know passes
 * through it untouched.
 *
 * Setters never fail where they stand: when memory runs out the record remembers it and
 * rec_writer_put says so.  A record is used by one thread at a time.
 */
#ifndef CAGSR_REC_RECORD_H
#define CAGSR_REC_RECORD_H

#include "base/err.h"
#include "rec/value.h"

#include <stddef.h>
#include <stdint.h>

enum {
    REC_MAX_DEFAULT = 64 << 20, /* bytes of one record, --max-record */
    REC_DEPTH = 32,             /* maps and arrays inside each other */
    REC_FIELDS = 65536,         /* fields of one record */
};

struct rec_header;

/* Growing bytes; zeroed is empty. */
struct rec_buf {
    unsigned char *p;
    size_t n, cap;
    int oom; /* a growth failed: contents are not to be used */
};

struct rec_field {
    size_t token;      /* the key's bytes, offset from its buffer, up to key + klen */
    size_t key, klen;  /* the key's text */
    size_t val, vsize; /* the value's bytes */
    int kedit, vedit;  /* 1: the offset is into rec.edit, 0: into rec.raw */
};

/* Zeroed is an empty record, ready for setters. */
struct rec {
    const unsigned char *raw; /* the bytes that came, borrowed or own */
    size_t size;
    int changed;
    struct rec_field *field;
    size_t nfields, fields_cap;
    struct rec_buf edit; /* what setters wrote */
    struct rec_buf own;  /* raw, when this record owns it (rec_copy) */
    size_t open_at;      /* where an open rec_begin started */
    size_t open_field;
    /* Where it came from, for errors and for the header it belongs under. */
    const char *source; /* file name, or NULL for standard input */
    size_t number;      /* counted from 1 over all inputs, headers and ends not */
    uint64_t offset;    /* byte offset in its file */
    const struct rec_header *header; /* NULL: none */
};

/* Frees what the record owns; zeroes it. */
void rec_release(struct rec *r);

/* Empties a record and keeps its memory, for the next one made with setters. */
void rec_clear(struct rec *r);

/* dst becomes a record of its own with src's fields and origin, reusing dst's memory.
 */
int rec_copy(struct rec *dst, const struct rec *src, struct err *e) MUST_CHECK;

/* Takes n bytes (borrowed) as a record: walks and bounds them first.  ERR_RECORD if
 * they are not exactly one msgpack map with distinct str keys. */
int rec_parse(struct rec *r, const void *data, size_t n, struct err *e) MUST_CHECK;

/* ERR_RECORD or another code with "FILE: record N: field 'x': ..." before the text. */
int rec_fault(const struct rec *r, enum errcode code, struct err *e, const char *field,
              const char *fmt, ...) PRINTF_LIKE(5, 6);

/* ---- reading
 * ------------------------------------------------------------------------- A value is
 * borrowed until the record is set, cleared, copied over or read again. rec_get_x wants
 * the field: absent, null or of another type is ERR_RECORD with record and field named,
 * else 0.  rec_opt_x answers 1 with *out set, 0 if absent or null (and *out untouched),
 * ERR_RECORD if of another type. */
struct rec_value rec_find(const struct rec *r, const char *key);

/* Field i < r->nfields, as they came: its name (n bytes, borrowed) and its value. */
const char *rec_field_key(const struct rec *r, size_t i, size_t *n);
struct rec_value rec_field_value(const struct rec *r, size_t i);

/* "sample", "prompt", ...; an empty text where there is no kind. */
struct rec_str rec_kind(const struct rec *r);
int rec_is(const struct rec *r, const char *kind);

/* In which arithmetic the record was made: the dtype of the first program in the header's
 * chain that names one, which is the sampler.  An empty text where nobody says. */
struct rec_str rec_dtype_of(const struct rec *r);

int rec_get_str(const struct rec *r, const char *key, struct rec_str *out,
                struct err *e) MUST_CHECK; /* valid UTF-8 */
int rec_get_uint(const struct rec *r, const char *key, uint64_t *out,
                 struct err *e) MUST_CHECK;
int rec_get_f64(const struct rec *r, const char *key, double *out,
                struct err *e) MUST_CHECK; /* integers too; NaN allowed */
int rec_opt_str(const struct rec *r, const char *key, struct rec_str *out,
                struct err *e) MUST_CHECK;
int rec_opt_uint(const struct rec *r, const char *key, uint64_t *out,
                 struct err *e) MUST_CHECK;
int rec_opt_f64(const struct rec *r, const char *key, double *out,
                struct err *e) MUST_CHECK;
int rec_opt_bin(const struct rec *r, const char *key, const unsigned char **out,
                size_t *n, struct err *e) MUST_CHECK;

/* Arrays of numbers, or one-dimensional tensors, decoded into buf (reused from call to
 * call: *out lies in it, aligned, until the next call with the same buf). */
int rec_get_i32s(const struct rec *r, const char *key, struct rec_buf *buf,
                 const int32_t **out, size_t *n, struct err *e) MUST_CHECK;
int rec_opt_i32s(const struct rec *r, const char *key, struct rec_buf *buf,
                 const int32_t **out, size_t *n, struct err *e) MUST_CHECK;
int rec_get_f32s(const struct rec *r, const char *key, struct rec_buf *buf,
                 const float **out, size_t *n, struct err *e) MUST_CHECK;
int rec_opt_f32s(const struct rec *r, const char *key, struct rec_buf *buf,
                 const float **out, size_t *n, struct err *e) MUST_CHECK;
int rec_opt_u32s(const struct rec *r, const char *key, struct rec_buf *buf,
                 const uint32_t **out, size_t *n, struct err *e) MUST_CHECK;

/* A tensor (float): out lies in buf.  The shape is in *t. */
int rec_opt_tensor(const struct rec *r, const char *key, struct rec_tensor *t,
                   struct err *e) MUST_CHECK;

/* ---- writing
 * ------------------------------------------------------------------------- Replace in
 * place or append.  Keys are C strings, copied; values are copied. */
void rec_set_nil(struct rec *r, const char *key);
void rec_set_bool(struct rec *r, const char *key, int v);
void rec_set_int(struct rec *r, const char *key, int64_t v);
void rec_set_uint(struct rec *r, const char *key, uint64_t v);
void rec_set_f64(struct rec *r, const char *key, double v);
void rec_set_str(struct rec *r, const char *key, const char *s);
void rec_set_text(struct rec *r, const char *key, const char *s, size_t n); /* UTF-8 */
void rec_set_bin(struct rec *r, const char *key, const void *p, size_t n);
void rec_set_i32s(struct rec *r, const char *key, const int32_t *v, size_t n);
void rec_set_u32s(struct rec *r, const char *key, const uint32_t *v, size_t n);
void rec_set_f32s(struct rec *r, const char *key, const float *v, size_t n);
void rec_set_hash(struct rec *r, const char *key, uint64_t h); /* 16 hex digits */
void rec_set_value(struct rec *r, const char *key,
                   struct rec_value v); /* any record's */

/* Takes a field away; nothing if there is none. */
void rec_remove(struct rec *r, const char *key);

/* A value with parts: begin, put exactly one whole value, end.
 *     rec_begin(r, "attn");
 *     rec_put_map(r, 2);
 *     rec_put_str(r, "kind");  rec_put_str(r, "self");
 *     rec_put_str(r, "rows");  rec_put_tensor_f32(r, rows, 2, (size_t[]){T, P});
 *     rec_end(r);
 * A field that was open with a wrong number of parts is a bug: rec_end aborts. */
void rec_begin(struct rec *r, const char *key);
void rec_end(struct rec *r);
void rec_put_nil(struct rec *r);
void rec_put_bool(struct rec *r, int v);
void rec_put_int(struct rec *r, int64_t v);
void rec_put_uint(struct rec *r, uint64_t v);
void rec_put_f32(struct rec *r, float v);
void rec_put_f64(struct rec *r, double v);
void rec_put_str(struct rec *r, const char *s);
void rec_put_text(struct rec *r, const char *s, size_t n);
void rec_put_bin(struct rec *r, const void *p, size_t n);
void rec_put_array(struct rec *r, size_t n); /* n values follow */
void rec_put_map(struct rec *r, size_t n);   /* n keys, each with its value, follow */
void rec_put_value(struct rec *r, struct rec_value v);
void rec_put_tensor(struct rec *r, const struct rec_tensor *t);
void rec_put_tensor_f32(struct rec *r, const float *v, size_t rank,
                        const size_t *shape);

/* A record that says why there is none: kind "error", the id and cand of src (may be
 * NULL), tool, field (may be NULL), the sentence of e. */
void rec_make_error(struct rec *out, const struct rec *src, const char *tool,
                    const char *field, const struct err *e);

#endif
