#include "reward/salient.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAXP = 64 };

/* A prompt written with | between tokens and {} around what is not the user's. */
struct prompt {
    char text[512];
    uint32_t ends[MAXP];
    unsigned char mask[MAXP], support[MAXP];
    struct prompt_text p;
    struct words w;
    struct salient s;
};

static void cut(struct prompt *x, const char *spec)
{
    size_t n = 0, P = 0, open = 0;
    int mine = 1;

    memset(x, 0, sizeof *x);
    for (; *spec; spec++) {
        if (*spec == '|' || *spec == '{' || *spec == '}') {
            if (*spec == '|' || n > open) {
                x->mask[P] = (unsigned char)mine;
                x->ends[P++] = (uint32_t)n;
                open = n;
            }
            mine = *spec == '{' ? 0 : *spec == '}' ? 1 : mine;
        } else {
            x->text[n++] = *spec;
        }
    }
    if (n > open) {
        x->mask[P] = (unsigned char)mine;
        x->ends[P++] = (uint32_t)n;
    }
    x->p = (struct prompt_text){x->text, n, x->ends, P, x->mask};
}

/* "word:positions(weight) ..." */
static const char *pick(struct prompt *x, const char *spec, enum salient_mode mode,
                        const struct df *df)
{
    static char out[2048];
    const struct salient_rules rules = {mode, df, NULL};
    struct err e = {0};
    size_t at = 0;

    cut(x, spec);
    out[0] = 0;
    salient_support(x->support, &x->p);
    cr_assert_eq(salient_words(&x->w, &x->p, &e), 0);
    cr_assert_eq(salient_pick(&x->s, &x->w, &x->p, x->support, &rules, &e), 0);
    for (size_t g = 0; g < x->s.n; g++) {
        at += (size_t)snprintf(out + at, sizeof out - at, "%s%s:", g ? " " : "",
                               strtab_text(&x->w.types, x->s.type[g]));
        for (size_t i = 0; i < x->s.group[g].n; i++)
            at += (size_t)snprintf(out + at, sizeof out - at, "%s%u", i ? "," : "",
                                   x->s.group[g].pos[i]);
    }
    return out;
}

static void done(struct prompt *x)
{
    words_release(&x->w);
    salient_release(&x->s);
}

static const struct {
    enum salient_mode mode;
    const char *prompt, *want;
} cases[] = {
    /* stop words and punctuation are out; the pieces of a word are one group */
    {SALIENT_IDF, "{<s>}What| is| the| cap|ital| of| Fr|ance|?",
     "capital:4,5 france:7,8"},
    /* all places of a type are one group */
    {SALIENT_IDF, "{<s>}Cats| like| cats|,| big| cats|.", "cats:1,3,6 big:5"},
    /* position 0 is the sink, though its word counts elsewhere */
    {SALIENT_IDF, "cat| and| cat| food", "cat:2 food:3"},
    {SALIENT_IDF, "cat| and| dog", "dog:2"},
    /* the template and the system prompt are not the user's */
    {SALIENT_IDF, "{<sys>| helpful| robot}Plant| trees{ assistant}", "plant:3 trees:4"},
    /* a digit is content, a capital inside a sentence too, I is not */
    {SALIENT_IDF, "{<s>}Then| I| met| Will| in| 7| days|.", "met:3 will:4 7:6 days:7"},
    /* one token, two words: it is a place of both */
    {SALIENT_IDF, "{<s>}red cup| blue", "red:1 cup:1 blue:2"},
    {SALIENT_IDF, "{<s>}?!| ...", ""},
    {SALIENT_SENTENCE,
     "{<s>}ann| red| cup| .| bob| blue| hat| .| eve| gold| key| .| ask| bob| :",
     "bob:5,14 blue:6 hat:7 ask:13"},
    /* a word of the chosen sentence does not count where it stands elsewhere */
    {SALIENT_SENTENCE, "{<s>}ann| red| hat| .| bob| blue| hat| .| ask| bob| :| bob",
     "hat:7 bob:5,10,12 blue:6 ask:9"},
    /* no word is top alone: all sentences hold one that is */
    {SALIENT_SENTENCE, "{<s>}red| cup|.| blue| hat|.", "red:1 cup:2 blue:4 hat:5"},
    {SALIENT_TOP, "{<s>}red| cup| blue| hat", "red:1 cup:2"},
    {SALIENT_TOP, "{<s>}red| cup| blue| hat| 9", "red:1 cup:2 blue:3 9:5"},
    {SALIENT_TOP, "{<s>}red", "red:1"},
};

Test(salient, table)
{
    struct prompt x;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *got = pick(&x, cases[i].prompt, cases[i].mode, NULL);

        cr_expect_str_eq(got, cases[i].want, "%s gives '%s', not '%s'", cases[i].prompt,
                         got, cases[i].want);
        done(&x);
    }
}

Test(salient, support)
{
    const unsigned char want[] = {0, 1, 0, 1, 0, 0, 1, 0, 0};
    struct prompt x;

    /* template, word, comma, word, blank, empty, symbol, full stop, template */
    cut(&x, "{<s>}red|,| cup|  || +|.{</s>}");
    salient_support(x.support, &x.p);
    cr_assert_eq(x.p.P, sizeof want);
    cr_expect_arr_eq(x.support, want, sizeof want);
}

static struct df *table_of(const char *const *doc, size_t n)
{
    struct words w = {0};
    struct err e = {0};
    struct df *d;

    cr_assert_eq(df_new(&d, &e), 0);
    for (size_t i = 0; i < n; i++) {
        words_clear(&w);
        cr_assert_eq(words_add(&w, doc[i], 0, strlen(doc[i]), &e), 0);
        cr_assert_eq(df_add(d, &w, &e), 0);
    }
    words_release(&w);
    return d;
}

Test(salient, rare_words_weigh_more)
{
    static const char *const docs[] = {"red cup", "red hat hat", "red key", "blue map"};
    struct df *d = table_of(docs, 4);
    struct prompt x;

    cr_expect_eq(df_docs(d), 4);
    cr_expect_eq(df_count(d, "red", 3), 3);
    cr_expect_eq(df_count(d, "hat", 3), 1);
    cr_expect_eq(df_count(d, "nil", 3), 0);
    pick(&x, "{<s>}red| map| nil", SALIENT_IDF, d);
    cr_assert_eq(x.s.n, 3);
    cr_expect_float_eq(x.s.group[0].weight, log(5.0 / 4) + 1, 1e-15);
    cr_expect_float_eq(x.s.group[1].weight, log(5.0 / 2) + 1, 1e-15);
    cr_expect_float_eq(x.s.group[2].weight, log(5.0) + 1, 1e-15);
    done(&x);
    cr_expect_str_eq(pick(&x, "{<s>}red| cup|.| red| map|.| nil", SALIENT_SENTENCE, d),
                     "nil:7");
    done(&x);
    cr_expect_str_eq(pick(&x, "{<s>}red| map| nil| cup", SALIENT_TOP, d),
                     "map:2 nil:3");
    done(&x);
    df_free(d);
}

Test(salient, own_stop_words)
{
    struct strtab stop = {0};
    const struct salient_rules rules = {SALIENT_IDF, NULL, &stop};
    struct prompt x;
    struct err e = {0};

    cr_assert_geq(strtab_add(&stop, "rot", 3, &e), 0);
    cut(&x, "{<s>}der| rot|e| rot| the");
    salient_support(x.support, &x.p);
    cr_assert_eq(salient_words(&x.w, &x.p, &e), 0);
    cr_assert_eq(salient_pick(&x.s, &x.w, &x.p, x.support, &rules, &e), 0);
    cr_assert_eq(x.s.n, 3);
    cr_expect_str_eq(strtab_text(&x.w.types, x.s.type[1]), "rote");
    done(&x);
    strtab_release(&stop);
}
