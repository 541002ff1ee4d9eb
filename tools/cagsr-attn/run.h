/*
 * What the parts of cagsr-attn share: what a run was asked for and holds on to.
 */
#ifndef CAGSR_ATTN_RUN_H
#define CAGSR_ATTN_RUN_H

#include "base/hash.h"
#include "cli/cli.h"
#include "model/capture.h"
#include "model/model.h"
#include "model/reward_model.h"
#include "model/score.h"
#include "rec/sample.h"
#include "rec/stream.h"

#include <stddef.h>

/* Floats of results computed at once, or one candidate's; and of all results and records
 * held at once, or one group's. */
enum { PORTION = 64 << 20 };

struct opts {
    struct cli_common common;
    struct rec_limits limits;
    const char *layers, *heads, *logp, *score;
    int reduce, dtype, no_logp, no_attn;
    size_t batch;
};

struct candidate {
    struct sample sample;
    struct rec *rec; /* it came in, results go there */
    size_t group;    /* of those held */
    size_t floats;   /* of its results */
};

/* What one run holds on to. */
struct run {
    const struct opts *o;
    struct par *par;
    struct kern *kern;
    struct model *model;
    struct capture_spec spec;
    struct scorer *scorer;
    struct reward_model *judge; /* with --score, in place of the scorer */
    struct rec_reader *in;
    struct rec_writer *out;
    struct cli_output file;
    struct cli_progress progress;
    /* Whole groups that wait for a pass, and what they will take; group[n] is being read. */
    struct rec_group *group;
    size_t n, groups_cap;
    size_t rows, floats;
    struct candidate *cand; /* (cands), all of theirs */
    size_t cands;
    size_t cap;                   /* of cand and the next three */
    struct score_response *resp;  /* (cands) */
    struct reward_answer *answer; /* (cands) */
    struct score_group *part;     /* a run of candidates behind one prompt each */
    float *numbers;
    size_t room; /* floats of it */
    size_t records, tokens;
    /* How the attention was taken, in words. */
    char hash[HASH_HEX], layers[CAPTURE_TEXT], heads[CAPTURE_TEXT];
};

/* Reads the candidates of group[n] behind those of the others, and checks them.  Adds nothing
 * to what is held: *rows and *floats is what the group will take. */
int candidates_read(struct run *x, size_t *rows, size_t *floats,
                    struct err *e) MUST_CHECK;

/* Computes and sets the results of all that are held; on an error *good is how many groups
 * before it have theirs. */
int candidates_score(struct run *x, size_t *good, struct err *e) MUST_CHECK;

void candidates_release(struct run *x);

#endif
