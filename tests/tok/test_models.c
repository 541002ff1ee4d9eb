/*
 * Laws of the parts: Unigram and WordPiece against their definitions, normal forms against
 * utf8proc, decoding of byte tokens step by step.
 */
#include "tok/normal.h"
#include "tok/proto.h"
#include "tok/tok.h"
#include "tok/unigram.h"
#include "tok/utf8.h"
#include "tok/wordpiece.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

static uint32_t draw(uint32_t *x, uint32_t n)
{
    *x = *x * 1664525u + 1013904223u;
    return (*x >> 8) % n;
}

/* ---- Unigram --------------------------------------------------------------------------*/

enum { PIECES = 12, WORD = 12 };

/* Random pieces of a, b and two-byte letters; number 0 is the unknown one. */
static void make_pieces(struct vocab *v, struct unigram *u, uint32_t *x)
{
    static const char *const letter[] = {"a", "b", "\303\251", "\303\266"};
    struct err e = {0};

    for (size_t id = 0; id < PIECES; id++) {
        char text[16] = "";
        size_t n = 0;

        for (uint32_t k = 1 + draw(x, 4); k > 0; k--) {
            const char *l = letter[draw(x, 3)];
            memcpy(text + n, l, strlen(l));
            n += strlen(l);
        }
        if (id == 0)
            n = (size_t)snprintf(text, sizeof text, "<unk>");
        cr_assert_eq(vocab_add(v, id, text, n, "test", &e), 0);
        cr_assert_eq(unigram_score(u, id, -1.0 - draw(x, 1000) / 100.0, "test", &e), 0);
    }
    u->unk = 0;
    cr_assert_eq(unigram_build(u, v, "test", &e), 0);
}

/* The best sum of scores for word[at..n), by trying everything. */
static double best(const struct unigram *u, const struct vocab *v, const char *word,
                   size_t at, size_t n)
{
    double top = at == n ? 0 : -INFINITY;
    int single = 0;
    const size_t first = at < n ? utf8_length((unsigned char)word[at]) : 0;

    for (size_t end = at + 1; end <= n; end++) {
        double score = -INFINITY;

        for (int32_t id = 0; id < PIECES;
             id++) { /* of equal texts the last one counts */
            size_t k;
            const char *s = vocab_text(v, id, &k);
            if (k == end - at && memcmp(s, word + at, k) == 0)
                score = u->score[id];
        }
        if (score > -INFINITY) {
            single |= end - at == first;
            top = fmax(top, score + best(u, v, word, end, n));
        }
    }
    if (at < n && !single)
        top = fmax(top, u->unknown + best(u, v, word, at + first, n));
    return top;
}

Test(unigram, finds_the_best_cut)
{
    static const char *const letter[] = {"a", "b", "\303\251", "\303\266"};
    uint32_t x = 3;

    for (int round = 0; round < 40; round++) {
        struct vocab v = {0};
        struct unigram u = {0};
        struct err e = {0};

        make_pieces(&v, &u, &x);
        for (int w = 0; w < 20; w++) {
            char word[2 * WORD];
            int32_t id[2 * WORD];
            uint32_t len[2 * WORD];
            size_t n = 0, bytes = 0;
            double got = 0;

            for (uint32_t k = 1 + draw(&x, WORD - 2); k > 0; k--) {
                const char *l = letter[draw(&x, 4)];
                memcpy(word + n, l, strlen(l));
                n += strlen(l);
            }
            const int64_t tokens = unigram_encode(&u, word, n, id, len, &e);
            cr_assert_geq(tokens, 1, "%s", e.text);
            for (int64_t i = 0; i < tokens; i++) {
                size_t chars = 0;

                for (uint32_t k = 0; k < len[i]; k++)
                    chars += ((unsigned char)word[bytes + k] & 0xc0) != 0x80;
                got += id[i] == 0 ? (double)chars * u.unknown : u.score[id[i]];
                bytes += len[i];
            }
            cr_expect_eq(bytes, n);
            cr_expect_float_eq(got, best(&u, &v, word, 0, n), 1e-9);
        }
        unigram_release(&u);
        vocab_release(&v);
    }
}

/* A megabyte without a break takes no longer per byte than a word. */
Test(unigram, long_word)
{
    enum { N = 1 << 20 };
    struct vocab v = {0};
    struct unigram u = {0};
    struct err e = {0};
    uint32_t x = 5;
    char *word = malloc(N);
    int32_t *id = malloc(N * sizeof *id);
    uint32_t *len = malloc(N * sizeof *len);

    make_pieces(&v, &u, &x);
    for (size_t i = 0; i < N; i++)
        word[i] = "ab"[draw(&x, 2)];
    cr_expect_gt(unigram_encode(&u, word, N, id, len, &e), N / 8);
    free(word);
    free(id);
    free(len);
    unigram_release(&u);
    vocab_release(&v);
}

Test(unigram, refuses)
{
    struct unigram u = {0};
    struct vocab v = {0};
    struct err e = {0};
    char piece[UNIGRAM_MAX_PIECE + 1];

    memset(piece, 'a', sizeof piece);
    cr_expect_eq(unigram_score(&u, 0, NAN, "test", &e), ERR_FILE);
    cr_assert_eq(vocab_add(&v, 0, piece, sizeof piece, "test", &e), 0);
    cr_assert_eq(unigram_score(&u, 0, -1, "test", &e), 0);
    cr_expect_eq(unigram_build(&u, &v, "test", &e), ERR_FILE);
    unigram_release(&u);
    vocab_release(&v);
}

/* ---- WordPiece ------------------------------------------------------------------------*/

/* The definition: the longest entry that fits, again and again. */
static size_t pieces_slowly(const struct vocab *v, const char *word, size_t n,
                            int32_t *id)
{
    size_t k = 0;

    for (size_t at = 0, end; at < n; at = end) {
        char text[64];
        const size_t mark = at > 0 ? 2 : 0;

        id[k] = -1;
        for (end = n; end > at; end--) {
            memcpy(text, "##", 2);
            memcpy(text + mark, word + at, end - at);
            id[k] = vocab_find(v, text, mark + end - at);
            if (id[k] >= 0)
                break;
        }
        if (id[k++] < 0) {
            id[0] = 0;
            return 1;
        }
    }
    return k;
}

Test(wordpiece, agrees_with_its_definition)
{
    struct vocab v = {0};
    struct wordpiece w = {0};
    struct err e = {0};
    uint32_t x = 9;

    cr_assert_eq(vocab_add(&v, 0, "[UNK]", 5, "test", &e), 0);
    for (size_t id = 1; id < 60; id++) {
        char text[16] = "##";
        const size_t mark = draw(&x, 2) ? 2 : 0, k = 1 + draw(&x, 4);

        for (size_t i = 0; i < k; i++)
            text[mark + i] = "abc"[draw(&x, 3)];
        cr_assert_eq(vocab_add(&v, id, text, mark + k, "test", &e), 0);
    }
    cr_assert_eq(wordpiece_build(&w, &v, "##", 0, 20, &e), 0);
    for (int round = 0; round < 4000; round++) {
        char word[24];
        int32_t fast[24], slow[24];
        uint32_t len[24];
        const size_t n = 1 + draw(&x, 22);

        for (size_t i = 0; i < n; i++)
            word[i] = "abcd"[draw(&x, 20) ? draw(&x, 3) : 3];
        const size_t k = wordpiece_encode(&w, word, n, fast, len);
        slow[0] = 0;
        const size_t want = n > 20 ? 1 : pieces_slowly(&v, word, n, slow);
        cr_assert_eq(k, want, "%.*s", (int)n, word);
        for (size_t i = 0; i < k; i++) /* an entry may be there twice */
            cr_assert(fast[i] == slow[i] || v.span[fast[i]].n == v.span[slow[i]].n);
    }
    wordpiece_release(&w);
    vocab_release(&v);
}

/* ---- normal forms ---------------------------------------------------------------------*/

Test(normal, forms_are_utf8procs)
{
    static const struct {
        const char *type;
        int how;
    } forms[] = {
        {"NFC", UTF8PROC_STABLE | UTF8PROC_COMPOSE},
        {"NFD", UTF8PROC_STABLE | UTF8PROC_DECOMPOSE},
        {"NFKC", UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT},
        {"NFKD", UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT},
    };
    static const uint32_t blocks[][2] = {
        {0x20, 0x5f},   {0xa0, 0x1ff},   {0x300, 0x5f},
        {0x1100, 0xff}, {0x1e00, 0x1ff}, {0xac00, 0xfff},
        {0x2100, 0x7f}, {0xfb00, 0x4f},  {0x900, 0x7f}};
    uint32_t x = 1;

    for (int round = 0; round < 8000; round++) {
        char text[128];
        size_t n = 0;
        utf8proc_uint8_t *want = NULL;
        struct err e = {0};
        struct passage p = {0}, given = {.text = text};
        struct normal *chain = normal_new();
        json_t *v = json_pack("{s:s}", "type", forms[round % 4].type);

        for (uint32_t k = 1 + draw(&x, 12); k > 0; k--) {
            const uint32_t *b = blocks[draw(&x, 9)];
            n += utf8_put(text + n, b[0] + draw(&x, b[1]));
        }
        given.n = n;
        const utf8proc_ssize_t len =
            utf8proc_map((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)n, &want,
                         (utf8proc_option_t)forms[round % 4].how);
        cr_assert_eq(normal_add(chain, v, "test", &e), 0);
        cr_assert_eq(passage_copy(&p, &given, 0, n, &e), 0);
        cr_assert_eq(normal_run(chain, &p, &e), 0);
        cr_assert(p.n == (size_t)len && memcmp(p.text, want, p.n) == 0, "%s, round %d",
                  forms[round % 4].type, round);
        for (size_t i = 1; i < p.n; i++)
            cr_assert(passage_end(&p, i) <= passage_end(&p, i + 1) &&
                      passage_end(&p, i + 1) <= n);
        free(want);
        json_decref(v);
        passage_release(&p);
        normal_free(chain);
    }
}

/* ---- byte tokens ----------------------------------------------------------------------*/

enum { LLAMA_BYTE = 3, LLAMA_EOS = 2 }; /* of llama2-style: <0x00> is 3 */

struct told {
    int32_t id;
    const char *text; /* after it */
    uint32_t end;
};

static void tell(struct tok *t, const struct told *v, size_t n, const char *last)
{
    struct tok_decoder d;
    struct err e = {0};

    tok_decoder_init(&d, t, TOK_SKIP_SPECIAL);
    for (int again = 0; again < 2; again++) {
        tok_decoder_reset(&d);
        for (size_t i = 0; i < n; i++) {
            cr_assert_eq(tok_decoder_push(&d, v[i].id, &e), 0);
            cr_expect_str_eq(d.text, v[i].text, "%zu: '%s'", i, d.text);
            cr_expect_eq(d.end[i], v[i].end, "%zu: %u", i, d.end[i]);
        }
        cr_assert_eq(tok_decoder_finish(&d, &e), 0);
        cr_expect_str_eq(d.text, last);
    }
    tok_decoder_release(&d);
}

#define FFFD "\xef\xbf\xbd"

Test(decoding, byte_tokens)
{
    struct tok *t;
    struct err e = {0};

    cr_assert_eq(tok_open(&t, "tests/golden/tok/llama2-style", &e), 0, "%s", e.text);
    const int32_t mark = tok_find(t, "\xe2\x96\x81"), a = tok_find(t, "a");
    const int32_t hath = tok_find(t, "\xe2\x96\x81hath");

    cr_assert(mark >= 0 && a >= 0 && hath >= 0);
    /* the blank in front goes, once; a character appears when it is whole */
    const struct told good[] = {
        {hath, "hath", 4},
        {mark, "hath ", 5},
        {LLAMA_BYTE + 0xe2, "hath ", 6},
        {LLAMA_EOS, "hath ", 6},
        {LLAMA_BYTE + 0x82, "hath ", 7},
        {LLAMA_BYTE + 0xac, "hath €", 8},
        {a, "hath €a", 9},
    };
    tell(t, good, sizeof good / sizeof *good, "hath €a");
    /* a run that is not UTF-8 is U+FFFD byte by byte, from its beginning */
    const struct told bad[] = {
        {LLAMA_BYTE + ' ', "", 0},
        {LLAMA_BYTE + 'x', "x", 1},
        {LLAMA_EOS, "x", 1},
        {LLAMA_BYTE + 0xff, FFFD FFFD FFFD, 9},
        {LLAMA_BYTE + 'y', FFFD FFFD FFFD FFFD, 12},
        {a, FFFD FFFD FFFD FFFD "a", 13},
        {LLAMA_BYTE + 'y', FFFD FFFD FFFD FFFD "ay", 14},
        {LLAMA_BYTE + 0xc3, FFFD FFFD FFFD FFFD "ay", 15},
    };
    tell(t, bad, sizeof bad / sizeof *bad, FFFD FFFD FFFD FFFD "a" FFFD FFFD);
    const struct told blanks[] = {
        {LLAMA_BYTE + ' ', "", 0}, {LLAMA_BYTE + ' ', " ", 1}, {mark, "  ", 2}};
    tell(t, blanks, sizeof blanks / sizeof *blanks, "  ");
    tok_close(t);
}

/* ---- protocol buffers -----------------------------------------------------------------*/

Test(proto, fields)
{
    static const char good[] = "\x08\x96\x01\x12\x03"
                               "abc\x1d\x00\x00\x80\x3f\x21\1\2\3\4\5\6\7\10";
    struct proto m = {good, sizeof good - 1};
    struct proto_field f;

    cr_assert_eq(proto_next(&m, &f), 1);
    cr_expect(f.number == 1 && f.type == PROTO_VARINT && f.value == 150);
    cr_assert_eq(proto_next(&m, &f), 1);
    cr_expect(f.number == 2 && f.bytes.n == 3 && memcmp(f.bytes.p, "abc", 3) == 0);
    cr_assert_eq(proto_next(&m, &f), 1);
    cr_expect_eq(proto_float(&f), 1.0f);
    cr_assert_eq(proto_next(&m, &f), 1);
    cr_expect_eq(f.value, UINT64_C(0x0807060504030201));
    cr_expect_eq(proto_next(&m, &f), 0);
}

/* Each prefix that ends inside a field is broken, and so are groups and field 0. */
Test(proto, broken)
{
    static const char good[] = "\x08\x96\x01\x12\x03"
                               "abc\x1d\x00\x00\x80\x3f";
    static const char *const bad[] = {
        "\x0b", "\x0c",     "\x0f",
        "\x02", "\x12\x7f", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"};

    for (size_t n = 0; n < sizeof good; n++) {
        struct proto m = {good, n};
        struct proto_field f;
        int rc;

        while ((rc = proto_next(&m, &f)) > 0)
            ;
        cr_expect_eq(rc, n == 0 || n == 3 || n == 8 || n == 13 ? 0 : -1, "%zu", n);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct proto m = {bad[i], strlen(bad[i])};
        struct proto_field f;

        cr_expect_eq(proto_next(&m, &f), -1, "%zu", i);
    }
}
