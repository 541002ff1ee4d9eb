/*
 * Protocol buffers, as much as reading them takes: the fields of a message, one after
 * another.  Every length is bounded by what is left of the message.
 */
#ifndef CAGSR_TOK_PROTO_H
#define CAGSR_TOK_PROTO_H

#include <stddef.h>
#include <stdint.h>

/* What is left of a message. */
struct proto {
    const char *p;
    size_t n;
};

enum proto_type { PROTO_VARINT = 0, PROTO_64 = 1, PROTO_BYTES = 2, PROTO_32 = 5 };

struct proto_field {
    uint32_t number;
    enum proto_type type;
    uint64_t value;     /* of a number; its bits, if it is a float */
    struct proto bytes; /* of a string or message, borrowed */
};

/* The next field: 1, 0 at the end, -1 if the message is broken (or holds groups). */
int proto_next(struct proto *m, struct proto_field *f);

/* A 32-bit field as a float. */
float proto_float(const struct proto_field *f);

#endif
