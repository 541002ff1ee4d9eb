/*
 * The prompt of a record as the reward reads it: which tokens may count (V) and which must
 * be read (the salient groups).  What the record gives (support, salient) wins over what
 * its text says.
 *
 * This joins what is kept apart: rec, which knows no words, and reward, which knows no
 * records.  P is the number of the prompt's tokens, G that of the groups.
 */
#ifndef CAGSR_EXPLAIN_PROMPT_H
#define CAGSR_EXPLAIN_PROMPT_H

#include "base/err.h"
#include "rec/sample.h"
#include "reward/salient.h"
#include "reward/words.h"

#include <stddef.h>
#include <stdint.h>

/* Zeroed is empty; memory is kept from prompt to prompt. */
struct prompt {
    size_t P;
    unsigned char *support; /* (P) */
    uint32_t *pos, *all;    /* (n) V; (P) 0..P-1 */
    size_t n;
    struct salient_group *group; /* (G) cut to V, weights sum to 1 */
    size_t *type; /* (G) word types; SIZE_MAX: the record gave the group */
    size_t G;
    uint32_t *S; /* (nS) the groups' positions before the cut */
    size_t nS;
    int known; /* 1: salience was found or given */
    struct words words;
    /* private */
    struct salient salient;
    uint32_t *given; /* positions from the record */
    size_t cap, group_cap, given_cap, S_cap;
    int32_t *ids; /* (P) of which prompt it is */
};

/* Reads the prompt of a record; nothing to do if it is the one before.  s was read with
 * prompt_ids and as much of prompt, prompt_ends, prompt_mask, support and attn as there
 * is.  ERR_RECORD, ERR_NOMEM. */
int prompt_read(struct prompt *p, const struct sample *s, const struct salient_rules *r,
                struct err *e) MUST_CHECK;

/* The prompt's text as the salience code wants it; 0 if the record has none. */
int prompt_text_of(struct prompt_text *t, const struct sample *s);

/* What to call group g: into out (n), from the text or as positions. */
void prompt_group_name(char *out, size_t n, const struct prompt *p, size_t g);

void prompt_release(struct prompt *p); /* zeroes it */

#endif
