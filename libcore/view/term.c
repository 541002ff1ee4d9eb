#include "view/term.h"

#include "base/chars.h"
#include "view/palette.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD = 12, BAR = 28, MARGIN = 20, SPANS_SHOWN = 5 };

static const struct paint plain = {0}, strong = {.attrs = PAINT_BOLD},
                          faint = {.attrs = PAINT_DIM};

static struct flow flow_for(struct rec_buf *out, const struct term_style *st,
                            size_t indent)
{
    return (struct flow){.out = out,
                         .depth = st->depth,
                         .ground = st->ground,
                         .width = st->width,
                         .indent = indent};
}

static void painted(struct rec_buf *out, const struct term_style *st, struct paint p,
                    const char *text)
{
    paint_change(out, st->depth, st->ground, plain, p);
    rec_buf_str(out, text);
    paint_change(out, st->depth, st->ground, p, plain);
}

/* ---- the ranking ----------------------------------------------------------------------- */
/* What bars measure: the largest sums of shares to both sides of zero. */
struct bars {
    double below, above; /* both >= 0 */
    int weighed;         /* 1: shares are known; 0: only the reward is */
};

static void measure(struct bars *b, double share)
{
    if (share < 0)
        b->below -= share;
    else if (share > 0)
        b->above += share;
}

static struct bars bars_of(const struct scene *s)
{
    struct bars all = {.weighed = 1};

    for (size_t i = 0; i < s->n; i++)
        all.weighed &= scene_weighed(&s->cand[i]);
    for (size_t i = 0; i < s->n; i++) {
        const struct scene_cand *c = &s->cand[i];
        struct bars one = {0};

        for (size_t k = 0; all.weighed && k < c->terms; k++)
            measure(&one, scene_share(&c->term[k]));
        if (!all.weighed)
            measure(&one, c->reward);
        all.below = fmax(all.below, one.below);
        all.above = fmax(all.above, one.above);
    }
    return all;
}

/* Fills cells from zero outwards, part after part; lengths are rounded as sums, so that
 * their total is right. */
static void fill(char *part, size_t zero, double unit, const struct scene_cand *c,
                 int sign)
{
    double sum = 0;
    size_t at = 0;

    for (size_t k = 0; k < c->terms; k++) {
        const double x = sign * scene_share(&c->term[k]);
        const size_t p = palette_find(c->term[k].name);

        if (!(x > 0))
            continue;
        sum += x;
        for (; at < (size_t)lround(sum / unit); at++) {
            const size_t cell = sign > 0 ? zero + at : zero - 1 - at;
            if (cell < BAR)
                part[cell] = (char)(1 + p);
        }
    }
}

static void put_bar(struct rec_buf *out, const struct scene_cand *c,
                    const struct bars *b, const struct term_style *st)
{
    const double span = b->below + b->above, unit = span > 0 ? span / BAR : 1;
    const size_t zero = (size_t)lround(b->below / unit);
    struct scene_term whole = {{"", 0}, c->reward, 1};
    struct scene_cand only = {.term = &whole, .terms = !isnan(c->reward)};
    char part[BAR] = {0};
    struct paint now = plain;

    fill(part, zero, unit, b->weighed ? c : &only, 1);
    fill(part, zero, unit, b->weighed ? c : &only, -1);
    for (size_t i = 0; i <= BAR; i++) {
        if (i == zero) {
            paint_change(out, st->depth, st->ground, now, plain);
            now = plain;
            rec_buf_str(out, "|");
        }
        if (i == BAR)
            break;
        const struct paint next = {.part = part[i]};
        paint_change(out, st->depth, st->ground, now, next);
        now = next;
        rec_buf_add(out, part[i] ? &palette_parts[part[i] - 1].letter : " ", 1);
    }
    paint_change(out, st->depth, st->ground, now, plain);
}

static void put_legend(struct rec_buf *out, const struct scene *s,
                       const struct term_style *st)
{
    const struct scene_cand *c = &s->cand[0];
    struct flow f = flow_for(out, st, MARGIN - 1);

    flow_begin(&f, "");
    for (size_t k = 0; k < c->terms; k++) {
        const size_t p = palette_find(c->term[k].name);
        const char letter[2] = {palette_parts[p].letter, 0};

        if (c->term[k].weight >= 0 && c->term[k].weight <= 0)
            continue;
        flow_str(&f, "  ", plain);
        flow_str(&f, letter, (struct paint){.part = (int)(1 + p)});
        flow_joined(&f, " ", 1, plain);
        flow_joined(&f, c->term[k].name.s, c->term[k].name.n, plain);
    }
    flow_end(&f);
    flow_release(&f);
}

/* As much of an answer as fits, and the end of the line. */
static void put_begin_of(struct rec_buf *out, const struct scene_cand *c, size_t room)
{
    struct flow f = {.out = out, .width = SIZE_MAX};
    size_t used = 0;

    flow_begin(&f, "");
    for (size_t t = 0; t < c->tokens.n; t++) {
        struct rec_str k = c->tokens.token[t];

        while (used == 0 && k.n &&
               *k.s == ' ') { /* a line does not begin with blanks */
            k.s++;
            k.n--;
        }
        used += chars_columns(k.s, k.n);
        if (used > room)
            break;
        flow_line(&f, k.s, k.n, plain);
    }
    flow_end(&f);
    flow_release(&f);
}

static void put_title(struct rec_buf *out, const struct scene *s,
                      const struct scene_look *look, const struct term_style *st)
{
    const struct sample_attn *a = &s->cand[0].sample.attn;
    struct flow f = flow_for(out, st, 2);
    char text[160];

    flow_begin(&f, "");
    flow_line(&f, s->id.s, s->id.n, strong);
    snprintf(text, sizeof text, "  %zu candidate%s", s->n, s->n == 1 ? "" : "s");
    flow_str(&f, text, plain);
    if (s->cand[0].A) {
        snprintf(text, sizeof text, look->layer >= 0 ? ", layer %ld" : ", layers ",
                 look->layer);
        flow_str(&f, text, plain);
        if (look->layer < 0)
            flow_line(&f, a->layers.s, a->layers.n, plain);
        snprintf(text, sizeof text, look->head >= 0 ? ", head %ld" : ", mean of heads",
                 look->head);
        flow_str(&f, text, plain);
    }
    flow_end(&f);
    flow_release(&f);
}

void term_ranking(struct rec_buf *out, const struct scene *s,
                  const struct scene_look *look, const struct term_style *st)
{
    const struct bars b = bars_of(s);
    const size_t used = MARGIN + BAR + 2; /* the zero, a blank */

    put_title(out, s, look, st);
    if (!(b.below + b.above > 0))
        return;
    for (size_t i = 0; i < s->n; i++) {
        const struct scene_cand *c = &s->cand[s->order[i]];

        rec_buf_printf(out, " %3zu  #%-4llu", i + 1,
                       (unsigned long long)c->sample.cand);
        rec_buf_printf(out, isnan(c->reward) ? "    none " : "%+8.3f ", c->reward);
        put_bar(out, c, &b, st);
        rec_buf_str(out, " ");
        put_begin_of(out, c, st->width > used ? st->width - used : 0);
    }
    if (b.weighed)
        put_legend(out, s, st);
}

/* ---- one candidate --------------------------------------------------------------------- */
static int in_spans(const struct scene_spans *s, size_t t)
{
    for (size_t i = 0; i < s->n; i++)
        if (t >= s->span[i].from && t < s->span[i].to)
            return 1;
    return 0;
}

static void put_answer(struct rec_buf *out, const struct scene_cand *c,
                       const struct scene_look *look, const struct term_style *st)
{
    struct flow f = flow_for(out, st, HEAD);

    flow_begin(&f, "  answer");
    for (size_t t = 0; t < c->tokens.n; t++) {
        const struct rec_str k = c->tokens.token[t];
        const int now = (long)t == look->token;
        const struct paint p = {.attrs =
                                    (now ? PAINT_REVERSE : 0) |
                                    (in_spans(&c->repeated, t) ? PAINT_UNDERLINE : 0) |
                                    (in_spans(&c->copied, t) ? PAINT_ITALIC : 0)};

        if (now && st->depth == PAINT_PLAIN)
            flow_str(&f, "[", plain);
        flow_text(&f, k.s, k.n, p);
        if (now && st->depth == PAINT_PLAIN)
            flow_str(&f, "]", plain);
    }
    flow_end(&f);
    flow_release(&f);
}

/* Without colours the numbers of what was read at least half as much as the most. */
static void put_percent(struct flow *f, double w, double top)
{
    char text[32];

    if (f->depth != PAINT_PLAIN || !(top > 0) || w < top / 2)
        return;
    snprintf(text, sizeof text, "(%.2g%%)", 100 * w);
    flow_str(f, text, plain);
}

static void put_prompt(struct rec_buf *out, const struct scene *s, const double *w,
                       double top, const struct term_style *st)
{
    struct flow f = flow_for(out, st, HEAD);

    flow_begin(&f, "  prompt");
    for (size_t j = 0; j < s->prompt.n; j++) {
        const struct rec_str k = s->prompt.token[j];
        const int user = !s->user || s->user[j];
        const double shade = top > 0 ? fmax(0, fmin(1, w[j] / top)) : 0;
        const struct paint p = {.shade = shade, .attrs = user ? 0 : PAINT_DIM};

        if (!user && !st->whole)
            continue;
        flow_text(&f, k.s, k.n, p);
        if (s->support[j])
            put_percent(&f, w[j], top);
    }
    flow_end(&f);
    flow_release(&f);
}

/* A row for each layer, a cell for each head: its mass as a digit, 9 the most. */
static void put_planes(struct rec_buf *out, const struct scene_cand *c,
                       const double *mass, const struct term_style *st)
{
    const struct sample_attn *a = &c->sample.attn;
    const size_t first = planes_first_layer(a);
    double top = 0;
    char text[48];

    for (size_t k = 0; k < a->L * a->H; k++)
        top = fmax(top, mass[k]);
    for (size_t l = 0; l < a->L; l++) {
        struct flow f = flow_for(out, st, HEAD);

        snprintf(text, sizeof text, l ? "     %4zu" : "  layer %zu", first + l);
        flow_begin(&f, text);
        for (size_t h = 0; h < a->H; h++) {
            const double x = top > 0 ? fmax(0, mass[l * a->H + h] / top) : 0;

            snprintf(text, sizeof text, "%.0f", 9 * x);
            flow_str(&f, text, (struct paint){.shade = x});
            flow_str(&f, " ", plain);
        }
        flow_end(&f);
        flow_release(&f);
    }
}

static void put_words(struct rec_buf *out, const struct scene_cand *c, int hardly,
                      const struct term_style *st)
{
    struct flow f = flow_for(out, st, HEAD);
    size_t shown = 0;
    char text[64];

    flow_begin(&f, hardly ? "  hardly" : "  read");
    for (size_t g = 0; g < c->words; g++) {
        const struct scene_word *w = &c->word[g];

        if (w->hardly != hardly)
            continue;
        flow_str(&f, shown++ ? ", " : "", plain);
        flow_joined(&f, w->name, strlen(w->name), hardly ? plain : strong);
        snprintf(text, sizeof text, " %.3f@%zu", w->best, w->step);
        flow_joined(&f, text, strlen(text), faint);
    }
    flow_str(&f, shown ? "" : "-", plain);
    flow_end(&f);
    flow_release(&f);
}

static void put_spans(struct rec_buf *out, const char *head, const struct scene_cand *c,
                      const struct scene_spans *s, const struct term_style *st)
{
    struct flow f = flow_for(out, st, HEAD);

    if (s->n == 0)
        return;
    flow_begin(&f, head);
    for (size_t i = 0; i < s->n && i < SPANS_SHOWN; i++) {
        flow_str(&f, i ? ", '" : "'", plain);
        for (size_t t = s->span[i].from; t < s->span[i].to; t++)
            flow_line(&f, c->tokens.token[t].s, c->tokens.token[t].n, plain);
        flow_str(&f, "'", plain);
    }
    flow_str(&f, s->n > SPANS_SHOWN ? ", ..." : "", plain);
    flow_end(&f);
    flow_release(&f);
}

static void put_sum(struct rec_buf *out, const struct scene_cand *c,
                    const struct term_style *st)
{
    const int weighed = scene_weighed(c);
    struct flow f = flow_for(out, st, HEAD);
    size_t shown = 0;
    char text[96];

    flow_begin(&f, weighed ? "  sum" : "  values");
    for (size_t k = 0; k < c->terms; k++) {
        const struct scene_term *t = &c->term[k];

        if (weighed &&
            !(fabs(t->weight) > 0 && (isnan(t->value) || fabs(t->value) > 0)))
            continue; /* adds nothing */
        flow_str(&f, shown++ ? "  " : "", plain);
        flow_joined(&f, t->name.s, t->name.n, strong);
        if (isnan(t->value))
            snprintf(text, sizeof text, " abstained");
        else if (weighed)
            snprintf(text, sizeof text, " %.4gx%.3g=%+.3f", t->value, t->weight,
                     scene_share(t));
        else
            snprintf(text, sizeof text, " %.4g", t->value);
        flow_joined(&f, text, strlen(text), plain);
    }
    flow_end(&f);
    flow_release(&f);
}

static const char *ending(const struct sample *x)
{
    static const char *const said[] = {
        [FINISH_NONE] = "",          [FINISH_EOS] = ", ended",
        [FINISH_STOP] = ", stopped", [FINISH_LENGTH] = ", cut",
        [FINISH_OTHER] = "",
    };

    return said[x->finish];
}

static void put_head(struct rec_buf *out, const struct scene *s,
                     const struct scene_cand *c, const struct scene_look *look,
                     const struct term_style *st)
{
    char text[160];
    size_t rank = 0;

    while (rank < s->n && &s->cand[s->order[rank]] != c)
        rank++;
    snprintf(text, sizeof text, "\n#%llu", (unsigned long long)c->sample.cand);
    painted(out, st, strong, text);
    if (!isnan(c->reward))
        rec_buf_printf(out, "  reward %+.4f, %zu of %zu", c->reward, rank + 1, s->n);
    rec_buf_printf(out, "  %zu tokens%s", c->sample.T, ending(&c->sample));
    if (look->token >= 0)
        rec_buf_printf(out, "; what step %ld read", look->token);
    rec_buf_str(out, "\n");
}

int term_cand(struct rec_buf *out, const struct scene *s, const struct scene_cand *c,
              const struct scene_look *look, const struct term_style *st, struct err *e)
{
    const struct sample_attn *a = &c->sample.attn;
    const size_t planes = c->A ? a->L * a->H : 0;
    double *w = malloc((2 * s->prompt.n + planes + 1) * sizeof *w);

    if (!w)
        return err_set(e, ERR_NOMEM, "no memory for a picture");
    const double top = scene_weights(w, s, c, look);
    put_head(out, s, c, look, st);
    put_answer(out, c, look, st);
    put_prompt(out, s, w, top, st);
    if (planes) {
        scene_planes(w, s, c, look);
        put_planes(out, c, w, st);
    }
    if (c->words) {
        put_words(out, c, 0, st);
        put_words(out, c, 1, st);
    }
    put_spans(out, "  repeated", c, &c->repeated, st);
    put_spans(out, "  copied", c, &c->copied, st);
    if (c->terms)
        put_sum(out, c, st);
    free(w);
    return 0;
}
