/*
 * The sum in words: which prompt words were read and which were not, what was repeated,
 * what was copied, and every term.
 */
#include "run.h"

#include "rec/buf.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SPANS_SHOWN = 5, NAME = 96 };

/* ---- what both forms tell -------------------------------------------------------------- */
static int has_coverage(const struct run *r)
{
    return (r->sample.has & SAMPLE_ATTN) && r->prompt.known;
}

/* Marks what repeats (n-grams seen before) or is copied from the prompt. */
static int mark(struct run *r, int copied, struct err *e)
{
    const struct opts *o = r->o;
    const size_t T = r->sample.T, P = r->prompt.P;
    const int32_t *ids = r->m.tokens + P;
    struct ngram_found f;

    memset(r->m.mark, 0, T);
    return copied ? ngram_contained(&f, r->m.mark, &r->m.table, ids, T, r->m.tokens, P,
                                    o->copy_n, e)
                  : ngram_mark_repeats(r->m.mark, &r->m.table, ids, T, o->rep_n, e);
}

/* The next marked stretch from *at on, as tokens [*from, *at). */
static int next_span(const struct run *r, size_t *from, size_t *at)
{
    while (*at < r->sample.T && !r->m.mark[*at])
        ++*at;
    *from = *at;
    while (*at < r->sample.T && r->m.mark[*at])
        ++*at;
    return *at > *from;
}

/* The response's text of tokens [from, to), or NULL where there is none. */
static const char *text_of(const struct sample *s, size_t from, size_t to, size_t *n)
{
    if (!(s->has & SAMPLE_TEXT) || !(s->has & SAMPLE_ENDS) || to <= from)
        return NULL;
    const size_t begin = from ? s->ends[from - 1] : 0;
    *n = s->ends[to - 1] - begin;
    return s->text.s + begin;
}

/* ---- text on stderr -------------------------------------------------------------------- */
static void quoted(struct rec_buf *out, const char *s, size_t n)
{
    rec_buf_str(out, "'");
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)s[i];

        if (c < 32 || c == 127)
            rec_buf_printf(out, c == '\n' ? "\\n" : "\\x%02x", c);
        else
            rec_buf_add(out, s + i, 1);
    }
    rec_buf_str(out, "'");
}

static void put_words(struct rec_buf *out, const struct run *r, int hardly)
{
    char name[NAME];
    size_t shown = 0;

    rec_buf_printf(out, "  %-12s", hardly ? "hardly read" : "read");
    for (size_t g = 0; g < r->prompt.G; g++) {
        if (coverage_hardly(r->m.best, r->prompt.group, r->prompt.G, g) != hardly)
            continue;
        prompt_group_name(name, sizeof name, &r->prompt, g);
        rec_buf_printf(out, "%s%s %.3f@%zu", shown++ ? ", " : "", name, r->m.best[g],
                       r->m.step[g]);
    }
    rec_buf_str(out, shown ? "\n" : "-\n");
}

static int put_spans(struct rec_buf *out, struct run *r, int copied, struct err *e)
{
    size_t at = 0, from, n = 0, shown = 0;
    const int rc = mark(r, copied, e);

    if (rc < 0)
        return rc;
    rec_buf_printf(out, "  %-12s", copied ? "copied" : "repeated");
    while (next_span(r, &from, &at)) {
        const char *text = text_of(&r->sample, from, at, &n);

        if (shown++ == SPANS_SHOWN) {
            rec_buf_str(out, ", ...");
            break;
        }
        if (shown > 1)
            rec_buf_str(out, ", ");
        if (text)
            quoted(out, text, n);
        else
            rec_buf_printf(out, "tokens %zu to %zu", from, at - 1);
    }
    rec_buf_str(out, shown ? "\n" : "-\n");
    return 0;
}

static void put_terms(struct rec_buf *out, const struct run *r, const double *value)
{
    const struct terms *t = &r->terms;

    for (size_t i = 0; i < t->n; i++) {
        if (!t->term[i].shown && t->term[i].weight == 0)
            continue;
        if (isnan(value[i]))
            rec_buf_printf(out, "  %-16s abstained\n", t->term[i].name);
        else
            rec_buf_printf(out, "  %-16s %10.4f x %8.4g = %+9.4f\n", t->term[i].name,
                           value[i], t->term[i].weight, value[i] * t->term[i].weight);
    }
}

int explain_text(struct run *r, const double *value, double reward, struct err *e)
{
    const struct sample *s = &r->sample;
    struct rec_buf out = {0};
    int rc = 0;

    rec_buf_printf(&out, "%.*s cand %llu: reward ", (int)s->id.n, s->id.s,
                   (unsigned long long)s->cand);
    rec_buf_printf(&out, isnan(reward) ? "abstained" : "%.4f", reward);
    if ((s->has & SAMPLE_TEXT) && s->text.n) {
        rec_buf_str(&out, " ");
        quoted(&out, s->text.s, s->text.n);
    }
    rec_buf_str(&out, "\n");
    put_terms(&out, r, value);
    if (r->method != METHOD_F12 && value[PART_SHORT] > 0)
        rec_buf_printf(&out,
                       "  shorter than %zu tokens: the floor %g instead of the sum\n",
                       r->o->t_min, COMBINE_F7_FLOOR);
    if (has_coverage(r)) {
        put_words(&out, r, 0);
        put_words(&out, r, 1);
    }
    if ((rc = put_spans(&out, r, 0, e)) >= 0)
        rc = put_spans(&out, r, 1, e);
    if (rc >= 0 && out.oom)
        rc = err_set(e, ERR_NOMEM, "no memory to explain");
    if (rc >= 0)
        fwrite(out.p, 1, out.n, stderr);
    rec_buf_release(&out);
    return rc;
}

/* ---- fields in the record -------------------------------------------------------------- */
static void put_number(struct rec *rec, double x)
{
    if (isnan(x))
        rec_put_nil(rec);
    else
        rec_put_f64(rec, x);
}

static void record_terms(struct rec *rec, const struct run *r, const double *value)
{
    const struct terms *t = &r->terms;
    size_t n = 0;

    for (size_t i = 0; i < t->n; i++)
        n += t->term[i].weight != 0;
    rec_put_str(rec, "terms");
    rec_put_array(rec, n);
    for (size_t i = 0; i < t->n; i++) {
        if (t->term[i].weight == 0)
            continue;
        rec_put_map(rec, 3);
        rec_put_str(rec, "name");
        rec_put_str(rec, t->term[i].name);
        rec_put_str(rec, "value");
        put_number(rec, value[i]);
        rec_put_str(rec, "weight");
        rec_put_f64(rec, t->term[i].weight);
    }
}

static void record_words(struct rec *rec, const struct run *r)
{
    const size_t G = has_coverage(r) ? r->prompt.G : 0;
    char name[NAME];

    rec_put_str(rec, "words");
    rec_put_array(rec, G);
    for (size_t g = 0; g < G; g++) {
        const struct salient_group *x = &r->prompt.group[g];

        prompt_group_name(name, sizeof name, &r->prompt, g);
        rec_put_map(rec, 6);
        rec_put_str(rec, "word");
        rec_put_text(rec, name, rec_utf8_valid(name, strlen(name)) ? strlen(name) : 0);
        rec_put_str(rec, "positions");
        rec_put_array(rec, x->n);
        for (size_t i = 0; i < x->n; i++)
            rec_put_uint(rec, x->pos[i]);
        rec_put_str(rec, "weight");
        rec_put_f64(rec, x->weight);
        rec_put_str(rec, "best");
        rec_put_f64(rec, r->m.best[g]);
        rec_put_str(rec, "step");
        rec_put_uint(rec, r->m.step[g]);
        rec_put_str(rec, "read");
        rec_put_bool(rec, !coverage_hardly(r->m.best, r->prompt.group, G, g));
    }
}

/* Marked stretches as pairs of tokens [from, to). */
static int record_spans(struct rec *rec, struct run *r, int copied, struct err *e)
{
    size_t at = 0, from, n = 0;
    const int rc = mark(r, copied, e);

    if (rc < 0)
        memset(r->m.mark, 0, r->sample.T); /* the map must be whole all the same */
    while (next_span(r, &from, &at))
        n++;
    rec_put_str(rec, copied ? "copied" : "repeated");
    rec_put_array(rec, n);
    for (at = 0; next_span(r, &from, &at);) {
        rec_put_array(rec, 2);
        rec_put_uint(rec, from);
        rec_put_uint(rec, at);
    }
    return rc;
}

int explain_record(struct run *r, struct rec *rec, const double *value, double reward,
                   struct err *e)
{
    int repeated, copied;

    rec_begin(rec, "explain");
    rec_put_map(rec, 5);
    rec_put_str(rec, "reward");
    put_number(rec, reward);
    record_terms(rec, r, value);
    record_words(rec, r);
    repeated = record_spans(rec, r, 0, e);
    copied = record_spans(rec, r, 1, e);
    rec_end(rec);
    return repeated < 0 ? repeated : copied;
}
