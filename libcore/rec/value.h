/*
 * Values inside a record, read in place.
 *
 * A value is its msgpack bytes, borrowed from the record it lies in and valid as long
 * as that record is neither changed nor read again.  Every byte of a record was walked
 * and bounded before the record was handed out (rec_scan), so nothing here can run past
 * its end, and nothing here allocates.
 *
 * All of these answer 0 for "it is that", -1 for "it is another type": the caller names
 * record and field (the typed getters of record.h do).
 */
#ifndef CAGSR_REC_VALUE_H
#define CAGSR_REC_VALUE_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum rec_type {
    REC_NONE, /* no value: a field that is absent */
    REC_NIL,
    REC_BOOL,
    REC_INT, /* signed or not, any width */
    REC_F32,
    REC_F64,
    REC_STR,
    REC_BIN,
    REC_EXT,
    REC_ARRAY,
    REC_MAP,
};

struct rec_value {
    const unsigned char *at; /* NULL: REC_NONE */
    size_t size;             /* bytes of the whole value, children included */
};

/* Text in a record: n bytes, no NUL behind them.  s is NULL where there is none. */
struct rec_str {
    const char *s;
    size_t n;
};

enum rec_type rec_value_type(struct rec_value v);

/* "an integer", "a map" ...: for sentences. */
const char *rec_type_name(enum rec_type t);

int rec_value_bool(int *out, struct rec_value v) MUST_CHECK;
int rec_value_int(int64_t *out, struct rec_value v) MUST_CHECK;   /* -1 above 2^63-1 */
int rec_value_uint(uint64_t *out, struct rec_value v) MUST_CHECK; /* -1 below 0 */
int rec_value_f64(double *out, struct rec_value v) MUST_CHECK;    /* integers too */
int rec_value_str(struct rec_str *out, struct rec_value v) MUST_CHECK;
int rec_value_bin(const unsigned char **out, size_t *n, struct rec_value v) MUST_CHECK;
int rec_value_ext(int *type, const unsigned char **out, size_t *n,
                  struct rec_value v) MUST_CHECK;

/* Elements of an array, pairs of a map; 0 for anything else. */
size_t rec_value_count(struct rec_value v);

/* Walks an array or a map in order:
 *     for (rec_iter_start(&it, v); rec_iter_next(&it, &key, &val);) ...
 * key is REC_NONE in an array.  A value that is neither has no elements. */
struct rec_iter {
    const unsigned char *at;
    size_t left; /* elements or pairs to come */
    int map;
};
void rec_iter_start(struct rec_iter *it, struct rec_value v);
int rec_iter_next(struct rec_iter *it, struct rec_value *key, struct rec_value *val);

/* The member of a map under a str key; REC_NONE if there is none or v is no map. */
struct rec_value rec_value_member(struct rec_value v, const char *key);

/* The same for n keys in one walk: out[i] is the member under key[i]. */
void rec_value_members(struct rec_value *out, struct rec_value v,
                       const char *const *key, size_t n);

/* 1 if the text is exactly the C string s. */
int rec_str_is(struct rec_str t, const char *s);

/* A malloc'd copy with a NUL behind it; NULL if there is no memory. */
char *rec_str_copy(struct rec_str t);

/* 1 if the n bytes are valid UTF-8 (no surrogates, nothing overlong). */
int rec_utf8_valid(const char *s, size_t n);

/*
 * Tensors: msgpack-numpy maps, {nd: true, type: "<f4", kind: "", shape: [..], data:
 * bin} with bin keys.  Little-endian f4 f2 i4 and u1 only; "O" (pickled Python objects)
 * and everything else is refused.
 */
enum rec_dtype { REC_TENSOR_F4, REC_TENSOR_F2, REC_TENSOR_I4, REC_TENSOR_U1 };
enum { REC_RANK = 8 };

struct rec_tensor {
    enum rec_dtype dtype;
    size_t rank, shape[REC_RANK];
    size_t count;              /* product of the shape; 1 for rank 0 */
    const unsigned char *data; /* count * rec_dtype_size bytes, not aligned */
};

size_t rec_dtype_size(enum rec_dtype t);
const char *rec_dtype_name(enum rec_dtype t); /* "<f4" ... */

/* 1 if v looks like a tensor: a map with a member nd under a bin or str key. */
int rec_value_is_tensor(struct rec_value v);

/* Reads a tensor; the bytes of data must be exactly what shape and type ask for.
 * ERR_RECORD with a sentence about the value only ("type '|O' is refused ..."). */
int rec_value_tensor(struct rec_tensor *out, struct rec_value v,
                     struct err *e) MUST_CHECK;

/* The tensor's numbers as float (f2, i4, u1 converted) into out[count]. */
void rec_tensor_f32(float *out, const struct rec_tensor *t);

#endif
