/*
 * One run: prompts through the generator, in order, with whatever lies between them; in
 * one go, or batch by batch with the newest version of a policy.
 */
#ifndef CAGSR_SAMPLE_RUN_H
#define CAGSR_SAMPLE_RUN_H

#include "cli/cli.h"
#include "emit.h"
#include "model/generate.h"
#include "source.h"
#include "train/follow.h"

struct run_opts {
    size_t n; /* candidates per prompt */
    size_t rows, max_tokens;
    struct sample_opts sample;
    uint64_t seed;
    int ignore_eos;
    int skip_long;
    const char *attn; /* layers to capture ("": upper), NULL: none */
    size_t prompts;   /* in a batch, when following */
};

struct run {
    struct run_opts o;
    const struct cli_tool *tool; /* borrowed, as what follows */
    const struct cli_common *common;
    struct kern *kern;
    struct chat *chat;
    struct source *source;
    struct rec_writer *out;
    struct emitter emit; /* owned, as what follows */
    struct cli_progress progress;
    struct model *model;
    size_t version; /* of the model, when following */
    struct capture_spec capture;
    int32_t *eos; /* (neos) ids that end a response */
    size_t neos;
    struct tok_decoder *slot;    /* (rows) texts in the making, for stop strings */
    struct prompt *first, *last; /* asked for and not answered yet, others between */
    struct prompt *ahead;        /* read, not asked for */
    int ended;                   /* the source has; if by a fault, it is in why */
    struct err why;
    size_t left; /* prompts that this batch may still take */
    size_t answered, tokens;
    double started;
};

/* Opens the model at path, with an adapter or NULL, in place of the one before; capture
 * and end tokens are made to fit.  chat is open. */
int run_open_model(struct run *r, const char *path, const char *adapter,
                   struct err *e) MUST_CHECK;

/* Samples until there are no more prompts.  Without f the model is open; with f the
 * newest version is taken before each batch, and a mark follows it (train/follow.h).  A
 * faulty prompt is reported when all before it are answered. */
int run_all(struct run *r, const struct follow *f, struct err *e) MUST_CHECK;

void run_release(struct run *r);

#endif
