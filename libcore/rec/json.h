/*
 * Records as JSON lines and back, without loss.
 *
 * JSON has no bytes, no float32, no NaN and no 64-bit integers that survive every
 * reader, so those become objects with one key that starts with '$' (the table is in
 * cagsr-stream(5)):
 *
 *     {"$bin": "base64"}            bytes
 *     {"$str": "base64"}            a str that is not UTF-8
 *     {"$ext": [type, "base64"]}    an extension
 *     {"$f32": x} {"$f32": [..]}    float32 where float64 would be taken
 *     {"$f64": x} {"$f64": [..]}    float64 where float32 would be taken
 *     {"$int": "9007199254740993"}  an integer beyond 2^53, or one where a float32
 * would be taken
 *     {"$nd": [T, P], "type": "<f4", "data": [[..], ..]}   a tensor
 *     {"$map": [[key, value], ..]}  a map whose keys are not distinct plain strings
 *
 * Numbers that are not finite are strings: "nan", "inf", "-inf", or "0x" and the bits
 * of another NaN.  A number with a point or exponent is float64; in `logp` and `ref`,
 * float32.
 */
#ifndef CAGSR_REC_JSON_H
#define CAGSR_REC_JSON_H

#include "base/err.h"
#include "rec/record.h"

#include <stddef.h>

enum rec_json_form {
    REC_JSON_EXACT, /* reads back to the same values, types included */
    REC_JSON_PLAIN, /* for people and jq: numbers without type, tensors as nested
                       arrays, bytes as base64, not finite as null; not for the way back
                     */
};

/* Appends the value as JSON text, without a newline.  key is the field it stands in, or
 * NULL. */
void rec_json_value(struct rec_buf *out, struct rec_value v, const char *key,
                    enum rec_json_form form);

/* Appends a record as one line with its newline. */
void rec_json_line(struct rec_buf *out, const struct rec *r, enum rec_json_form form);

/* Reads one JSON object of n bytes and appends its msgpack bytes to out.  ERR_RECORD
 * says where the text is wrong, ERR_TRUNC that it ends inside the object. */
int rec_json_parse(struct rec_buf *out, const char *text, size_t n,
                   struct err *e) MUST_CHECK;

#endif
