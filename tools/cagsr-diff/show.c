#include "diff.h"

#include "view/beside.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void show_wrapped(struct rec_buf *out, const char *head, const char *s, size_t n,
                  struct paint p, const struct screen *screen)
{
    struct flow f = {.out = out,
                     .depth = screen->depth,
                     .width = screen->width,
                     .indent = strlen(head)};

    flow_begin(&f, head);
    flow_line(&f, s, n, p);
    flow_end(&f);
    flow_release(&f);
}

static void show_title(struct rec_buf *out, const struct diff *d, const struct pair *p,
                       const struct screen *s)
{
    const struct seen *b = &d->seen[p->row[BEFORE]], *a = &d->seen[p->row[AFTER]];
    const size_t prompt = d->corpus.row[p->row[BEFORE]].prompt;
    struct rec_buf line = {0};

    rec_buf_str(&line, strtab_text(&d->corpus.ids, prompt));
    if (b->cand != NONE)
        rec_buf_printf(&line, ", candidate %llu", (unsigned long long)b->cand);
    if (a->cand != b->cand && a->cand != NONE)
        rec_buf_printf(&line, " beside %llu", (unsigned long long)a->cand);
    out->oom |= line.oom;
    if (!line.oom)
        show_wrapped(out, "== ", (const char *)line.p, line.n,
                     (struct paint){.attrs = PAINT_BOLD}, s);
    rec_buf_release(&line);
}

static struct beside_text side_of(const struct diff *d, const struct pair *p,
                                  size_t side, const unsigned char *mark)
{
    static const unsigned attrs[SIDES] = {PAINT_UNDERLINE, PAINT_BOLD};
    const size_t text = d->corpus.row[p->row[side]].text;
    struct beside_text t = {.s = "", .mark = mark, .attrs = attrs[side]};

    if (text != NO_TEXT)
        t.s = corpus_text(&d->corpus, text, &t.n);
    return t;
}

int show_texts(struct rec_buf *out, const struct diff *d, const struct pair *p,
               const struct screen *s, struct err *e)
{
    static const struct beside_text heads[SIDES] = {{"before", 6, NULL, 0},
                                                    {"after", 5, NULL, 0}};
    const size_t question = d->corpus.row[p->row[BEFORE]].question;
    unsigned char *mark[SIDES] = {NULL, NULL};
    const int rc = pairs_mark(mark, d, p, e);
    size_t n;

    if (rc >= 0) {
        const struct beside_text before = side_of(d, p, BEFORE, mark[BEFORE]);
        const struct beside_text after = side_of(d, p, AFTER, mark[AFTER]);

        show_title(out, d, p, s);
        if (question != NO_TEXT) {
            const char *text = corpus_text(&d->corpus, question, &n);

            show_wrapped(out, "   ", text, n, (struct paint){.attrs = PAINT_ITALIC}, s);
        }
        beside_put(out, &heads[BEFORE], &heads[AFTER], s->depth, s->width);
        beside_put(out, &before, &after, s->depth, s->width);
    }
    free(mark[BEFORE]);
    free(mark[AFTER]);
    return rc;
}

/* ---- sentences ------------------------------------------------------------------------- */
static size_t common(const struct diff *d)
{
    size_t n = 0, last = NONE;

    for (size_t i = 0; i < d->pairs; i++) {
        const size_t prompt = d->corpus.row[d->pair[i].row[BEFORE]].prompt;

        n += prompt != last;
        last = prompt;
    }
    return n;
}

static void count(struct rec_buf *out, const char *lead, size_t n, const char *what,
                  const char *rest)
{
    rec_buf_printf(out, "%s%zu %s%s%s", lead, n, what, n == 1 ? "" : "s", rest);
}

void show_counts(struct rec_buf *out, const struct diff *d)
{
    count(out, "", common(d), "prompt", " in both");
    count(out, ", ", d->pairs, "pair", " of answers");
    rec_buf_printf(out, ", %zu with the same text", d->same);
    if (d->lonely[BEFORE])
        count(out, "; ", d->lonely[BEFORE], "prompt", " only before");
    if (d->lonely[AFTER])
        count(out, "; ", d->lonely[AFTER], "prompt", " only after");
    if (d->unlike)
        count(out, "; ", d->unlike, "pair",
              " of prompts with other tokens, whose attention is not compared");
}

/* Those that got worse to that degree: 2 beyond chance, 1 perhaps. */
static size_t show_worse(struct rec_buf *out, const struct diff *d, int degree)
{
    size_t n = 0;

    for (size_t k = 0; k < d->stats; k++) {
        const struct summary_row *s = &d->stat[k];

        if (stats_worse(d, s) != degree)
            continue;
        rec_buf_printf(out, "%s%s from %.4g to %.4g (%+.4g, interval %+.4g to %+.4g, ",
                       n ? "; " : "", s->name, s->d.b, s->d.a, s->d.d.value, s->d.d.lo,
                       s->d.d.hi);
        rec_buf_printf(out, "p %.2g after correction)", s->p_holm);
        n++;
    }
    return n;
}

static const char *moved(const struct summary_row *r)
{
    return r->d.d.lo > 0   ? "rose"
           : r->d.d.hi < 0 ? "fell"
                           : "did not change beyond chance";
}

int show_verdict(struct rec_buf *out, const struct diff *d)
{
    const struct summary_row *r = stats_reward(d);
    struct rec_buf worse = {0}, perhaps = {0};

    if (!r || isnan(r->d.d.lo)) {
        rec_buf_str(out, r ? "too few prompts to judge: intervals need two or more"
                           : "there is no reward on both sides to be judged");
        return 0;
    }
    const size_t sure = show_worse(&worse, d, 2), maybe = show_worse(&perhaps, d, 1);
    const int warns = r->d.d.lo > 0 && sure;
    rec_buf_printf(
        out, "%sthe reward %s, from %.4g to %.4g (%+.4g, interval %+.4g to %+.4g)",
        warns ? "WARNING: " : "", moved(r), r->d.b, r->d.a, r->d.d.value, r->d.d.lo,
        r->d.d.hi);
    if (sure)
        rec_buf_printf(out,
                       "%s %zu other measure%s got worse: ", warns ? ", while" : ";",
                       sure, sure == 1 ? "" : "s");
    else
        rec_buf_str(out, "; no other measure got worse beyond chance");
    rec_buf_add(out, worse.p, worse.n);
    if (maybe)
        rec_buf_str(out, "; perhaps, too: ");
    rec_buf_add(out, perhaps.p, perhaps.n);
    out->oom |= worse.oom | perhaps.oom;
    rec_buf_release(&worse);
    rec_buf_release(&perhaps);
    return warns;
}
