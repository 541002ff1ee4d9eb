#include "explain/prompt.h"

#include "base/reserve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void prompt_release(struct prompt *p)
{
    free(p->support);
    free(p->pos);
    free(p->all);
    free(p->group);
    free(p->type);
    free(p->S);
    free(p->given);
    free(p->ids);
    words_release(&p->words);
    salient_release(&p->salient);
    *p = (struct prompt){0};
}

/* In causal attention the first token is the sink of what means nothing. */
static int no_sink(const struct sample *s)
{
    return s->has & SAMPLE_ATTN && rec_str_is(s->attn.kind, "cross");
}

int prompt_text_of(struct prompt_text *t, const struct sample *s)
{
    const unsigned need = SAMPLE_PROMPT | SAMPLE_PROMPT_ENDS;

    if ((s->has & need) != need || s->prompt.n == 0)
        return 0;
    *t = (struct prompt_text){s->prompt.s,
                              s->prompt.n,
                              s->prompt_ends,
                              s->P,
                              s->has & SAMPLE_PROMPT_MASK ? s->prompt_mask : NULL,
                              no_sink(s)};
    return 1;
}

/* ---- what the record gives ------------------------------------------------------------- */
static int group_fault(const struct sample *s, struct err *e, const char *why)
{
    return rec_fault(s->rec, ERR_RECORD, e, "salient",
                     "%s; expected [{\"positions\": [..], \"idf\": x}, ..]", why);
}

static int given_positions(struct prompt *p, struct salient_group *g, size_t *used,
                           struct rec_value list, const struct sample *s, struct err *e)
{
    struct rec_iter it;
    struct rec_value k, v;

    if (rec_value_type(list) != REC_ARRAY)
        return group_fault(s, e, "no 'positions'");
    g->pos = p->given + *used;
    for (rec_iter_start(&it, list); rec_iter_next(&it, &k, &v);) {
        uint64_t j;

        if (rec_value_uint(&j, v) < 0 || j >= s->P)
            return group_fault(s, e, "a position is not in the prompt");
        p->given[(*used)++] = (uint32_t)j;
        g->n++;
    }
    return 0;
}

static size_t count_positions(struct rec_value list)
{
    struct rec_iter it;
    struct rec_value k, v;
    size_t n = 0;

    for (rec_iter_start(&it, list); rec_iter_next(&it, &k, &v);)
        n += rec_value_count(rec_value_member(v, "positions"));
    return n;
}

static int reserve_groups(struct prompt *p, size_t G, struct err *e)
{
    size_t cap = p->group_cap;
    int rc = reserve(&p->type, &cap, G, sizeof *p->type, e);

    return rc < 0 ? rc : reserve(&p->group, &p->group_cap, G, sizeof *p->group, e);
}

static int take_given(struct prompt *p, const struct sample *s, struct rec_value list,
                      struct err *e)
{
    struct rec_iter it;
    struct rec_value k, v;
    size_t used = 0;
    int rc;

    if (rec_value_type(list) != REC_ARRAY)
        return group_fault(s, e, "not an array");
    if ((rc = reserve_groups(p, rec_value_count(list) + 1, e)) < 0 ||
        (rc = reserve(&p->given, &p->given_cap, count_positions(list) + 1,
                      sizeof *p->given, e)) < 0)
        return rc;
    p->G = 0;
    for (rec_iter_start(&it, list); rec_iter_next(&it, &k, &v);) {
        struct salient_group *g = &p->group[p->G];
        const struct rec_value idf = rec_value_member(v, "idf");

        *g = (struct salient_group){.weight = 1};
        if (rec_value_type(v) != REC_MAP)
            return group_fault(s, e, "an element is not a map");
        if (rec_value_type(idf) > REC_NIL &&
            (rec_value_f64(&g->weight, idf) < 0 || !(g->weight >= 0) ||
             !isfinite(g->weight)))
            return group_fault(s, e, "'idf' is not a number from 0");
        if ((rc = given_positions(p, g, &used, rec_value_member(v, "positions"), s,
                                  e)) < 0)
            return rc;
        p->type[p->G++] = SIZE_MAX;
    }
    p->known = 1;
    return 0;
}

/* ---- what its text says ---------------------------------------------------------------- */
static void plain_support(struct prompt *p, const struct sample *s)
{
    for (size_t j = 0; j < s->P; j++)
        p->support[j] = (j > 0 || no_sink(s)) &&
                        (!(s->has & SAMPLE_PROMPT_MASK) || s->prompt_mask[j]);
}

static int take_text(struct prompt *p, const struct prompt_text *t,
                     const struct salient_rules *rules, struct err *e)
{
    int rc;

    if ((rc = salient_words(&p->words, t, e)) < 0 ||
        (rc = salient_pick(&p->salient, &p->words, t, p->support, rules, e)) < 0 ||
        (rc = reserve_groups(p, p->salient.n + 1, e)) < 0)
        return rc;
    p->G = p->salient.n;
    for (size_t g = 0; g < p->G; g++) {
        p->group[g] = p->salient.group[g];
        p->type[g] = p->salient.type[g];
    }
    p->known = 1;
    return 0;
}

/* The union of the groups' positions, before the cut to V. */
static int collect_S(struct prompt *p, struct err *e)
{
    unsigned char *in = calloc(p->P + 1, 1);
    const int rc = reserve(&p->S, &p->S_cap, p->P + 1, sizeof *p->S, e);

    if (!in || rc < 0) {
        free(in);
        return in ? rc : err_set(e, ERR_NOMEM, "no memory for a prompt");
    }
    for (size_t g = 0; g < p->G; g++)
        for (size_t i = 0; i < p->group[g].n; i++)
            in[p->group[g].pos[i]] = 1;
    p->nS = attn_support(p->S, in, p->P);
    free(in);
    return 0;
}

/* coverage_groups() moves groups to the front: their names move with them. */
static void cut_to_support(struct prompt *p)
{
    size_t n = 0;

    for (size_t g = 0; g < p->G; g++) {
        int in = 0;

        for (size_t i = 0; i < p->group[g].n; i++)
            in |= p->support[p->group[g].pos[i]];
        if (in)
            p->type[n++] = p->type[g];
    }
    p->G = coverage_groups(p->group, p->G, p->support, p->P);
}

static int reserve_tokens(struct prompt *p, size_t P, struct err *e)
{
    size_t a = p->cap, b = p->cap, c = p->cap;
    int rc;

    if ((rc = reserve(&p->support, &a, P + 1, 1, e)) < 0 ||
        (rc = reserve(&p->pos, &b, P + 1, sizeof *p->pos, e)) < 0 ||
        (rc = reserve(&p->all, &c, P + 1, sizeof *p->all, e)) < 0)
        return rc;
    return reserve(&p->ids, &p->cap, P + 1, sizeof *p->ids, e);
}

static int same_prompt(const struct prompt *p, const struct sample *s)
{
    return p->P == s->P && memcmp(p->ids, s->prompt_ids, s->P * sizeof *p->ids) == 0;
}

int prompt_read(struct prompt *p, const struct sample *s, const struct salient_rules *r,
                struct err *e)
{
    const struct rec_value given = rec_find(s->rec, "salient");
    const int has_given = rec_value_type(given) > REC_NIL;
    struct prompt_text t;
    const int has_text = prompt_text_of(&t, s);
    int rc;

    /* Candidates of one prompt share it; what a record gives may differ. */
    if (p->P && !has_given && !(s->has & SAMPLE_SUPPORT) && p->known == 2 &&
        same_prompt(p, s))
        return 0;
    if ((rc = reserve_tokens(p, s->P, e)) < 0)
        return rc;
    p->P = s->P;
    p->G = 0;
    p->known = 0;
    memcpy(p->ids, s->prompt_ids, s->P * sizeof *p->ids);
    if (s->has & SAMPLE_SUPPORT)
        memcpy(p->support, s->support, s->P);
    else if (has_text)
        salient_support(p->support, &t);
    else
        plain_support(p, s);
    if (has_given)
        rc = take_given(p, s, given, e);
    else if (has_text)
        rc = take_text(p, &t, r, e);
    if (rc < 0 || (rc = collect_S(p, e)) < 0)
        return rc;
    cut_to_support(p);
    p->n = attn_support(p->pos, p->support, p->P);
    for (size_t j = 0; j < p->P; j++)
        p->all[j] = (uint32_t)j;
    if (p->known && !has_given && !(s->has & SAMPLE_SUPPORT))
        p->known = 2; /* good for the next candidate */
    return 0;
}

void prompt_group_name(char *out, size_t n, const struct prompt *p, size_t g)
{
    size_t at = 0;

    if (p->type[g] != SIZE_MAX) {
        snprintf(out, n, "%s", strtab_text(&p->words.types, p->type[g]));
        return;
    }
    for (size_t i = 0; i < p->group[g].n && at + 12 < n; i++)
        at += (size_t)snprintf(out + at, n - at, "%s%u", i ? "," : "position ",
                               p->group[g].pos[i]);
}
