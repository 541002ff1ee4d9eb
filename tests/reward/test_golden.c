/*
 * Every case of golden/reward (numpy, float64) through attn/ and reward/, to 1e-12.
 * CAGSR_GOLDEN names another golden directory.
 */
#include "base/json.h"
#include "reward/combine.h"
#include "reward/coverage.h"
#include "reward/df.h"
#include "reward/focus.h"
#include "reward/ngram.h"
#include "reward/turns.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* What the tests make lives until they end: memory, tables and files, freed by `forget`. */
static struct kept {
    void *p;
    void (*free)(void *);
    struct kept *next;
} * kept;

static void *keep(void *p, void (*release)(void *))
{
    struct kept *k = malloc(sizeof *k);

    cr_assert(p && k);
    *k = (struct kept){p, release, kept};
    kept = k;
    return p;
}

static void forget(void)
{
    for (struct kept *k = kept, *next; k; k = next) {
        next = k->next;
        k->free(k->p);
        free(k);
    }
    kept = NULL;
}

TestSuite(golden, .fini = forget);

/* One case as arrays. */
struct gold {
    const json_t *in, *params;
    char name[96];
    size_t T, P, H, G, nkept, nall;
    int ended;
    int32_t *ids, *history;
    unsigned char *mask;
    uint32_t *pos, *all, *S;
    struct salient_group *group;
    double *A, *mass, *mass_all, *h, *h_all;
    size_t *kept, *kept_all;
    struct attn_rows rows, whole; /* over the support, over the whole prompt */
    struct ngram_table table;
};

static void *zeros(size_t n, size_t size)
{
    return keep(calloc(n + 1, size), free);
}

static void forget_json(void *p)
{
    json_decref(p);
}

static void forget_table(void *p)
{
    ngram_table_release(p);
}

static const json_t *member(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);

    cr_assert_not_null(v, "golden case has no '%s'", key);
    return v;
}

static double number(const json_t *o, const char *key)
{
    return json_number_value(member(o, key));
}

static void close_to(const struct gold *g, const char *what, double got, double want)
{
    cr_expect(fabs(got - want) <= 1e-12 * fmax(1, fabs(want)),
              "%s: %s is %.17g, not %.17g", g->name, what, got, want);
}

static void same(const struct gold *g, const json_t *out, const char *key, double got)
{
    if (json_is_null(member(out, key)))
        return; /* undefined there */
    close_to(g, key, got, number(out, key));
}

static void same_list(const struct gold *g, const json_t *out, const char *key,
                      const double *got, size_t n)
{
    const json_t *list = member(out, key);

    cr_expect_eq(json_array_size(list), n, "%s: %s has %zu entries, not %zu", g->name,
                 key, n, json_array_size(list));
    for (size_t i = 0; i < n && i < json_array_size(list); i++)
        close_to(g, key, got[i], json_number_value(json_array_get(list, i)));
}

static const json_t *load(const char *name)
{
    const char *dir = getenv("CAGSR_GOLDEN");
    char path[512];
    struct err e = {0};
    json_t *o = NULL;

    snprintf(path, sizeof path, "%s/reward/%s", dir ? dir : "tests/golden", name);
    cr_assert_eq(json_read_file(&o, path, &e), 0, "%s", e.text);
    return keep(o, forget_json);
}

static int32_t *int_list(const json_t *a, size_t *n)
{
    int32_t *out = zeros(*n = json_array_size(a), sizeof *out);

    for (size_t i = 0; i < *n; i++)
        out[i] = (int32_t)json_integer_value(json_array_get(a, i));
    return out;
}

/* "nan" and "inf" stand for themselves. */
static double cell(const json_t *v)
{
    return json_is_string(v) ? strtod(json_string_value(v), NULL)
                             : json_number_value(v);
}

static void plane(double *out, const json_t *rows, size_t T, size_t P)
{
    for (size_t t = 0; t < T; t++)
        for (size_t j = 0; j < P; j++)
            out[t * P + j] = cell(json_array_get(json_array_get(rows, t), j));
}

static void read_attention(struct gold *g)
{
    const json_t *layers = json_object_get(g->in, "attn_layers"), *layer, *rows;
    const json_t *weights = json_object_get(g->in, "head_weights");
    double *x = zeros(g->T * g->P, sizeof *x);
    size_t l, h;

    g->A = zeros(g->T * g->P, sizeof *g->A);
    if (!layers) {
        plane(g->A, member(g->in, "attn"), g->T, g->P);
        return;
    }
    json_array_foreach((json_t *)layers, l, layer)
    {
        json_array_foreach((json_t *)layer, h, rows)
        {
            double w = 1.0 / (double)(json_array_size(layers) * json_array_size(layer));

            if (json_is_array(weights))
                w = json_number_value(json_array_get(json_array_get(weights, l), h));
            plane(x, rows, g->T, g->P);
            attn_add(g->A, x, g->T * g->P, w);
        }
    }
}

static void read_groups(struct gold *g)
{
    const json_t *list = member(g->in, "salient"), *o;
    unsigned char *in_S = zeros(g->P, 1);
    size_t i;

    g->group = zeros(json_array_size(list), sizeof *g->group);
    json_array_foreach((json_t *)list, i, o)
    {
        struct salient_group *s = &g->group[g->G++];
        size_t n;

        s->pos = (uint32_t *)int_list(member(o, "positions"), &n);
        s->n = n;
        s->weight = number(o, "idf");
        for (size_t k = 0; k < n; k++)
            in_S[s->pos[k]] = 1;
    }
    g->S = zeros(g->P, sizeof *g->S);
    g->whole.n = attn_support(g->S, in_S, g->P); /* for a moment: how many in S */
}

static struct gold *read_case(const json_t *in, const char *file, size_t i)
{
    struct gold *g = zeros(1, sizeof *g);
    size_t n;

    keep(&g->table, forget_table); /* before g itself goes */
    g->in = in;
    g->params = member(in, "params");
    g->P = (size_t)number(in, "P");
    g->ids = int_list(member(in, "response_ids"), &g->T);
    g->history = int_list(member(in, "history_ids"), &g->H);
    g->ended = json_is_true(member(in, "eos"));
    snprintf(g->name, sizeof g->name, "%s %zu (%.40s)", file, i,
             json_string_value(member(in, "note")));
    g->mask = zeros(g->P, 1);
    g->pos = zeros(g->P, sizeof *g->pos);
    g->all = zeros(g->P, sizeof *g->all);
    const int32_t *sup = int_list(member(in, "support"), &n);
    for (size_t j = 0; j < g->P; j++) {
        g->mask[j] = (unsigned char)sup[j];
        g->all[j] = (uint32_t)j;
    }
    read_attention(g);
    read_groups(g);
    return g;
}

/* What is kept over the support and over the whole prompt. */
static size_t prepare(struct gold *g)
{
    const size_t nS = g->whole.n;
    const size_t steps = g->ended && g->T ? g->T - 1 : g->T;

    g->rows = (struct attn_rows){g->T, g->P, g->A, steps, g->pos, 0};
    g->rows.n = attn_support(g->pos, g->mask, g->P);
    g->whole = (struct attn_rows){g->T, g->P, g->A, steps, g->all, g->P};
    g->kept = zeros(g->T, sizeof *g->kept);
    g->kept_all = zeros(g->T, sizeof *g->kept_all);
    g->mass = zeros(g->T, sizeof *g->mass);
    g->mass_all = zeros(g->T, sizeof *g->mass_all);
    g->h = zeros(g->T, sizeof *g->h);
    g->h_all = zeros(g->T, sizeof *g->h_all);
    g->nkept = attn_kept(g->kept, g->mass, g->h, &g->rows);
    g->nall = attn_kept(g->kept_all, g->mass_all, g->h_all, &g->whole);
    return nS;
}

static double repetition(struct gold *g, size_t n)
{
    struct ngram_count c;
    struct err e = {0};

    cr_assert_eq(ngram_count(&c, &g->table, g->ids, g->T, n, &e), 0);
    return ngram_repetition(c);
}

static double containment(struct gold *g)
{
    struct ngram_found f;
    struct err e = {0};

    cr_assert_eq(
        ngram_contained(&f, NULL, &g->table, g->ids, g->T, g->history, g->H, 4, &e), 0);
    return ngram_containment(f);
}

static double f7(struct gold *g, const double *value, int rules)
{
    struct combine_term t[COMBINE_PARTS];
    const char *const weight[COMBINE_PARTS] = {
        [PART_COVERAGE] = "alpha",
        [PART_FOCUS] = "beta",
        [PART_REPETITION] = "gamma",
        [PART_COPY] = "eta",
    };

    for (size_t k = 0; k < COMBINE_PARTS; k++) {
        const double w = weight[k] ? number(g->params, weight[k]) : 0;

        t[k] = (struct combine_term){combine_part_names[k],
                                     k < PART_REPETITION ? w : -w, value[k]};
    }
    if (!rules)
        return combine_sum(t, COMBINE_PARTS);
    t[PART_NO_END].weight = combine_f7_weights[PART_NO_END];
    return combine_sum_f7(t, COMBINE_PARTS);
}

static void masses(struct gold *g, const json_t *out)
{
    double *m[3];

    for (size_t k = 0; k < 3; k++)
        m[k] = zeros(g->T, sizeof(double));
    attn_masses(m[0], m[1], m[2], &g->rows);
    same_list(g, out, "mass_support", m[0], g->T);
    same_list(g, out, "mass_sink", m[1], g->T);
    same_list(g, out, "mass_response", m[2], g->T);
    for (size_t t = 0; t < g->T; t++) {
        const json_t *row = json_array_get(member(out, "attn_mean"), t);

        for (size_t j = 0; j < g->P; j++)
            close_to(g, "attn_mean", g->A[t * g->P + j],
                     json_number_value(json_array_get(row, j)));
    }
}

static void parts_of_f7(struct gold *g, const json_t *out, double *value)
{
    const size_t G = coverage_groups(g->group, g->G, g->mask, g->P);
    double *c = zeros(G, sizeof *c);
    const double rep[] = {repetition(g, 1), repetition(g, 2), repetition(g, 3),
                          repetition(g, 4)};
    const size_t n = focus_normalise(g->h, g->nkept, g->rows.n);

    coverage_shares(c, &g->rows, g->kept, g->mass, g->nkept, g->group, G);
    same_list(g, out, "c_g", c, G);
    same(g, out, "cov_mean", coverage_mean(c, g->group, G));
    same(g, out, "cov_gnmt", coverage_gnmt(c, g->group, G));
    same_list(g, out, "H_hat", g->h, n);
    same_list(g, out, "rep", rep, 4);
    same(g, out, "ctn", containment(g));
    value[PART_COVERAGE] = coverage_capped(c, g->group, G, number(g->params, "kappa"));
    value[PART_FOCUS] =
        focus(g->h, n, number(g->params, "h_min"), number(g->params, "zeta"));
    value[PART_REPETITION] = rep[2];
    value[PART_COPY] = ngram_excess(containment(g), number(g->params, "c0"));
    value[PART_NO_END] = !g->ended;
    value[PART_SHORT] = (double)g->T < number(g->params, "T_min");
    same(g, out, "cov", value[PART_COVERAGE]);
    same(g, out, "foc", value[PART_FOCUS]);
    same(g, out, "cp", value[PART_COPY]);
}

static void literal(struct gold *g, const json_t *out, double *value, size_t nS)
{
    struct ngram_count c;
    struct err e = {0};
    const double copy = value[PART_COPY];

    cr_assert_eq(ngram_count(&c, &g->table, g->ids, g->T, 3, &e), 0);
    value[PART_COVERAGE] = coverage_sum(&g->whole, g->kept_all, g->nall, g->S, nS);
    value[PART_FOCUS] = focus_sum(g->h_all, g->nall);
    value[PART_REPETITION] = (double)(c.total - c.distinct);
    same(g, out, "coverage_sum", value[PART_COVERAGE]);
    same(g, out, "focus_sum", value[PART_FOCUS]);
    same(g, out, "rep_count", value[PART_REPETITION]);
    same(g, out, "R_raw_with_copy", f7(g, value, 0));
    same(g, out, "R", f7(g, value, 1));
    value[PART_COPY] = 0;
    same(g, out, "R_raw", f7(g, value, 0));
    value[PART_COPY] = copy;
}

Test(golden, f1_to_f7)
{
    const json_t *in;
    size_t i;

    json_array_foreach((json_t *)member(load("expected.json"), "cases"), i, in)
    {
        struct gold *g = read_case(in, "expected", i);
        const json_t *out = member(in, "expected");
        double value[COMBINE_PARTS] = {0};
        struct err e = {0};

        if (json_object_get(out, "error")) {
            cr_expect_eq(attn_check(g->A, g->T, g->P, &e), ERR_NUMERIC, "%s", g->name);
            continue;
        }
        cr_expect_eq(attn_check(g->A, g->T, g->P, &e), 0, "%s: %s", g->name, e.text);
        const size_t nS = prepare(g);
        masses(g, out);
        parts_of_f7(g, out, value);
        same(g, out, "R_raw", f7(g, value, 0));
        same(g, out, "R", f7(g, value, 1));
        literal(g, member(out, "literal"), value, nS);
    }
}

static double mean_logp(const json_t *list)
{
    double *x = zeros(json_array_size(list), sizeof *x);

    for (size_t t = 0; t < json_array_size(list); t++)
        x[t] = json_number_value(json_array_get(list, t));
    return combine_mean(x, json_array_size(list));
}

static void star(struct gold *g, const json_t *s)
{
    const json_t *p = member(s, "params"), *out = member(s, "expected");
    const size_t G = coverage_groups(g->group, g->G, g->mask, g->P);
    double *best = zeros(G, sizeof *best);
    const size_t n = focus_normalise(g->h, g->nkept, g->rows.n);
    const double value[COMBINE_PARTS] = {
        [PART_COVERAGE] = coverage_best(best, NULL, &g->rows, g->group, G),
        [PART_FOCUS] = focus(g->h, n, number(p, "h_min"), 0),
        [PART_COHERENCE] = mean_logp(member(s, "logp_ref")),
        [PART_REPETITION] = ngram_excess(repetition(g, 3), number(p, "rep0")),
        [PART_COPY] = ngram_excess(containment(g), number(p, "copy0")),
        [PART_NO_END] = !g->ended,
        [PART_SHORT] = (double)g->T < number(p, "t_min"),
    };
    const double weight[COMBINE_PARTS] = {
        1 / number(p, "tau_c"), 1 / number(p, "tau_f"), number(p, "w_l"),
        -number(p, "w_rep"),    -number(p, "w_copy"),   -number(p, "no_eos"),
        -number(p, "short"),
    };
    struct combine_term t[COMBINE_PARTS];

    for (size_t k = 0; k < COMBINE_PARTS; k++) {
        t[k] = (struct combine_term){combine_part_names[k], weight[k], value[k]};
        if (k < PART_NO_END)
            same(g, out, combine_part_names[k], value[k]);
    }
    same_list(g, out, "best", best, G);
    same(g, out, "reward", combine_sum(t, COMBINE_PARTS));
}

Test(golden, f12)
{
    const json_t *cases = member(load("expected.json"), "cases"), *s;
    size_t i;

    json_array_foreach((json_t *)member(load("star.json"), "cases"), i, s)
    {
        const size_t at = (size_t)number(s, "case");
        struct gold *g = read_case(json_array_get(cases, at), "star", at);
        struct err e = {0};

        if (json_object_get(member(s, "expected"), "error")) {
            cr_expect_eq(attn_check(g->A, g->T, g->P, &e), ERR_NUMERIC, "%s", g->name);
            continue;
        }
        (void)prepare(g);
        star(g, s);
    }
}

/* The weights of the default reward are those the golden cases call default. */
Test(golden, f12_defaults)
{
    const json_t *p =
        member(json_array_get(member(load("star.json"), "cases"), 0), "params");
    const struct gold g = {.name = "defaults"};

    close_to(&g, "tau_c", 1 / combine_f12_weights[PART_COVERAGE], number(p, "tau_c"));
    close_to(&g, "tau_f", 1 / combine_f12_weights[PART_FOCUS], number(p, "tau_f"));
    close_to(&g, "w_l", combine_f12_weights[PART_COHERENCE], number(p, "w_l"));
    close_to(&g, "w_rep", -combine_f12_weights[PART_REPETITION], number(p, "w_rep"));
    close_to(&g, "w_copy", -combine_f12_weights[PART_COPY], number(p, "w_copy"));
    close_to(&g, "no_eos", -combine_f12_weights[PART_NO_END], number(p, "no_eos"));
    close_to(&g, "short", -combine_f12_weights[PART_SHORT], number(p, "short"));
    close_to(&g, "t_min", COMBINE_F12_T_MIN, number(p, "t_min"));
}

static double *doubles(const json_t *a, size_t *n)
{
    double *x = zeros(*n = json_array_size(a), sizeof *x);

    for (size_t i = 0; i < *n; i++)
        x[i] = json_number_value(json_array_get(a, i));
    return x;
}

Test(golden, f8_turns)
{
    const json_t *c;
    size_t i;

    json_array_foreach((json_t *)member(load("expected.json"), "turns"), i, c)
    {
        const char *kind = json_string_value(member(c, "lambda"));
        struct gold g = {.name = "turns"};
        size_t n, m;
        const double *R = doubles(member(c, "R"), &n);
        struct turn_lambda l = {
            .kind = kind[0] == 'u'   ? TURN_UNIFORM
                    : kind[0] == 'g' ? TURN_GEOMETRIC
                                     : TURN_LIST,
            .gamma = number(c, "gamma_turn"),
            .list = doubles(member(c, "list"), &m),
        };
        double *G = zeros(n, sizeof *G);

        turns_return(G, R, n, &l);
        same_list(&g, c, "G", G, n);
        turns_sum(G, R, n, &l);
        same_list(&g, c, "G_not_normalised", G, n);
    }
}

Test(golden, f11_idf)
{
    const json_t *idf = member(load("expected.json"), "idf"), *doc, *word, *want;
    const struct gold g = {.name = "idf"};
    const char *key;
    struct words w = {0};
    struct err e = {0};
    struct df *d;
    size_t i, k;

    cr_assert_eq(df_new(&d, &e), 0);
    json_array_foreach((json_t *)member(idf, "documents"), i, doc)
    {
        words_clear(&w);
        json_array_foreach((json_t *)doc, k, word)
        {
            const char *s = json_string_value(word);

            cr_assert_eq(words_add(&w, s, 0, strlen(s), &e), 0);
        }
        cr_assert_eq(df_add(d, &w, &e), 0);
    }
    json_object_foreach((json_t *)member(idf, "expected"), key, want)
        close_to(&g, key, df_idf(d, key, strlen(key)), json_number_value(want));
    df_free(d);
    words_release(&w);
}
