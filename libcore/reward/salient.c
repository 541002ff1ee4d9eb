#include "reward/salient.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

const char *const salient_mode_names[] = {"idf", "sentence", "top", NULL};

void salient_release(struct salient *s)
{
    free(s->group);
    free(s->type);
    free(s->pool);
    *s = (struct salient){0};
}

static size_t token_begin(const struct prompt_text *p, size_t j)
{
    return j ? p->ends[j - 1] : 0;
}

void salient_support(unsigned char *support, const struct prompt_text *p)
{
    for (size_t j = 0; j < p->P; j++)
        support[j] = (j > 0 || p->no_sink) && (!p->mask || p->mask[j]) &&
                     !text_is_filler(p->text, p->n, token_begin(p, j), p->ends[j]);
}

int salient_words(struct words *w, const struct prompt_text *p, struct err *e)
{
    int rc;

    words_clear(w);
    for (size_t j = 0; j < p->P;) {
        const size_t first = j;

        while (j < p->P && (!p->mask || p->mask[j]))
            j++;
        if (j > first &&
            (rc = words_add(w, p->text, token_begin(p, first), p->ends[j - 1], e)) < 0)
            return rc;
        j += j < p->P;
    }
    return 0;
}

/* ---- scores of word types ------------------------------------------------------------- */
/* What is known of a type; pos0 is its first place in the list of places. */
struct type_info {
    double idf;
    size_t tf; /* words of it that have a token in V */
    unsigned flags;
    int content, chosen;
};

/* The tokens that word i touches: [*from, *to).  from moves on with the words. */
static void word_tokens(const struct prompt_text *p, const struct word *w, size_t *from,
                        size_t *to)
{
    size_t j = *from;

    while (j < p->P && p->ends[j] <= w->begin)
        j++;
    *from = j;
    while (j < p->P && token_begin(p, j) < w->end)
        j++;
    *to = j;
}

static int is_pronoun_i(const char *s)
{
    return s[0] == 'i' && (s[1] == 0 || s[1] == '\'');
}

static int is_content(const struct words *w, size_t type, unsigned flags,
                      const struct salient_rules *r)
{
    const char *s = strtab_text(&w->types, type);
    const size_t n = w->types.entry[type].n;
    const int stop =
        r->stop ? strtab_find(r->stop, s, n) != SIZE_MAX : word_is_stop(s, n);

    if (!stop || (flags & WORD_DIGIT))
        return 1;
    return (flags & WORD_CAPITAL) && !is_pronoun_i(s);
}

static void measure(struct type_info *info, const struct words *w,
                    const struct prompt_text *p, const unsigned char *support,
                    const struct salient_rules *r)
{
    size_t from = 0, to;

    for (size_t i = 0; i < w->n; i++) {
        struct type_info *t = &info[w->word[i].type];
        int in = 0;

        word_tokens(p, &w->word[i], &from, &to);
        for (size_t j = from; j < to; j++)
            in |= support[j];
        t->tf += (size_t)(in != 0);
        t->flags |= w->word[i].flags;
    }
    for (size_t k = 0; k < w->types.n; k++) {
        struct type_info *t = &info[k];

        t->idf = df_idf(r->df, strtab_text(&w->types, k), w->types.entry[k].n);
        t->content = t->tf > 0 && is_content(w, k, t->flags, r);
    }
}

/* ---- choosing -------------------------------------------------------------------------- */
/* sentence (sentences) out: 1 where a word of the highest tf * idf stands. */
static void top_sentences(unsigned char *sentence, const struct type_info *info,
                          const struct words *w)
{
    double top = 0;

    for (size_t k = 0; k < w->types.n; k++)
        if (info[k].content && (double)info[k].tf * info[k].idf > top)
            top = (double)info[k].tf * info[k].idf;
    for (size_t i = 0; i < w->n; i++) {
        const struct type_info *t = &info[w->word[i].type];

        if (t->content && (double)t->tf * t->idf >= top * (1 - 1e-12))
            sentence[w->word[i].sentence] = 1;
    }
}

struct ranked {
    double idf;
    size_t type;
};

static int by_idf(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;

    if (x->idf != y->idf)
        return x->idf < y->idf ? 1 : -1;
    return x->type < y->type ? -1 : x->type > y->type;
}

static int choose_top(struct type_info *info, size_t types, struct err *e)
{
    enum { MOST = 32 };
    const unsigned always = WORD_DIGIT | WORD_CAPITAL | WORD_QUOTED;
    struct ranked *r = malloc((types + 1) * sizeof *r);
    size_t n = 0;

    if (!r)
        return err_set(e, ERR_NOMEM, "no memory for %zu words", types);
    for (size_t k = 0; k < types; k++)
        if (info[k].content)
            r[n++] = (struct ranked){info[k].idf, k};
    qsort(r, n, sizeof *r, by_idf);
    for (size_t i = 0; i < n; i++)
        info[r[i].type].chosen =
            (i < (n + 1) / 2 && i < MOST) || (info[r[i].type].flags & always);
    free(r);
    return 0;
}

/* ---- groups ---------------------------------------------------------------------------- */
static int reserve(struct salient *s, size_t types, size_t places, struct err *e)
{
    if (types > s->cap) {
        struct salient_group *g = realloc(s->group, types * sizeof *g);
        size_t *t;

        if (g)
            s->group = g;
        t = g ? realloc(s->type, types * sizeof *t) : NULL;
        if (!t)
            return err_set(e, ERR_NOMEM, "no memory for %zu words", types);
        s->type = t;
        s->cap = types;
    }
    if (places > s->pool_cap) {
        uint32_t *p = realloc(s->pool, places * sizeof *p);

        if (!p)
            return err_set(e, ERR_NOMEM, "no memory for %zu positions", places);
        s->pool = p;
        s->pool_cap = places;
    }
    return 0;
}

/* What a walk over the words that count needs. */
struct place_walk {
    const struct words *w;
    const struct prompt_text *p;
    const unsigned char *support, *sentence; /* sentence NULL: all */
    const struct type_info *info;
};

/* Counts the places of each type into n; with group, fills them in too. */
static void places(const struct place_walk *k, size_t *n,
                   struct salient_group *const *group)
{
    size_t from = 0, to;

    for (size_t i = 0; i < k->w->n; i++) {
        const struct word *w = &k->w->word[i];

        word_tokens(k->p, w, &from, &to);
        if (!k->info[w->type].chosen || (k->sentence && !k->sentence[w->sentence]))
            continue;
        for (size_t j = from; j < to; j++) {
            if (!k->support[j])
                continue;
            if (group)
                group[w->type]->pos[group[w->type]->n++] = (uint32_t)j;
            n[w->type]++;
        }
    }
}

/* A token that touches two words of one type is one place. */
static void once_each(struct salient_group *g)
{
    size_t n = 0;

    for (size_t i = 0; i < g->n; i++)
        if (n == 0 || g->pos[n - 1] != g->pos[i])
            g->pos[n++] = g->pos[i];
    g->n = n;
}

static int build(struct salient *s, const struct place_walk *k, struct err *e)
{
    const size_t types = k->w->types.n;
    size_t *n = calloc(types + 1, sizeof *n), total = 0;
    struct salient_group **group = calloc(types + 1, sizeof *group);
    int rc = 0;

    if (!n || !group) {
        rc = err_set(e, ERR_NOMEM, "no memory for %zu words", types);
        goto out;
    }
    places(k, n, NULL);
    for (size_t i = 0; i < types; i++)
        total += n[i];
    if ((rc = reserve(s, types, total, e)) < 0)
        goto out;
    total = 0;
    for (size_t i = 0; i < types; i++) {
        if (n[i] == 0)
            continue;
        s->type[s->n] = i;
        s->group[s->n] = (struct salient_group){s->pool + total, 0, k->info[i].idf};
        group[i] = &s->group[s->n++];
        total += n[i];
    }
    places(k, n, group);
    for (size_t i = 0; i < s->n; i++)
        once_each(&s->group[i]);
out:
    free(n);
    free(group);
    return rc;
}

int salient_pick(struct salient *s, const struct words *w, const struct prompt_text *p,
                 const unsigned char *support, const struct salient_rules *rules,
                 struct err *e)
{
    struct type_info *info = calloc(w->types.n + 1, sizeof *info);
    unsigned char *sentence = calloc(w->sentences + 1, 1);
    struct place_walk k = {w, p, support, NULL, info};
    int rc = 0;

    s->n = 0;
    if (!info || !sentence) {
        rc = err_set(e, ERR_NOMEM, "no memory for %zu words", w->n);
        goto out;
    }
    measure(info, w, p, support, rules);
    for (size_t i = 0; i < w->types.n; i++)
        info[i].chosen = info[i].content;
    if (rules->mode == SALIENT_SENTENCE) {
        top_sentences(sentence, info, w);
        k.sentence = sentence;
    } else if (rules->mode == SALIENT_TOP) {
        rc = choose_top(info, w->types.n, e);
    }
    if (rc >= 0)
        rc = build(s, &k, e);
out:
    free(info);
    free(sentence);
    return rc;
}
