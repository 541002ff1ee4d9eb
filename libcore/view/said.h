/*
 * What a record says of its reward, into a candidate of a scene: the terms of the sum, the
 * words of the prompt, repeats and copies.  From its field `explain` where it has one, else
 * found (scene.h says how).  Seen by scene.c only.
 */
#ifndef CAGSR_VIEW_SAID_H
#define CAGSR_VIEW_SAID_H

#include "attn/stats.h"
#include "view/scene.h"

/* The terms, from explain or from `rewards`. */
int said_terms(struct scene_cand *c, struct err *e) MUST_CHECK;

/* The words; rows (NULL: no attention) are the candidate's, averaged over layers and
 * heads. */
int said_words(struct scene_cand *c, const struct prompt *p,
               const struct attn_rows *rows, struct err *e) MUST_CHECK;

/* What was repeated and what was copied from the prompt of s. */
int said_spans(struct scene_cand *c, struct scene *s, struct err *e) MUST_CHECK;

#endif
