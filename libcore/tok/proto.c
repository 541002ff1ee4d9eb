#include "tok/proto.h"

#include <string.h>

/* Seven bits a byte, low ones first; the top bit says that more follow. */
static int get_varint(struct proto *m, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; shift < 64 && m->n > 0; shift += 7) {
        const unsigned char c = (unsigned char)*m->p++;

        m->n--;
        *out |= (uint64_t)(c & 0x7f) << shift;
        if (!(c & 0x80))
            return 1;
    }
    return -1;
}

static int get_fixed(struct proto *m, size_t size, uint64_t *out)
{
    if (m->n < size)
        return -1;
    *out = 0;
    for (size_t i = 0; i < size; i++)
        *out |= (uint64_t)(unsigned char)m->p[i] << (8 * i);
    m->p += size;
    m->n -= size;
    return 1;
}

static int get_bytes(struct proto *m, struct proto *out)
{
    uint64_t n;

    if (get_varint(m, &n) < 0 || n > m->n)
        return -1;
    *out = (struct proto){m->p, (size_t)n};
    m->p += n;
    m->n -= (size_t)n;
    return 1;
}

int proto_next(struct proto *m, struct proto_field *f)
{
    uint64_t key;

    if (m->n == 0)
        return 0;
    if (get_varint(m, &key) < 0 || key >> 3 == 0 || key >> 3 > UINT32_MAX)
        return -1;
    *f = (struct proto_field){.number = (uint32_t)(key >> 3)};
    switch (key & 7) {
    case PROTO_VARINT: f->type = PROTO_VARINT; return get_varint(m, &f->value);
    case PROTO_64: f->type = PROTO_64; return get_fixed(m, 8, &f->value);
    case PROTO_BYTES: f->type = PROTO_BYTES; return get_bytes(m, &f->bytes);
    case PROTO_32: f->type = PROTO_32; return get_fixed(m, 4, &f->value);
    default: return -1;
    }
}

float proto_float(const struct proto_field *f)
{
    const uint32_t bits = (uint32_t)f->value;
    float x;

    memcpy(&x, &bits, sizeof x);
    return x;
}
