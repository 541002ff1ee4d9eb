/*
 * Scenes and curves for a terminal, as text with escapes for colours.
 */
#ifndef CAGSR_VIEW_TERM_H
#define CAGSR_VIEW_TERM_H

#include "view/curves.h"
#include "view/paint.h"
#include "view/scene.h"

struct term_style {
    enum paint_depth depth;
    enum paint_ground ground;
    size_t width; /* columns, at least TERM_NARROW */
    int whole;    /* 1: the prompt's template, too, not only what the user wrote */
};
enum { TERM_NARROW = 50 };

/* The prompt's name, what attention is shown, and the candidates ranked with their
 * rewards. */
void term_ranking(struct rec_buf *out, const struct scene *s,
                  const struct scene_look *look, const struct term_style *st);

/* One candidate: its answer, the prompt shaded by what the answer read, layers and heads,
 * words, repeats, copies, the sum.  ERR_NOMEM. */
int term_cand(struct rec_buf *out, const struct scene *s, const struct scene_cand *c,
              const struct scene_look *look, const struct term_style *st,
              struct err *e) MUST_CHECK;

/* Every panel as a line: mean over runs from first to last step. */
void term_curves(struct rec_buf *out, const struct curve_panels *p,
                 const struct term_style *st);

#endif
