/*
 * What adapter.c, adapter_file.c and adapter_gguf.c share.
 */
#ifndef CAGSR_MODEL_ADAPTER_PRIVATE_H
#define CAGSR_MODEL_ADAPTER_PRIVATE_H

#include "model/adapter.h"
#include "model/private.h"

enum { ADAPTER_NAME = 224 }; /* bytes of a module's or a tensor's name */

/* The module of a parameter as PEFT knows it: the name that the family gives it, without
 * ".weight". */
void adapter_module(char out[ADAPTER_NAME], const struct model *m,
                    const struct plan_param *p);

/* A module that an adapter could have. */
struct adapter_target {
    const char *module;
    const char *gguf; /* its weight in GGUF files; NULL: it has no name there */
    size_t N, K;      /* outputs, inputs */
    enum model_kind kind;
};

/* Whether a module is adapted: 1 with its rank and scale, 0 not, or an error. */
typedef int adapter_choose(void *ctx, const struct adapter_target *t, size_t *r,
                           double *scale, struct err *e);

/* Lays out an adapter of all modules of m that are chosen, parameters zero, and gives it
 * to m, in place of the one it has.  ERR_USAGE, ERR_NOMEM. */
int adapter_build(struct model *m, adapter_choose *choose, void *ctx,
                  struct err *e) MUST_CHECK;

/* After the parameters are there: packs them where m is for sampling, and rehashes. */
int adapter_ready(struct model *m, struct err *e) MUST_CHECK;

/* The one in a GGUF file, whose base m is; adapter_load says the rest. */
int adapter_load_gguf(struct model *m, const char *path, struct err *e) MUST_CHECK;

/* For each module of m that an adapter could have; ends with the first result that is not
 * 0. */
int adapter_modules(const struct model *m,
                    int (*fn)(void *ctx, const char *module, size_t param), void *ctx);

/* 1 if the base's checkpoint has its matrices as (inputs, outputs). */
int adapter_transposed(const struct model *m);

/* The fewest and shortest ends of names that fit the adapter's modules and no other, as
 * target_modules wants them.  NULL: no memory.  The caller owns it. */
json_t *adapter_targets(const struct model *m);

#endif
