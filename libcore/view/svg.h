/*
 * Scenes and curves as SVG: one picture a file, for a paper, a README, a browser.
 *
 * The pictures are dark where the reader prefers dark, need no script and no font, and give
 * every number that matters as text.  Text of models is escaped; characters that XML does
 * not have are dots.
 */
#ifndef CAGSR_VIEW_SVG_H
#define CAGSR_VIEW_SVG_H

#include "view/curves.h"
#include "view/scene.h"

/* What svg_attn shows of the prompt. */
enum svg_tokens {
    SVG_USER,  /* what the user wrote */
    SVG_WHOLE, /* the template, too */
};

/* The heat map of one candidate: a row for each token of the answer, a column for each of
 * the prompt, above them the most (or the mean) over steps, names of salient words bold,
 * of those hardly read slanted.  title may be NULL.  ERR_NOMEM; ERR_RECORD without
 * attention. */
int svg_attn(struct rec_buf *out, const struct scene *s, const struct scene_cand *c,
             const struct scene_look *look, enum svg_tokens tokens, const char *title,
             struct err *e) MUST_CHECK;

/* The candidates' rewards, best first, term by term. */
void svg_reward(struct rec_buf *out, const struct scene *s, const char *title);

/* A panel for each metric. */
void svg_curves(struct rec_buf *out, const struct curve_panels *p, const char *title);

#endif
