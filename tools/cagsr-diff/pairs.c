#include "diff.h"

#include "attn/stats.h"
#include "base/reserve.h"
#include "metrics/rouge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- joining --------------------------------------------------------------------------- */

/* first (prompts, SIDES) out, and each row's next. */
static void link_rows(struct diff *d, size_t *first)
{
    const struct corpus *c = &d->corpus;

    for (size_t i = 0; i < c->prompts * SIDES; i++)
        first[i] = NONE;
    for (size_t i = c->rows; i-- > 0;) {
        size_t *at = &first[c->row[i].prompt * SIDES + c->row[i].side];

        if (c->row[i].apart)
            continue;
        d->seen[i].next = *at;
        *at = i;
    }
}

static size_t find_cand(const struct diff *d, size_t row, uint64_t cand)
{
    while (row != NONE && d->seen[row].cand != cand)
        row = d->seen[row].next;
    return row;
}

static int add_pair(struct diff *d, size_t before, size_t after, struct err *e)
{
    const int rc = reserve(&d->pair, &d->pair_cap, d->pairs + 1, sizeof *d->pair, e);

    if (rc >= 0)
        d->pair[d->pairs++] = (struct pair){{before, after}, 0};
    return rc;
}

/* By candidate; where none is on both sides, one after the other. */
static int join_prompt(struct diff *d, const size_t first[SIDES], struct err *e)
{
    const size_t had = d->pairs;
    size_t b = first[BEFORE], a = first[AFTER];
    int rc = 0;

    for (; b != NONE && rc >= 0; b = d->seen[b].next) {
        const size_t after = find_cand(d, a, d->seen[b].cand);

        if (after != NONE && d->seen[b].cand != NONE)
            rc = add_pair(d, b, after, e);
    }
    if (d->pairs > had)
        return rc;
    for (b = first[BEFORE]; b != NONE && a != NONE && rc >= 0;) {
        rc = add_pair(d, b, a, e);
        b = d->seen[b].next;
        a = d->seen[a].next;
    }
    return rc;
}

/* ---- attention ------------------------------------------------------------------------- */

/* The distance of each plane that both have, as a number of the sample after. */
static int measure_moved(struct diff *d, const struct pair *p, struct err *e)
{
    const struct seen *b = &d->seen[p->row[BEFORE]], *a = &d->seen[p->row[AFTER]];
    const int like = a->n == b->n && a->positions == b->positions;
    const size_t planes =
        a->planes == b->planes && a->layer == b->layer ? a->planes : 1;
    char name[64] = "moved";
    int rc = 0;

    if (!a->planes || !b->planes)
        return 0;
    d->unlike += !like;
    for (size_t k = 0; k < planes && like && rc >= 0; k++) {
        const double x = attn_apart(d->profile + a->at + k * a->n,
                                    d->profile + b->at + k * b->n, a->n);

        if (k)
            snprintf(name, sizeof name, "moved/%zu", a->layer + k - 1);
        rc = diff_number(d, p->row[AFTER], name, strlen(name), x, e);
    }
    return rc;
}

int pairs_join(struct diff *d, struct err *e)
{
    const struct corpus *c = &d->corpus;
    size_t *first = calloc(c->prompts * SIDES + 1, sizeof *first);
    int rc = first ? 0 : err_set(e, ERR_NOMEM, "no memory for %zu prompts", c->prompts);

    if (rc >= 0)
        link_rows(d, first);
    for (size_t i = 0; i < c->prompts && rc >= 0; i++) {
        const size_t *f = &first[i * SIDES];

        d->lonely[BEFORE] += f[AFTER] == NONE && f[BEFORE] != NONE;
        d->lonely[AFTER] += f[BEFORE] == NONE && f[AFTER] != NONE;
        rc = join_prompt(d, f, e);
    }
    free(first);
    for (size_t i = 0; i < d->pairs && rc >= 0; i++) {
        const struct row *b = &c->row[d->pair[i].row[BEFORE]];
        const struct row *a = &c->row[d->pair[i].row[AFTER]];

        d->same += a->text == b->text && a->text != NO_TEXT;
        rc = measure_moved(d, &d->pair[i], e);
    }
    return rc;
}

/* ---- what changed in a text ------------------------------------------------------------ */
struct words_of {
    struct tokens tokens;
    const char *s;
    size_t n;
};

/* Texts longer than this are not compared word by word: it takes their product. */
enum { WORDS_MAX = 6000 };

static int cut(struct words_of w[SIDES], struct strtab *tab, const struct diff *d,
               const struct pair *p, struct err *e)
{
    int rc = 0;

    for (size_t k = 0; k < SIDES && rc >= 0; k++) {
        const size_t text = d->corpus.row[p->row[k]].text;

        w[k].s = "";
        if (text != NO_TEXT)
            w[k].s = corpus_text(&d->corpus, text, &w[k].n);
        rc = tokens_cut(&w[k].tokens, tab, TOKENS_SPACES, w[k].s, w[k].n, e);
    }
    return rc;
}

int pairs_changed(double *out, const struct diff *d, const struct pair *p,
                  struct err *e)
{
    struct words_of w[SIDES] = {{{0}}};
    struct rouge_work work = {0};
    struct strtab tab = {0};
    struct rouge r = {0};
    int rc = cut(w, &tab, d, p, e);

    if (rc >= 0)
        rc = rouge_l(&r, &work, &w[BEFORE].tokens, &w[AFTER].tokens, e);
    *out = w[BEFORE].tokens.n + w[AFTER].tokens.n ? 1 - r.f : 0;
    rouge_release(&work);
    strtab_release(&tab);
    for (size_t k = 0; k < SIDES; k++)
        tokens_release(&w[k].tokens);
    return rc;
}

static int is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

/* hit (tokens) to bytes: the words between ASCII's white space, if they are as many as the
 * tokens; else (other blanks of Unicode) nothing is marked. */
static void spread(unsigned char *mark, const struct words_of *w,
                   const unsigned char *hit)
{
    size_t word = 0, i = 0;

    while (i < w->n) {
        size_t to = i;

        while (to < w->n && !is_blank(w->s[to]))
            to++;
        if (to > i && word < w->tokens.n)
            memset(mark + i, !hit[word], to - i);
        word += to > i;
        i = to + 1;
    }
    if (word != w->tokens.n)
        memset(mark, 0, w->n);
}

int pairs_mark(unsigned char *mark[SIDES], const struct diff *d, const struct pair *p,
               struct err *e)
{
    struct words_of w[SIDES] = {{{0}}};
    struct rouge_work work = {0};
    struct strtab tab = {0};
    unsigned char *hit[SIDES] = {NULL, NULL};
    int rc = cut(w, &tab, d, p, e);
    const size_t m = w[BEFORE].tokens.n, n = w[AFTER].tokens.n;

    for (size_t k = 0; k < SIDES && rc >= 0; k++) {
        mark[k] = calloc(w[k].n + 1, 1);
        hit[k] = calloc(w[k].tokens.n + 1, 1);
        if (!mark[k] || !hit[k])
            rc = err_set(e, ERR_NOMEM, "no memory to compare texts");
    }
    if (rc >= 0 && m <= WORDS_MAX && n <= WORDS_MAX) {
        rc = rouge_mark(hit[BEFORE], hit[AFTER], &work, w[BEFORE].tokens.id, m,
                        w[AFTER].tokens.id, n, e);
        for (size_t k = 0; k < SIDES && rc >= 0; k++)
            spread(mark[k], &w[k], hit[k]);
    }
    rouge_release(&work);
    strtab_release(&tab);
    for (size_t k = 0; k < SIDES; k++) {
        free(hit[k]);
        tokens_release(&w[k].tokens);
    }
    return rc;
}

/* ---- which are shown ------------------------------------------------------------------- */
static double number_of(const struct diff *d, const char *name, size_t row)
{
    const size_t k = strtab_find(&d->names, name, strlen(name));

    return k == NONE ? (double)NAN : d->value[row * d->names.n + k];
}

static int set_change(struct diff *d, struct pair *p, enum sort by, struct err *e)
{
    const struct row *b = &d->corpus.row[p->row[BEFORE]];
    const struct row *a = &d->corpus.row[p->row[AFTER]];

    p->change = 0;
    if (by == SORT_REWARD)
        p->change = fabs(row_get(a, M_REWARD) - row_get(b, M_REWARD));
    else if (by == SORT_ATTENTION)
        p->change = number_of(d, "moved", p->row[AFTER]);
    else if (by == SORT_TEXT)
        return pairs_changed(&p->change, d, p, e);
    if (isnan(p->change))
        p->change = -1;
    return 0;
}

static enum sort sort_of(const struct diff *d)
{
    const enum sort by = (enum sort)d->o->sort;

    if (by != SORT_AUTO)
        return by;
    return corpus_has(&d->corpus, BEFORE, M_REWARD) &&
                   corpus_has(&d->corpus, AFTER, M_REWARD)
               ? SORT_REWARD
               : SORT_TEXT;
}

static int wanted(const struct diff *d, const struct pair *p)
{
    const size_t prompt = d->corpus.row[p->row[BEFORE]].prompt;
    const char *id = strtab_text(&d->corpus.ids, prompt);

    if (d->o->id && strcmp(id, d->o->id) != 0)
        return 0;
    return d->o->cand == NONE || d->seen[p->row[BEFORE]].cand == d->o->cand;
}

static size_t prompt_of(const struct diff *d, size_t pair)
{
    return d->corpus.row[d->pair[pair].row[BEFORE]].prompt;
}

/* The largest change first, else as they came. */
static int compare(const void *a, const void *b, void *ctx)
{
    const struct diff *d = ctx;
    const size_t i = *(const size_t *)a, j = *(const size_t *)b;
    const double x = d->pair[i].change, y = d->pair[j].change;

    return x > y ? -1 : x < y ? 1 : i < j ? -1 : i > j;
}

/* Of the sorted pairs those of the first prompts; without --all the first of each. */
static size_t cut_list(size_t *order, size_t n, const struct diff *d,
                       unsigned char *had)
{
    size_t kept = 0, prompts = 0;

    for (size_t i = 0; i < n; i++) {
        unsigned char *h = &had[prompt_of(d, order[i])];

        if (*h ? !d->o->all : prompts >= d->o->prompts)
            continue;
        prompts += !*h;
        *h = 1;
        order[kept++] = order[i];
    }
    return kept;
}

int pairs_choose(size_t *order, size_t *n, struct diff *d, struct err *e)
{
    unsigned char *had = calloc(d->corpus.prompts + 1, 1);
    const enum sort by = sort_of(d);
    int rc = had ? 0 : err_set(e, ERR_NOMEM, "no memory");

    *n = 0;
    for (size_t i = 0; i < d->pairs && d->o->prompts && rc >= 0; i++)
        if (wanted(d, &d->pair[i])) {
            rc = set_change(d, &d->pair[i], by, e);
            order[(*n)++] = i;
        }
    if (rc >= 0 && *n == 0 && d->o->prompts && (d->o->id || d->o->cand != NONE))
        rc =
            err_set(e, ERR_RECORD, "no prompt%s%s%s in both streams%s",
                    d->o->id ? " '" : "", d->o->id ? d->o->id : "", d->o->id ? "'" : "",
                    d->o->cand != NONE ? " with that candidate" : "");
    if (rc >= 0) {
        qsort_r(order, *n, sizeof *order, compare, d);
        *n = cut_list(order, *n, d, had);
    }
    free(had);
    return rc;
}
