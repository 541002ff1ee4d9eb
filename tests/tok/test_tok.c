/*
 * What the golden vectors do not reach: offsets, added tokens' flags, WordLevel, decoding
 * piece by piece, what is refused, writing.
 */
#include "base/file.h"
#include "tok/bpe.h"
#include "tok/tok.h"
#include "tok/utf8.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A tokenizer.json of this text, opened; the file is gone again. */
static int open_text(struct tok **t, const char *json, struct err *e)
{
    char path[] = "/tmp/cagsr-test-XXXXXX.json";
    const int fd = mkstemps(path, 5);

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, json, strlen(json)), (ssize_t)strlen(json));
    close(fd);
    const int rc = tok_open(t, path, e);
    unlink(path);
    return rc;
}

static struct tok *open_good(const char *json)
{
    struct tok *t;
    struct err e = {0};

    cr_assert_eq(open_text(&t, json, &e), 0, "%s", e.text);
    return t;
}

/* "7:3 8:5": ids and where they end. */
static const char *encoded(struct tok *t, const char *text, size_t n)
{
    static char out[1024];
    struct tok_ids ids = {0};
    struct err e = {0};
    size_t at = 0;

    out[0] = '\0';
    if (tok_encode(t, text, n, TOK_ADD_SPECIAL, &ids, &e) < 0)
        return "error";
    for (size_t i = 0; i < ids.n; i++)
        at += (size_t)snprintf(out + at, sizeof out - at, "%s%d:%u", i ? " " : "",
                               ids.id[i], ids.end[i]);
    tok_ids_release(&ids);
    return out;
}

#define BYTE_LEVEL                                                                     \
    "\"decoder\":{\"type\":\"ByteLevel\"},\"pre_tokenizer\":{\"type\":\"ByteLevel\","  \
    "\"add_prefix_space\":false,\"use_regex\":true}"
#define MODEL                                                                          \
    "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"\304\240\":2,\"ab\":3,"  \
    "\"\303\203\":4,\"\302\251\":5,\"\303\203\302\251\":6,\"\304\240a\":7,\"c\":8},"   \
    "\"merges\":[\"a b\",[\"\303\203\",\"\302\251\"],\"\304\240 a\"]}"

Test(tok, offsets)
{
    struct tok *t = open_good("{" BYTE_LEVEL "," MODEL "}");

    cr_expect_str_eq(encoded(t, "ab a", 4), "3:2 7:4");
    cr_expect_str_eq(encoded(t, "a\303\251b", 4), "0:1 6:3 1:4");
    cr_expect_str_eq(encoded(t, "", 0), "");
    cr_expect_str_eq(encoded(t, "\377", 1), "error");
    /* bytes without a token are dropped: the next token covers them */
    cr_expect_str_eq(encoded(t, "zab", 3), "3:3");
    cr_expect_str_eq(encoded(t, "abz", 3), "3:2");
    cr_expect_str_eq(encoded(t, "azzb", 4), "3:4");
    cr_expect_str_eq(encoded(t, "az a", 4), "0:1 7:4");
    tok_close(t);
}

/* e + U+0301 becomes one character; its token ends where the first of the two did. */
Test(tok, offsets_through_nfc)
{
    struct tok *t =
        open_good("{\"normalizer\":{\"type\":\"NFC\"}," BYTE_LEVEL "," MODEL "}");

    cr_expect_str_eq(encoded(t, "ae\314\201b", 5), "0:1 6:2 1:5");
    cr_expect_str_eq(encoded(t, "e\314\201e\314\201", 6), "6:1 6:4");
    tok_close(t);
}

/* It ends where the character behind it does, for which nothing is left. */
Test(tok, prefix_space)
{
    struct tok *t = open_good("{\"decoder\":{\"type\":\"ByteLevel\"},\"pre_tokenizer\":"
                              "{\"type\":\"ByteLevel\","
                              "\"add_prefix_space\":true}," MODEL "}");

    cr_expect_str_eq(encoded(t, "a a", 3), "7:1 7:3");
    cr_expect_str_eq(encoded(t, "bb", 2), "2:1 1:1 1:2");
    tok_close(t);
}

#define ADDED(flags)                                                                   \
    "{\"added_tokens\":[{\"id\":20,\"content\":\"<x>\"" flags "},"                     \
    "{\"id\":21,\"content\":\"<x>y\",\"special\":true}]," BYTE_LEVEL "," MODEL "}"

Test(tok, added_tokens)
{
    struct tok *t = open_good(ADDED(""));

    cr_expect_str_eq(encoded(t, "a<x>b", 5), "0:1 20:4 1:5");
    cr_expect_str_eq(encoded(t, "a<x>yb", 6), "0:1 21:5 1:6"); /* the longest */
    cr_expect_str_eq(encoded(t, "<x><x>", 6), "20:3 20:6");
    cr_expect_str_eq(encoded(t, "a <x> b", 7), "0:1 2:2 20:5 2:6 1:7");
    cr_expect_eq(tok_is_special(t, 21), 1);
    cr_expect_eq(tok_is_special(t, 20), 0);
    cr_expect_eq(tok_is_special(t, 1 << 20), 0);
    tok_close(t);
    /* the model's own id for a text that it has */
    t = open_good("{\"added_tokens\":[{\"id\":20,\"content\":\"b\"}]," BYTE_LEVEL
                  "," MODEL "}");
    cr_expect_str_eq(encoded(t, "ab", 2), "0:1 1:2");
    tok_close(t);
    t = open_good(ADDED(",\"lstrip\":true"));
    cr_expect_str_eq(encoded(t, "a \t<x> b", 8), "0:1 20:6 2:7 1:8");
    tok_close(t);
    t = open_good(ADDED(",\"rstrip\":true"));
    cr_expect_str_eq(encoded(t, "a <x> b", 7), "0:1 2:2 20:6 1:7");
    tok_close(t);
    t = open_good(ADDED(",\"single_word\":true"));
    cr_expect_str_eq(encoded(t, "a <x> b", 7), "0:1 2:2 20:5 2:6 1:7");
    cr_expect_str_neq(encoded(t, "a<x>b", 5), "0:1 20:4 1:5");
    tok_close(t);
}

/* White space that <x> takes is looked through for the next one, which may be all of it:
 * then the rest of it is text again. */
Test(tok, added_tokens_in_white_space)
{
    struct tok *t = open_good(
        "{\"added_tokens\":[{\"id\":20,\"content\":\"<x>\",\"rstrip\":true},"
        "{\"id\":21,\"content\":\" <y>\"},{\"id\":22,\"content\":\"\\n\"},"
        "{\"id\":23,\"content\":\"\\t\",\"lstrip\":true}]," BYTE_LEVEL "," MODEL "}");

    cr_expect_str_eq(encoded(t, "a<x>  <y>b", 10), "0:1 20:6 21:9 1:10");
    cr_expect_str_eq(encoded(t, "a<x> <y>", 8), "0:1 20:5 21:8");
    cr_expect_str_eq(encoded(t, "<x>\n  b", 7), "20:6 22:6 2:6 2:6 1:7");
    cr_expect_str_eq(encoded(t, "<x> \t b", 7), "20:6 23:6 2:6 1:7");
    tok_close(t);
}

#define WORDS(pre)                                                                     \
    "{\"pre_tokenizer\":{\"type\":\"" pre "\"},\"decoder\":null,\"added_tokens\":"     \
    "[{\"id\":0,\"content\":\"<eos>\",\"special\":true}],\"model\":{\"type\":"         \
    "\"WordLevel\",\"vocab\":{\"<eos>\":0,\"ann\":1,\"red\":2,\".\":3,\"<unk>\":4},"   \
    "\"unk_token\":\"<unk>\"}}"

Test(tok, words)
{
    static const int32_t ids[] = {1, 2, 0, 3};
    struct tok *t = open_good(WORDS("WhitespaceSplit"));
    struct err e = {0};
    char *text;
    size_t n;

    cr_expect_str_eq(encoded(t, "ann  red .", 10), "1:3 2:8 3:10");
    cr_expect_str_eq(encoded(t, "ann red.", 8), "1:3 4:8");
    cr_assert_eq(tok_decode(t, ids, 4, TOK_SKIP_SPECIAL, &text, &n, &e), 0);
    cr_expect_str_eq(text, "ann red .");
    free(text);
    cr_assert_eq(tok_decode(t, ids, 4, TOK_SHOW_ALL, &text, &n, &e), 0);
    cr_expect_str_eq(text, "ann red <eos> .");
    free(text);
    tok_close(t);
    t = open_good(WORDS("Whitespace"));
    cr_expect_str_eq(encoded(t, "ann red.", 8), "1:3 2:7 3:8");
    tok_close(t);
}

/* ---- decoding -------------------------------------------------------------------------*/

/* A character in three tokens appears when it is whole; one that never is becomes one
 * U+FFFD; a start byte that is not followed up gives way. */
Test(tok, decoder_waits)
{
    struct tok *t;
    struct tok_decoder d;
    struct err e = {0};
    int32_t byte[256];
    static const unsigned char euro[] = {0xe2, 0x82, 0xac, 'x', 0xe2, 0x82, 'y', 0xf0};
    static const char *const after[] = {
        "", "", "€", "€x", "€x", "€x", "€x\xef\xbf\xbdy", "€x\xef\xbf\xbdy"};

    cr_assert_eq(tok_open(&t, "tests/golden/tok/gpt2-style", &e), 0, "%s", e.text);
    for (int32_t id = 0; id < (int32_t)tok_size(t); id++) {
        size_t n;
        const char *s = tok_bytes(t, id, &n);
        if (n == 1)
            byte[(unsigned char)*s] = id;
    }
    tok_decoder_init(&d, t, TOK_SHOW_ALL);
    for (size_t i = 0; i < sizeof euro; i++) {
        cr_assert_eq(tok_decoder_push(&d, byte[euro[i]], &e), 0);
        cr_expect_str_eq(d.text, after[i], "%zu", i);
    }
    cr_assert_eq(tok_decoder_finish(&d, &e), 0);
    cr_expect_str_eq(d.text, "€x\xef\xbf\xbdy\xef\xbf\xbd");
    for (size_t i = 0; i < d.tokens; i++) {
        cr_expect_leq(d.end[i], d.n);
        if (i > 0)
            cr_expect_geq(d.end[i], d.end[i - 1]);
    }
    cr_expect_eq(d.end[1], 2);
    cr_expect_eq(d.end[2], 3);
    cr_assert_eq(tok_decoder_push(&d, -1, &e), 0);
    cr_assert_eq(tok_decoder_push(&d, INT32_MAX, &e), 0);
    tok_decoder_release(&d);
    tok_close(t);
}

/* Any bytes in, UTF-8 out. */
Test(tok, decoded_is_utf8)
{
    struct tok *t;
    struct err e = {0};
    uint32_t x = 12345;

    cr_assert_eq(tok_open(&t, "tests/golden/tok/gpt2-style", &e), 0, "%s", e.text);
    for (int round = 0; round < 2000; round++) {
        int32_t id[24];
        char *text;
        size_t n;

        for (size_t i = 0; i < 24; i++) {
            x = x * 1664525u + 1013904223u;
            id[i] = (int32_t)((x >> 8) % 256); /* the byte tokens */
        }
        cr_assert_eq(tok_decode(t, id, 24, TOK_SHOW_ALL, &text, &n, &e), 0);
        cr_assert_eq(utf8_valid(text, n), n);
        free(text);
    }
    tok_close(t);
}

/* ---- refused --------------------------------------------------------------------------*/

struct bad {
    const char *json, *names; /* the sentence has this */
};

static const struct bad bad[] = {
    {"{", ".json"},
    {"[]", "tokenizer.json"},
    {"{}", "'model'"},
    {"{\"model\":{\"type\":\"Other\"}}", "'Other'; supported: BPE"},
    {"{\"model\":{\"type\":\"Unigram\"}}", "'vocab'"},
    {"{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\"]]}}", "[piece, score]"},
    {"{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",0]],\"unk_id\":1}}",
     "'unk_id'"},
    {"{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":0}}}", "'unk_token'"},
    {"{\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"?\"}"
     "," MODEL "}",
     "base64"},
    {"{\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":"
     "\"/////w==\"}," MODEL "}",
     "charsmap"},
    {"{\"decoder\":{\"type\":\"Other\"}," MODEL "}", "'Other'; supported"},
    {"{\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Fuse\"},{"
     "\"type\":\"Strip\",\"content\":\" \",\"stop\":1}]}," MODEL "}",
     "behind 'Fuse'"},
    {"{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":"
     "\"ByteLevel\"},{\"type\":\"Digits\"}]}," MODEL "}",
     "behind 'ByteLevel'"},
    {"{\"model\":{\"type\":\"BPE\",\"vocab\":[],\"merges\":[]}}", "'vocab'"},
    {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1},\"merges\":[]}}", "'a'"},
    {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":1e99},\"merges\":[]}}", ""},
    {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":99999999},\"merges\":[]}}",
     "99999999"},
    {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":1,\"b\":1},\"merges\":[]}}",
     "both"},
    {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a b\"]}}",
     "the second"},
    {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a a\"]}}",
     "what they make"},
    {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"aa\"]}}",
     "merge 0"},
    {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[7]}}", "merges"},
    {"{" BYTE_LEVEL
     ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"vocab\":{\"a\":0},"
     "\"merges\":[]}}",
     "byte_fallback"},
    {"{\"normalizer\":{\"type\":\"Prepend\"}," BYTE_LEVEL "," MODEL "}", "'prepend'"},
    {"{\"normalizer\":{\"type\":\"Other\"}," BYTE_LEVEL "," MODEL "}",
     "'Other'; supported"},
    {"{\"pre_tokenizer\":{\"type\":\"Other\"}," MODEL "}", "'Other'; supported"},
    {"{\"pre_tokenizer\":{\"type\":\"Metaspace\"}," MODEL "}", "'replacement'"},
    {"{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"ab\"}," MODEL "}",
     "one character"},
    {"{\"decoder\":{\"type\":\"ByteLevel\"},\"pre_tokenizer\":{\"type\":\"Split\","
     "\"pattern\":{\"Regex\":\"(\"},\"behavior\":\"Isolated\"}," MODEL "}",
     "'('"},
    {"{\"decoder\":{\"type\":\"ByteLevel\"},\"pre_tokenizer\":{\"type\":\"Split\","
     "\"pattern\":{\"Regex\":\"[a[b]]\"},\"behavior\":\"Isolated\"}," MODEL "}",
     "'[b]]'"},
    {"{\"post_processor\":{\"type\":\"Other\"}," BYTE_LEVEL "," MODEL "}", "'Other'"},
};

Test(tok, refused)
{
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tok *t;
        struct err e = {0};

        cr_expect_eq(open_text(&t, bad[i].json, &e), ERR_FILE, "%zu: %s", i, e.text);
        cr_expect_not_null(strstr(e.text, bad[i].names), "%zu: %s", i, e.text);
        cr_expect_null(t);
    }
}

/* Every prefix of a good file is refused. */
Test(tok, cut)
{
    static const char good[] = ADDED("");

    for (size_t n = 0; n + 1 < sizeof good - 1; n++) {
        char part[sizeof good];
        struct tok *t;
        struct err e = {0};

        memcpy(part, good, n);
        part[n] = '\0';
        cr_expect_eq(open_text(&t, part, &e), ERR_FILE, "%zu", n);
    }
}

/* ---- merges ---------------------------------------------------------------------------*/

/* The definition, slowly: the lowest rank anywhere, leftmost first, again and again. */
static size_t merge_slowly(const struct bpe *b, int32_t *id, size_t n)
{
    for (;;) {
        const struct bpe_merge *best = NULL;
        size_t at = 0;

        for (size_t i = 0; i + 1 < n; i++) {
            const struct bpe_merge *m = bpe_find(b, id[i], id[i + 1]);
            if (m && (!best || m->rank < best->rank)) {
                best = m;
                at = i;
            }
        }
        if (!best)
            return n;
        id[at] = best->id;
        memmove(id + at + 1, id + at + 2, (n - at - 2) * sizeof *id);
        n--;
    }
}

Test(bpe, agrees_with_its_definition)
{
    enum { N = 200 };
    struct bpe b;
    struct err e = {0};
    uint32_t x = 7;

    cr_assert_eq(bpe_init(&b, 400, &e), 0);
    for (int i = 0; i < 256; i++)
        b.byte_id[i] = i % 4; /* four letters, so that much merges */
    for (uint32_t r = 0; r < 400; r++) {
        const int32_t top = 4 + (int32_t)r;
        x = x * 1664525u + 1013904223u;
        const int32_t l = (int32_t)((x >> 10) % (uint32_t)top);
        x = x * 1664525u + 1013904223u;
        const int32_t rr = (int32_t)((x >> 10) % (uint32_t)top);
        bpe_add(&b, l, rr, top, r * 7919 % 400);
    }
    for (int round = 0; round < 300; round++) {
        unsigned char word[N];
        int32_t slow[N], fast[N];
        uint32_t len[N];
        const size_t n = 1 + (size_t)round % (N - 1);
        size_t bytes = 0;

        for (size_t i = 0; i < n; i++) {
            x = x * 1664525u + 1013904223u;
            word[i] = (unsigned char)(x >> 24);
            slow[i] = word[i] % 4;
        }
        const size_t want = merge_slowly(&b, slow, n);
        for (int again = 0; again < 2; again++) { /* the second time from the cache */
            const int64_t k = bpe_encode(&b, word, n, fast, len, &e);

            cr_assert_eq(k, (int64_t)want, "%d", round);
            cr_assert_eq(memcmp(slow, fast, want * sizeof *slow), 0, "%d", round);
        }
        for (size_t i = 0; i < want; i++)
            bytes += len[i];
        cr_expect_eq(bytes, n);
    }
    bpe_release(&b);
}

/* ---- writing --------------------------------------------------------------------------*/

static char *smollm2(void)
{
    const char *path = getenv("CAGSR_SMOLLM2");

    return strdup(path ? path : "build/models/SmolLM2-135M-Instruct.Q4_1.gguf");
}

/* GGUF to tokenizer.json and back: the same ids, stops and template. */
Test(tok, saved_from_gguf)
{
    char *model = smollm2(), dir[] = "/tmp/cagsr-test-XXXXXX", out[64];
    static const char text[] = "<|im_start|>user\nIn 1984, 12 don't\n\n  sleep. é 漢字 "
                               "🙂<|im_end|>";
    struct checkpoint c = {0};
    struct tok *a, *b;
    struct tok_ids x = {0}, y = {0};
    struct err e = {0};
    const char *where;
    size_t n, k;

    if (!file_exists(model))
        cr_skip_test("no SmolLM2: set CAGSR_SMOLLM2 to its .gguf");
    cr_assert_not_null(mkdtemp(dir));
    snprintf(out, sizeof out, "%s/m", dir);
    cr_assert_eq(checkpoint_begin(&c, out, CHECKPOINT_NEW, &e), 0, "%s", e.text);
    cr_assert_eq(tok_save(model, &c, &e), 1, "%s", e.text);
    cr_assert_eq(checkpoint_commit(&c, &e), 0, "%s", e.text);
    checkpoint_abort(&c);
    cr_assert_eq(tok_open(&a, model, &e), 0, "%s", e.text);
    cr_assert_eq(tok_open(&b, out, &e), 0, "%s", e.text);
    cr_assert_eq(tok_encode(a, text, sizeof text - 1, TOK_ADD_SPECIAL, &x, &e), 0);
    cr_assert_eq(tok_encode(b, text, sizeof text - 1, TOK_ADD_SPECIAL, &y, &e), 0);
    cr_assert_eq(x.n, y.n);
    cr_expect_eq(memcmp(x.id, y.id, x.n * sizeof *x.id), 0);
    cr_expect_eq(memcmp(x.end, y.end, x.n * sizeof *x.end), 0);
    cr_expect_eq(tok_size(a), tok_size(b));
    cr_expect_eq(tok_eos(a), tok_eos(b));
    cr_expect_eq(tok_bos(a), tok_bos(b));
    cr_expect_eq(tok_stops(a, &n)[0], tok_stops(b, &k)[0]);
    cr_expect_eq(n, k);
    cr_expect_str_eq(tok_chat_template(a, &where), tok_chat_template(b, &where));
    tok_ids_release(&x);
    tok_ids_release(&y);
    tok_close(a);
    tok_close(b);
    char cmd[128];
    snprintf(cmd, sizeof cmd, "rm -r %s", dir);
    cr_expect_eq(system(cmd), 0);
    free(model);
}
