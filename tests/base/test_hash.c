#include "base/hash.h"

#include <criterion/criterion.h>
#include <string.h>

Test(hash, published_value)
{
    cr_expect_eq(hash64("", 0), 0x2d06800538d394c2u); /* XXH3-64 of nothing */
    cr_expect_eq(hash64(NULL, 0), 0x2d06800538d394c2u);
}

Test(hash, pieces_make_the_whole)
{
    unsigned char data[3000];
    struct hasher *h = hasher_new();

    cr_assert_not_null(h);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i * i);
    for (size_t piece = 1; piece < 700; piece = piece * 3 + 1) {
        hasher_reset(h);
        for (size_t i = 0; i < sizeof data; i += piece)
            hasher_add(h, data + i, sizeof data - i < piece ? sizeof data - i : piece);
        hasher_add(h, NULL, 0);
        cr_expect_eq(hasher_value(h), hash64(data, sizeof data), "%zu", piece);
        cr_expect_eq(hasher_value(h), hash64(data, sizeof data), "asked twice");
    }
    hasher_free(h);
    hasher_free(NULL);
}

Test(hash, text_and_back)
{
    char hex[HASH_HEX];
    uint64_t h;

    hash_hex(hex, 0x0123456789abcdefu);
    cr_expect_str_eq(hex, "0123456789abcdef");
    hash_hex(hex, 7);
    cr_expect_str_eq(hex, "0000000000000007");
    cr_expect(hash_parse(&h, "0123456789ABCDEF") == 0 && h == 0x0123456789abcdefu);
    cr_expect(hash_parse(&h, "f") == 0 && h == 15);
    static const char *const bad[] = {
        "", "0x1", " 1", "1 ", "g", "-1", "+1", "00000000000000001", "1\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect_eq(hash_parse(&h, bad[i]), -1, "'%s'", bad[i]);
}
