#include "base/base64.h"

static const char digit[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_size(size_t n)
{
    return (n + 2) / 3 * 4;
}

size_t base64_room(size_t n)
{
    return n / 4 * 3;
}

void base64_put(char *out, const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i += 3) {
        const unsigned b1 = i + 1 < n ? p[i + 1] : 0, b2 = i + 2 < n ? p[i + 2] : 0;
        const unsigned v = (unsigned)p[i] << 16 | b1 << 8 | b2;

        *out++ = digit[v >> 18];
        *out++ = digit[v >> 12 & 63];
        *out++ = i + 1 < n ? digit[v >> 6 & 63] : '=';
        *out++ = i + 2 < n ? digit[v & 63] : '=';
    }
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

int64_t base64_get(unsigned char *out, const char *s, size_t n)
{
    const unsigned char *from = out;

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
        for (size_t j = 0; j < 3 - pad; j++)
            *out++ = (unsigned char)(v >> (16 - 8 * j));
    }
    return out - from;
}
