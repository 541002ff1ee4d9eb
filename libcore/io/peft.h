/*
 * PEFT's directories of LoRA adapters: adapter_config.json beside
 * adapter_model.safetensors, whose tensors are
 *
 *   base_model.model.MODULE.lora_A.weight  (r, inputs)
 *   base_model.model.MODULE.lora_B.weight  (outputs, r)
 *
 * for each adapted module of the base model: y = W x + s B (A x), s = alpha / r, or
 * alpha / sqrt(r) with use_rslora (arXiv 2106.09685, 2312.03732).  What a config asks for
 * beyond that changes what the model computes, and is refused by the name of its key.
 */
#ifndef CAGSR_IO_PEFT_H
#define CAGSR_IO_PEFT_H

#include "base/err.h"

#include <jansson.h>
#include <stddef.h>

enum { PEFT_RANK_MAX = 4096 };

#define PEFT_CONFIG "adapter_config.json"
#define PEFT_WEIGHTS "adapter_model.safetensors"

/* A zeroed struct is an empty one. */
struct peft {
    char *path;       /* of adapter_config.json */
    json_t *config;   /* as read */
    const char *base; /* base_model_name_or_path, borrowed from config; NULL: null */
    size_t r;
    double alpha;
    int rslora;
};

/* 1 if path is a directory with an adapter_config.json. */
int peft_is_adapter(const char *path);

/* ERR_FILE names the file and the key; ERR_NOMEM.  *p is empty then. */
int peft_read(struct peft *p, const char *dir, struct err *e) MUST_CHECK;
void peft_release(struct peft *p);

/* Rank and scale of a module, rank_pattern and alpha_pattern regarded.  ERR_FILE for a
 * pattern or a value that is none. */
int peft_module(const struct peft *p, const char *module, size_t *r, double *scale,
                struct err *e) MUST_CHECK;

/* Where the parts of a model are that is perhaps an adapter on another one. */
struct peft_paths {
    char *base;    /* the model */
    char *adapter; /* directory or GGUF file, or NULL */
    char *text;    /* where the tokenizer is: the adapter's directory if it has one */
};

/* path is a model or an adapter's directory; adapter is another one's, or its GGUF file,
 * for the model at path, or NULL.  base_model_name_or_path may be absolute, or relative to the working
 * directory, or to the adapter's.  ERR_FILE if the base is nowhere; ERR_USAGE for an
 * adapter on an adapter; ERR_NOMEM. */
int peft_paths_find(struct peft_paths *out, const char *path, const char *adapter,
                    struct err *e) MUST_CHECK;
void peft_paths_release(struct peft_paths *p); /* a zeroed one is fine */

/* What a new adapter_config.json says. */
struct peft_new {
    const char *base; /* the model's path; written as an absolute one */
    size_t r;
    double alpha;
    int rslora;
    int transposed;  /* the base stores matrices as (inputs, outputs) */
    int encoder;     /* the base is an encoder-decoder */
    json_t *targets; /* list of module names' ends; borrowed */
};

/* NULL: no memory.  The caller owns it. */
json_t *peft_config(const struct peft_new *n);

/* A copy of one that was read, for weights that were trained on; the same. */
json_t *peft_config_again(const json_t *config, const char *base);

#endif
