/* Scenes from records written by hand, against numbers counted by hand. */
#include "rec/json.h"
#include "view/scene.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CANDS = 4 };

/* A group made of JSON texts. */
struct made {
    struct rec_buf bytes[CANDS];
    struct rec rec[CANDS];
    struct rec_group g;
    struct scene s;
    struct err e;
};

static const struct scene_look all = {
    .layer = SCENE_ALL, .head = SCENE_ALL, .token = SCENE_ALL};

static int make(struct made *m, const char *const *text, const struct scene_look *look)
{
    memset(m, 0, sizeof *m);
    m->g.rec = m->rec;
    for (; text[m->g.n]; m->g.n++) {
        struct rec_buf *b = &m->bytes[m->g.n];

        cr_assert_eq(rec_json_parse(b, text[m->g.n], strlen(text[m->g.n]), &m->e), 0,
                     "%s", m->e.text);
        cr_assert_eq(rec_parse(&m->rec[m->g.n], b->p, b->n, &m->e), 0);
    }
    return scene_read(&m->s, &m->g, look, &m->e);
}

static void drop(struct made *m)
{
    scene_release(&m->s);
    for (size_t i = 0; i < m->g.n; i++) {
        rec_release(&m->rec[i]);
        free(m->bytes[i].p);
    }
}

#define PROMPT                                                                         \
    "\"kind\":\"sample\",\"id\":\"p\",\"prompt_ids\":[1,2,3],\"prompt\":\"a red "      \
    "hat\","                                                                           \
    "\"prompt_ends\":[1,5,9]"
#define TENSOR(shape, data) "{\"$nd\":[" shape "],\"type\":\"<f4\",\"data\":" data "}"
#define ATTN(layers, heads, rows)                                                      \
    "\"attn\":{\"kind\":\"self\",\"layers\":\"" layers "\",\"heads\":\"" heads         \
    "\",\"reduce\":\"mean\",\"model\":\"0\",\"rows\":" rows "}"

static const char ended[] =
    "{" PROMPT
    ",\"cand\":7,\"ids\":[4,5,6],\"text\":\"red \xc3\xa9!\",\"ends\":[4,5,6],"
    "\"finish\":\"eos\"," ATTN(
        "3:4", "mean",
        TENSOR("3,3", "[[0.5,0.25,0.0],[0.5,0.125,0.25],[0.0,1.0,0.0]]")) "}";

/* ---- tokens ---------------------------------------------------------------------------- */
/* A token that ends inside a character has all of it; the next is what is left. */
Test(scene, tokens_end_between_characters)
{
    struct made m;

    cr_assert_eq(make(&m, (const char *[]){ended, NULL}, &all), 0, "%s", m.e.text);
    const struct scene_tokens *k = &m.s.cand[0].tokens;
    cr_assert_eq(k->n, 3);
    cr_assert(rec_str_is(k->token[0], "red "));
    cr_assert(rec_str_is(k->token[1], "\xc3\xa9"));
    cr_assert(rec_str_is(k->token[2], ""));
    cr_assert(rec_str_is(m.s.prompt.token[1], " red"));
    drop(&m);
}

Test(scene, tokens_without_text_have_numbers)
{
    struct made m;

    cr_assert_eq(
        make(&m,
             (const char *[]){"{\"kind\":\"sample\",\"id\":\"p\",\"prompt_ids\":[9],"
                              "\"ids\":[-2147483648,5]}",
                              NULL},
             &all),
        0, "%s", m.e.text);
    cr_assert(rec_str_is(m.s.cand[0].tokens.token[0], " #-2147483648"));
    cr_assert(rec_str_is(m.s.cand[0].tokens.token[1], " #5"));
    drop(&m);
}

/* ---- what was read --------------------------------------------------------------------- */
static const struct {
    struct scene_look look;
    double w[3], top;
} readings[] = {
    /* the most of steps 1 and on, without the end token's: row 1; V is {1, 2} */
    {{-1, -1, -1, SCENE_BEST, 0}, {.5, .125, .25}, .25},
    {{-1, -1, -1, SCENE_MEAN, 0}, {.5, .1875, .125}, .1875},
    {{-1, -1, 0, SCENE_BEST, 0}, {.5, .25, 0}, .25},
    {{-1, -1, 2, SCENE_BEST, 0}, {0, 1, 0}, 1},
    {{-1, -1, 9, SCENE_BEST, 0}, {0, 0, 0}, 0},
    {{-1, -1, 1, SCENE_BEST, 1}, {0, 1. / 3, 2. / 3}, 2. / 3},
    {{-1, -1, -1, SCENE_MEAN, 1}, {0, 2. / 3, 1. / 3}, 2. / 3},
};

Test(scene, weights)
{
    struct made m;
    double w[6];

    cr_assert_eq(make(&m, (const char *[]){ended, NULL}, &all), 0, "%s", m.e.text);
    for (size_t i = 0; i < sizeof readings / sizeof *readings; i++) {
        const double top = scene_weights(w, &m.s, &m.s.cand[0], &readings[i].look);

        cr_expect_float_eq(top, readings[i].top, 1e-12, "case %zu: %g", i, top);
        for (size_t j = 0; j < 3; j++)
            cr_expect_float_eq(w[j], readings[i].w[j], 1e-12, "case %zu, token %zu: %g",
                               i, j, w[j]);
    }
    drop(&m);
}

/* ---- layers and heads ------------------------------------------------------------------ */
static const char each[] =
    "{" PROMPT ",\"cand\":0,\"ids\":[4],\"finish\":\"length\"," ATTN(
        "5:7", "each",
        TENSOR("2,2,1,3", "[[[[0.0,0.5,0.0]],[[0.0,0.25,0.0]]],[[[0.0,0.0,1.0]],[[1.0,"
                          "0.0,0.0]]]]")) "}";

static const struct {
    long layer, head;
    double w[3];
} planes[] = {
    {-1, -1, {.25, .1875, .25}}, {5, -1, {0, .375, 0}}, {6, -1, {.5, 0, .5}},
    {-1, 1, {.5, .125, 0}},      {5, 1, {0, .25, 0}},   {6, 0, {0, 0, 1}},
};

Test(scene, layers_and_heads)
{
    for (size_t i = 0; i < sizeof planes / sizeof *planes; i++) {
        const struct scene_look look = {planes[i].layer, planes[i].head, 0, SCENE_BEST,
                                        0};
        struct made m;
        double w[6];

        cr_assert_eq(make(&m, (const char *[]){each, NULL}, &look), 0, "%s", m.e.text);
        scene_weights(w, &m.s, &m.s.cand[0], &look);
        for (size_t j = 0; j < 3; j++)
            cr_expect_float_eq(w[j], planes[i].w[j], 1e-12, "case %zu: %g", i, w[j]);
        drop(&m);
    }
}

Test(scene, masses_of_planes)
{
    const double want[4] = {.5, .25, 1, 0};
    double mass[4];
    struct made m;

    cr_assert_eq(make(&m, (const char *[]){each, NULL}, &all), 0, "%s", m.e.text);
    scene_planes(mass, &m.s, &m.s.cand[0], &all);
    for (size_t k = 0; k < 4; k++)
        cr_expect_float_eq(mass[k], want[k], 1e-12, "%zu: %g", k, mass[k]);
    drop(&m);
}

static const struct {
    struct scene_look look;
    const char *text, *says;
    int code;
} refused[] = {
    {{7, -1, -1, 0, 0}, each, "layer 7: the records have 5 to 6", ERR_USAGE},
    {{4, -1, -1, 0, 0}, each, "layer 4: the records have 5 to 6", ERR_USAGE},
    {{-1, 2, -1, 0, 0}, each, "head 2: the records have 0 to 1", ERR_USAGE},
    {{-1, 0, -1, 0, 0}, ended, "not kept apart", ERR_USAGE},
    {{-1, -1, -1, 0, 0},
     "{" PROMPT
     ",\"ids\":[4]," ATTN("0:1", "mean", TENSOR("1,3", "[[0.0,\"nan\",0.0]]")) "}",
     "field 'attn'",
     ERR_NUMERIC},
    {{-1, -1, -1, 0, 0},
     "{" PROMPT ",\"ids\":[4],\"explain\":{\"terms\":[{\"value\":1}]}}",
     "a term without a name",
     ERR_RECORD},
    {{-1, -1, -1, 0, 0},
     "{" PROMPT
     ",\"ids\":[4],\"explain\":{\"words\":[{\"word\":\"x\",\"positions\":[3]}]}}",
     "a position is not in the prompt",
     ERR_RECORD},
    {{-1, -1, -1, 0, 0},
     "{" PROMPT ",\"ids\":[4],\"explain\":{\"repeated\":[[0,2]],\"copied\":[]}}",
     "a span that is not in the answer",
     ERR_RECORD},
    {{-1, -1, -1, 0, 0},
     "{" PROMPT ",\"ids\":[4],\"explain\":{\"repeated\":[[0,1,1]],\"copied\":[]}}",
     "a span that is not two tokens",
     ERR_RECORD},
};

Test(scene, refuses)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct made m;

        cr_expect_eq(
            make(&m, (const char *[]){refused[i].text, NULL}, &refused[i].look),
            refused[i].code, "case %zu: %s", i, m.e.text);
        cr_expect(strstr(m.e.text, refused[i].says), "case %zu: %s", i, m.e.text);
        drop(&m);
    }
}

Test(scene, candidates_have_one_prompt)
{
    struct made m;

    cr_assert_eq(
        make(&m,
             (const char *[]){
                 "{\"kind\":\"sample\",\"id\":\"p\",\"prompt_ids\":[1],\"ids\":[]}",
                 "{\"kind\":\"sample\",\"id\":\"p\",\"prompt_ids\":[2],\"ids\":[]}",
                 NULL},
             &all),
        ERR_RECORD);
    drop(&m);
}

/* ---- rewards --------------------------------------------------------------------------- */
#define BARE "\"kind\":\"sample\",\"id\":\"p\",\"prompt_ids\":[1],\"ids\":[1,2,1,2,1,2]"

/* Best first, equal ones as they came, those without a reward last. */
Test(scene, order)
{
    const char *text[] = {"{" BARE ",\"reward\":null}", "{" BARE ",\"reward\":-1.0}",
                          "{" BARE ",\"reward\":2.0}", "{" BARE ",\"reward\":-1.0}",
                          NULL};
    const size_t want[] = {2, 1, 3, 0};
    struct made m;

    cr_assert_eq(make(&m, text, &all), 0, "%s", m.e.text);
    for (size_t i = 0; i < 4; i++)
        cr_expect_eq(m.s.order[i], want[i], "place %zu has %zu", i, m.s.order[i]);
    drop(&m);
}

#define PARTS                                                                          \
    "\"rewards\":{\"coverage\":0.02,\"focus\":0.2,\"coherence\":-2.0,\"repetition\":"  \
    "0.5,"                                                                             \
    "\"copy\":0.0,\"no_end\":1.0,\"short\":0.0,\"lexical\":0.9}"

/* 10 .02 + 1.5 .2 - .1 2 - 2 .5 - .125 = -.825: the default sum's weights, or none. */
static const struct {
    const char *reward;
    int weighed;
} sums[] = {{"-0.825", 1}, {"-0.8250001", 0}, {"null", 0}};

Test(scene, weights_of_a_known_sum_only)
{
    for (size_t i = 0; i < 3; i++) {
        char text[512];
        struct made m;
        double sum = 0;

        snprintf(text, sizeof text, "{" BARE "," PARTS ",\"reward\":%s}",
                 sums[i].reward);
        cr_assert_eq(make(&m, (const char *[]){text, NULL}, &all), 0, "%s", m.e.text);
        const struct scene_cand *c = &m.s.cand[0];
        cr_expect_eq(scene_weighed(c), sums[i].weighed, "case %zu", i);
        for (size_t k = 0; k < c->terms; k++)
            sum += scene_share(&c->term[k]);
        if (sums[i].weighed)
            cr_expect_float_eq(sum, c->reward, 1e-12);
        else
            cr_expect(isnan(sum));
        drop(&m);
    }
}

/* What explain says wins over what would be found. */
Test(scene, explained)
{
    const char *text[] = {
        "{" BARE ",\"reward\":1.0,\"explain\":{\"reward\":1.0,\"terms\":[{\"name\":"
        "\"mine\",\"value\":2.0,"
        "\"weight\":0.5}],\"words\":[{\"word\":\"w\",\"positions\":[0],\"weight\":1.0,"
        "\"best\":0.5,"
        "\"step\":3,\"read\":false}],\"repeated\":[[1,3]],\"copied\":[[0,1],[4,6]]}}",
        NULL};
    struct made m;

    cr_assert_eq(make(&m, text, &all), 0, "%s", m.e.text);
    const struct scene_cand *c = &m.s.cand[0];
    cr_assert(c->terms == 1 && c->words == 1 && c->repeated.n == 1 && c->copied.n == 2);
    cr_expect_float_eq(scene_share(&c->term[0]), 1, 1e-12);
    cr_expect(c->word[0].hardly && c->word[0].step == 3 && c->word[0].pos[0] == 0);
    cr_expect(c->repeated.span[0].from == 1 && c->repeated.span[0].to == 3);
    cr_expect(c->copied.span[1].from == 4 && c->copied.span[1].to == 6);
    drop(&m);
}

/* 1 2 1 2 1 2: the trigrams at 2 and 3 were there before; of a prompt of one token, 1, a
 * copy is as short. */
Test(scene, spans_are_found)
{
    struct made m;

    cr_assert_eq(make(&m, (const char *[]){"{" BARE "}", NULL}, &all), 0, "%s",
                 m.e.text);
    const struct scene_cand *c = &m.s.cand[0];
    cr_assert_eq(c->repeated.n, 1);
    cr_expect(c->repeated.span[0].from == 2 && c->repeated.span[0].to == 6);
    cr_assert_eq(c->copied.n, 3);
    cr_expect(c->copied.span[1].from == 2 && c->copied.span[1].to == 3);
    drop(&m);
}
