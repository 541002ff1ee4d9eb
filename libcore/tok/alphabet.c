#include "tok/private.h"
#include "tok/utf8.h"

/* Bytes that are printable in Latin-1 and no blank stand for themselves; the others, in
 * ascending order, are U+0100, U+0101 ... */
static int plain(unsigned c)
{
    return (c >= 0x21 && c <= 0x7e) || (c >= 0xa1 && c != 0xad && c <= 0xff);
}

enum { PLAIN_GAP = 0x21, UPPER_GAP = 0xa1 - 0x7f, ALPHABET_LAST = 0x143 };

uint32_t alphabet_char(unsigned char byte)
{
    if (plain(byte))
        return byte;
    if (byte < 0x21)
        return 0x100u + byte;
    if (byte < 0xad)
        return 0x100u + PLAIN_GAP + (byte - 0x7fu);
    return 0x100u + PLAIN_GAP + UPPER_GAP; /* 0xad, the soft hyphen */
}

int alphabet_byte(uint32_t c)
{
    if (c < 0x100)
        return plain(c) ? (int)c : -1;
    if (c > ALPHABET_LAST)
        return -1;
    c -= 0x100;
    if (c < PLAIN_GAP)
        return (int)c;
    return c < PLAIN_GAP + UPPER_GAP ? (int)(c - PLAIN_GAP + 0x7f) : 0xad;
}

size_t alphabet_spell(char *out, const char *bytes, size_t n)
{
    size_t k = 0;

    for (size_t i = 0; i < n; i++)
        k += utf8_put(out + k, alphabet_char((unsigned char)bytes[i]));
    return k;
}
