/*
 * Reward components from a shared object: the five functions that `cagsr-reward --plugin
 * FILE.so` looks for.  examples/plugins has some; build with
 *
 *     cc -shared -fPIC -o mine.so mine.c $(pkg-config --cflags cagsr)
 *
 * Only the declarations below are used: a plug-in links to nothing of ours.
 */
#ifndef CAGSR_REWARD_PLUGIN_H
#define CAGSR_REWARD_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

enum { CAGSR_PLUGIN_API = 1 };

/* One candidate, borrowed for the call.  New members are only ever added at the end;
 * `size` says how much of the struct the program knows. */
struct cagsr_plugin_sample {
    size_t size; /* sizeof(struct cagsr_plugin_sample) */
    const char *id;
    size_t id_len; /* texts have no NUL behind them */
    uint64_t cand, n;
    const char *prompt, *text; /* UTF-8; NULL where the record has none */
    size_t prompt_len, text_len;
    const int32_t *prompt_ids, *ids;
    size_t P, T;
    const float *attn; /* (T,P) mean over layers and heads; NULL if there is none */
    const unsigned char *support; /* (P) V; NULL if unknown */
    const float *logp, *ref;      /* (T) nats, or NULL */
    int ended;                    /* 1: closed with the end token */
};

/* One line: what it measures. */
const char *about(void);

/* Its options, some lines; shown by --plugin FILE.so,help. */
const char *usage(void);

/* Called once.  api is CAGSR_PLUGIN_API of the program; options is what stood behind the
 * comma of --plugin FILE.so,OPTIONS, or "".  *names gets count component names, which
 * live until destroy().  Returns count >= 1, or -1 with a sentence in why (n bytes). */
int init(int api, const char *options, const char *const **names, char *why, size_t n);

/* value (count) out, one per name; NAN abstains.  Returns 0, or -1 with a sentence in
 * why: the record is then an error record. */
int process(const struct cagsr_plugin_sample *s, double *value, char *why, size_t n);

/* Called once at the end. */
void destroy(void);

#endif
