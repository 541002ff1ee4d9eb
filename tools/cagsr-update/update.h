/*
 * The parts of cagsr-update: options, where samples come from, what is told, where the
 * result goes, and the loop that joins them.
 */
#ifndef CAGSR_UPDATE_H
#define CAGSR_UPDATE_H

#include "base/hash.h"
#include "chat/chat.h"
#include "cli/cli.h"
#include "event/event.h"
#include "io/checkpoint.h"
#include "kern/kern.h"
#include "model/adapter.h"
#include "model/model.h"
#include "rec/sample.h"
#include "rec/stream.h"
#include "tok/tok.h"
#include "train/follow.h"
#include "train/reference.h"
#include "train/state.h"
#include "train/step.h"

enum { COMPONENTS = 32, AUTO = -1 };

struct opts {
    struct cli_common common;
    struct rec_limits limits;
    struct train_opts train; /* the numbers the library wants */
    int algo, agg, ratio, loss, kl_type, scale, combine, baseline, schedule, dpo, dtype;
    double kl, lr, clip, clip_high, dual, cap, adv_eps;
    size_t epochs, batch, steps, rows, save_every, keep;
    double kl_stop, loss_stop;
    const char *out, *ref, *publish, *resume, *grads, *weights, *tensorboard;
    int dry_run, off_policy, new_data, raw, recompute;
    struct adapter_opts lora; /* rank 0: none is made */
};

/* ---- source.c: records to groups ------------------------------------------------------ */

struct source {
    const struct opts *o;
    const struct algo *algo;
    const struct model *m;
    struct rec_reader *reader;
    struct rec_group group;
    struct sample sample;
    struct rec_buf buf[3];
    struct train_data one; /* the group being read, whole */
    struct tok *tok; /* opened when a record has text only, and with it chat, end */
    struct chat chat;
    int32_t end; /* the token that ends an answer, or -1 */
    struct rendered rendered[2];
    struct tok_ids ids[2];
    int need_ref;
    char names[COMPONENTS]
              [64]; /* reward components of the first sample that has them */
    double weight[COMPONENTS];
    struct train_cursor cursor;
    /* counts since source_counts_clear */
    size_t records, abstained, empty, skipped, eos;
};

enum { SOURCE_END = 0, SOURCE_GROUP = 1, SOURCE_MARK = 2 };

int source_open(struct source *s, const struct opts *o, const struct model *m,
                struct err *e);
void source_close(struct source *s);

/* Adds the next group to d, as the algorithm wants it.  SOURCE_MARK: the sampler's mark
 * of a finished batch.  A group of which nothing is left adds none, and is not told. */
int source_next(struct source *s, struct train_data *d, struct err *e);

/* Samples of this policy are taken from now on. */
void source_accept(struct source *s, uint64_t policy);

/* ERR_USAGE unless what was read is what a resumed run has had. */
int source_same(const struct source *s, const struct train_cursor *had, struct err *e);

/* Reads past the groups that a resumed run has had; says so if they are others. */
int source_skip(struct source *s, const struct train_cursor *had, struct err *e);

/* text.c: a record with text only, as sft and dpo data sets have it, into s->one. */
int source_text(struct source *s, const struct rec *r, struct err *e);

/* ERR_RECORD if the model has no room for P tokens of prompt and T of response. */
int source_check_length(const struct source *s, const struct rec *r, const char *field,
                        size_t P, size_t T, struct err *e);

/* ---- save.c: where the result goes ----------------------------------------------------- */

struct output {
    const struct opts *o;
    struct train *t;
    struct publisher publisher;
    size_t version;        /* the newest in the publisher's directory */
    uint64_t saved;        /* t->iterations of the last whole save */
    uint64_t published_at; /* t->iterations of the newest version */
    int wrote;             /* -o's directory is ours: it may be replaced */
    int marked;            /* the stream has marks: publish when they come */
};

/* The directory that a run starts from, malloc'd: what --resume means, what is current
 * below --publish if there is no -m, or -m. */
int output_start(char **path, const struct opts *o, struct err *e);

/* Before anything slow: is there a place for the result?  A publisher's lock. */
int output_begin(struct output *out, const struct opts *o, struct err *e);
void output_end(struct output *out);

/* With out->t set: publishes what the run starts from, if it is not current. */
int output_first(struct output *out, struct source *s, const char *start,
                 struct err *e);

/* After an update; `last` behind the last.  Saves or publishes what is due. */
int output_step(struct output *out, struct source *s, int last, struct err *e);

/* Answers a mark: publishes what is new, then lets the sampler go on. */
int output_mark(struct output *out, struct source *s, struct err *e);

/* ---- metric.c: what is told ------------------------------------------------------------- */

struct metric {
    const struct opts *o;
    const struct cli_tool *tool;
    struct rec_writer *writer; /* NULL: standard output is a terminal */
    struct rec rec;
    uint64_t step;   /* that the record is of */
    struct err lost; /* why records are not written any more; code 0: they are */
    struct event_file events; /* fd -1: none, or none any more for a fault */
    struct err events_lost;
    char model[HASH_HEX]; /* of the start; the writer borrows it until its header */
};

/* first: the number of the first update to come. */
int metric_open(struct metric *m, const struct cli_tool *tool, const struct opts *o,
                const struct source *s, uint64_t first, struct err *e);
/* A record that cannot be written is no fault of the run: metric_close tells it. */
int metric_put(struct metric *m, const struct train *t, const struct train_data *d,
               const struct train_result *r, const struct source *s, double seconds,
               struct err *e);
/* Ends the stream; rc is the run's result.  ERR_IO if metrics were lost. */
int metric_close(struct metric *m, int rc, struct err *e);

#endif
