#include "tok/utf8.h"

#include <string.h>

size_t utf8_length(unsigned char c)
{
    if (c < 0x80)
        return 1;
    if (c < 0xc2)
        return 0; /* a continuation, or overlong */
    if (c < 0xe0)
        return 2;
    if (c < 0xf0)
        return 3;
    return c < 0xf5 ? 4 : 0;
}

int utf8_continues(const unsigned char *s, size_t have, unsigned char c)
{
    unsigned lo = 0x80, hi = 0xbf;

    if (have >= utf8_length(s[0]))
        return 0;
    if (have == 1) { /* the second byte excludes overlong forms and surrogates */
        if (s[0] == 0xe0)
            lo = 0xa0;
        else if (s[0] == 0xed)
            hi = 0x9f;
        else if (s[0] == 0xf0)
            lo = 0x90;
        else if (s[0] == 0xf4)
            hi = 0x8f;
    }
    return c >= lo && c <= hi;
}

size_t utf8_valid(const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t i = 0;

    while (i < n) {
        uint64_t w;

        if (n - i >= sizeof w) { /* eight ASCII bytes at once */
            memcpy(&w, s + i, sizeof w);
            if (!(w & UINT64_C(0x8080808080808080))) {
                i += sizeof w;
                continue;
            }
        }
        const size_t len = utf8_length(s[i]);
        size_t k = 1;

        while (k < len && i + k < n && utf8_continues(s + i, k, s[i + k]))
            k++;
        if (k != len)
            return i;
        i += len;
    }
    return n;
}

size_t utf8_put(char out[4], uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    const size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};

    for (size_t i = n; i-- > 1; c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(lead[n] | c);
    return n;
}

uint32_t utf8_get(const char *text, size_t n, size_t *len)
{
    const unsigned char *s = (const unsigned char *)text;
    static const unsigned char mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};

    *len = utf8_length(s[0]);
    if (*len == 0 || *len > n) { /* not for valid text */
        *len = 1;
        return 0xfffd;
    }
    uint32_t c = s[0] & mask[*len];

    for (size_t i = 1; i < *len; i++)
        c = c << 6 | (s[i] & 0x3f);
    return c;
}
