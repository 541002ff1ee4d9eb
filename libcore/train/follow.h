/*
 * How `cagsr-update --publish DIR` and `cagsr-sample --follow DIR` keep step, when
 * samples reach the update through a pipe of filters that may drop records.
 *
 *   DIR/v000012/       a version: v and the number of updates published
 *   DIR/current        link to the newest one (io/checkpoint.h)
 *   DIR/progress.json  {"batches": B, "version": V, "status": "running" | "done"}
 *   DIR/publisher.lock held (flock) for as long as the publisher lives
 *   DIR/publishers.lock held too: keeps a second publisher out
 *
 * The sampler sends, behind the last record of each batch of prompts it samples, one
 * record {"kind": "batch", "batch": b, "version": v}, b = 0, 1, ... in this stream, v
 * the version that drew it.  Filters pass it on, as they pass every kind that they do
 * not know.  The update, when the mark of batch b arrives, has all that survived of the
 * batches 0..b: it trains on what makes up whole update batches, publishes, and then
 * writes "batches": b + 1.  Samples left over wait for the next mark.
 *
 * The sampler starts batch b when batches + K >= b, K being --lag.  With K = 0 no sample
 * is ever drawn from weights that are older than what the update has already learnt from
 * the batches before: strictly on-policy, whatever the two batch sizes are, and however
 * many records a filter drops.  Nobody waits for a thing that cannot come: if the
 * publisher has ended ("done"), the sampler ends its stream too; if it died (the lock
 * is free), that is an error; if the sampler dies, the stream lacks its end, and the
 * update publishes nothing more.
 */
#ifndef CAGSR_TRAIN_FOLLOW_H
#define CAGSR_TRAIN_FOLLOW_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* ---- the update's side ------------------------------------------------------------- */

/* A zeroed struct is one that has ended. */
struct publisher {
    char *dir;
    int guard; /* descriptor: one publisher at a time */
    int lock;  /* descriptor: it lives */
};

/* Makes DIR if it is not there, and takes its lock.  Call before anything slow: a
 * sampler started in the same pipe waits for it.  ERR_USAGE if another publisher lives;
 * ERR_IO, ERR_NOMEM. */
int publisher_begin(struct publisher *p, const char *dir, struct err *e) MUST_CHECK;

/* Says how far it is; written whole.  done: 1 with the last one.  ERR_IO. */
int publisher_say(const struct publisher *p, uint64_t batches, size_t version, int done,
                  struct err *e) MUST_CHECK;

/* Lets go of the lock.  Fine on zeros. */
void publisher_end(struct publisher *p);

/* ---- the sampler's side ------------------------------------------------------------ */

struct follow {
    const char *dir; /* borrowed */
    size_t lag;      /* K */
    int out;         /* descriptor of the sampler's output, or -1: if nobody reads it
                        any more, waiting ends */
};

/* Before batch b: waits until it may be drawn.  Returns
 *   1  draw it with the model at *path (malloc'd, the caller's), version *version
 *   0  the publisher has ended as it should: no more samples are wanted
 *   ERR_IO   it died, or none appeared within 60 seconds, or the output's reader is gone
 *   ERR_FILE something in DIR is not what it should be */
int follow_wait(const struct follow *f, uint64_t b, size_t *version, char **path,
                struct err *e) MUST_CHECK;

#endif
