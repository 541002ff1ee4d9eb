/*
 * A tiny golden model and what an update on it needs, for the tests of train/step.
 */
#ifndef CAGSR_TESTS_TRAIN_BENCH_H
#define CAGSR_TESTS_TRAIN_BENCH_H

#include "../support/golden.h"
#include "train/step.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bench {
    struct par *par;
    struct kern *kern;
    struct model *m;
    struct train_opts o;
    struct train *t;
    struct train_data d;
    struct err e;
};

static inline void ok(const struct bench *b, int rc)
{
    cr_assert_geq(rc, 0, "%s", b->e.text);
}

static inline void bench_open(struct bench *b, const char *family, size_t threads)
{
    char path[4096];

    memset(b, 0, sizeof *b);
    ok(b, par_new(&b->par, threads, &b->e));
    ok(b, kern_new(&b->kern, b->par, NULL, &b->e));
    ok(b, model_open(&b->m, golden_path(path, family), b->kern, MODEL_COMPUTE, &b->e));
    b->o = (struct train_opts){
        .algo = {.policy = {.low = .2,
                            .high = .28,
                            .cap = INFINITY,
                            .dual = INFINITY,
                            .clamp = 20,
                            .kl = KL_K3},
                 .gamma = 1,
                 .lambda = .95,
                 .value_coef = .1,
                 .value_clip = .2,
                 .eps = {1e-4, 0},
                 .dpo = {DPO_SIGMOID, .1, 0}},
        .rows = 64,
        .epochs = 1,
        .schedule = {.lr = 1e-3},
        .adamw = {.9, .95, 1e-8},
        .grad_clip = 1,
        .kl = {.beta = .05},
        .seed = 5,
    };
}

static inline void bench_algo(struct bench *b, enum algo_kind k)
{
    const struct algo *a = algo_get(k);

    b->o.algo.kind = k;
    b->o.algo.mean = a->mean;
    b->o.algo.policy.kind = k == ALGO_RLOO ? POLICY_SEQ_SUM
                            : k == ALGO_REINFORCE || k == ALGO_SFT || k == ALGO_RAFT
                                ? POLICY_LOGLIK
                                : POLICY_CLIP;
}

static inline void bench_start(struct bench *b)
{
    train_free(b->t);
    b->t = NULL;
    ok(b, train_new(&b->t, b->m, &b->o, &b->e));
}

static inline void bench_close(struct bench *b)
{
    train_free(b->t);
    train_data_release(&b->d);
    model_close(b->m);
    kern_free(b->kern);
    par_free(b->par);
}

#endif
