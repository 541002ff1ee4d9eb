#include "rec/base64.h"

#include "rec/buf.h"

static const char digit[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void rec_base64_put(struct rec_buf *out, const unsigned char *p, size_t n)
{
    unsigned char *to = rec_buf_room(out, (n + 2) / 3 * 4);

    if (!to)
        return;
    for (size_t i = 0; i < n; i += 3) {
        const unsigned b1 = i + 1 < n ? p[i + 1] : 0, b2 = i + 2 < n ? p[i + 2] : 0;
        const unsigned v = (unsigned)p[i] << 16 | b1 << 8 | b2;

        *to++ = (unsigned char)digit[v >> 18];
        *to++ = (unsigned char)digit[v >> 12 & 63];
        *to++ = i + 1 < n ? (unsigned char)digit[v >> 6 & 63] : '=';
        *to++ = i + 2 < n ? (unsigned char)digit[v & 63] : '=';
    }
    out->n += (n + 2) / 3 * 4;
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int rec_base64_get(struct rec_buf *out, const char *s, size_t n)
{
    if (n % 4)
        return -1;
    for (size_t i = 0; i < n; i += 4) {
        const int last = i + 4 == n;
        const size_t pad = !last ? 0 : s[i + 3] != '=' ? 0 : s[i + 2] != '=' ? 1 : 2;
        unsigned v = 0;

        for (size_t j = 0; j < 4; j++) {
            const int d = j >= 4 - pad ? 0 : value_of(s[i + j]);
            if (d < 0)
                return -1;
            v = v << 6 | (unsigned)d;
        }
        if (v & ((1u << 8 * pad) - 1)) /* bits that stand for nothing */
            return -1;
        const unsigned char b[3] = {(unsigned char)(v >> 16), (unsigned char)(v >> 8),
                                    (unsigned char)v};
        rec_buf_add(out, b, 3 - pad);
    }
    return 0;
}
