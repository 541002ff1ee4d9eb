/*
 * What the parts of cagsr-reward share.
 *
 *   terms.c     which components the sum has, and their weights
 *   scales.c    --calibrate, --scales: deviations and document frequencies
 *   measure.c   a record's components
 *   turns.c     the same, turn by turn
 *   score.c     a record's reward, a group's rewards
 *   explain.c   the sum in words
 *   output.c    rewards into records; --rank, --best, --pairs
 *   labels.c    human scores
 *   plugins.c   components from shared objects
 *   exec.c      a co-process in front
 */
#ifndef CAGSR_REWARD_RUN_H
#define CAGSR_REWARD_RUN_H

#include "base/reserve.h"
#include "cli/cli.h"
#include "explain/prompt.h"
#include "rec/sample.h"
#include "rec/stream.h"
#include "reward/combine.h"
#include "reward/ngram.h"
#include "reward/salient.h"
#include "reward/turns.h"

#include <stddef.h>
#include <stdint.h>

enum method { METHOD_F12, METHOD_F7, METHOD_LITERAL };

/* Components of our own; the first are the parts of the method's sum. */
enum component {
    COMP_BEST = COMBINE_PARTS, /* coverage, four more ways */
    COMP_CAPPED,
    COMP_MEAN,
    COMP_GNMT,
    COMP_SUM,
    COMP_FOCUS_MEAN,
    COMP_FOCUS_SUM,
    COMP_REP_SHARE,
    COMP_REP_COUNT,
    COMP_CONTAINMENT,
    COMP_LEXICAL, /* controls: rewards without attention */
    COMP_LOGP,
    COMP_LENGTH,
    COMP_RANDOM,
    COMP_CONSTANT,
    COMPONENTS,
};

struct opts {
    struct cli_common common;
    struct rec_limits limits;
    int f12, f7, literal, method;
    const char *weights, *calibrate, *scales, *explain, *exec, *labels, *lambda;
    const char *stop_words;
    int salient, exec_format;
    int rank, pairs, allow_errors;
    size_t best, rep_n, copy_n, t_min;
    double rep_free, copy_free, h_min, zeta, kappa, margin, label_weight, gamma;
    double exec_timeout;
    struct cli_list plugins;
};

/* ---- terms.c --------------------------------------------------------------------------- */
enum term_from {
    FROM_US,
    FROM_PLUGIN,
    FROM_RECORD, /* a member of `rewards` that came with the record */
};

struct term {
    const char *name; /* borrowed, or in terms.names */
    double weight;
    enum term_from from;
    int shown; /* written to `rewards`: a part of the method, or asked for */
};

struct terms {
    struct term *term;
    const char **out_name; /* what goes out of a record's: room for n */
    double *out_value;
    size_t n, cap;
    char **names; /* what we own */
    size_t nnames;
    double extra; /* weight of components nobody gave one: 1 with --exec, else none */
};

struct scales;

/* Our components with the method's weights; tau from the scales where there are some. */
int terms_begin(struct terms *t, enum method m, const struct scales *s,
                struct err *e) MUST_CHECK;
int terms_add(struct terms *t, const char *name, enum term_from from, double weight,
              struct err *e) MUST_CHECK;
/* --weights: a list that starts with + changes weights, another replaces them all. */
int terms_weigh(struct terms *t, const char *spec, const struct scales *s,
                struct err *e) MUST_CHECK;
size_t terms_find(const struct terms *t, const char *name, size_t n); /* or SIZE_MAX */
void terms_release(struct terms *t);

/* ---- scales.c -------------------------------------------------------------------------- */
struct scales {
    double s[COMBINE_PARTS]; /* NaN: unknown */
    struct df *df;           /* NULL: none */
    char *layers;            /* which attention it was measured on, or NULL */
};
extern const struct scales scales_built_in;

/* Reads a file that --calibrate wrote for this method and salience: ERR_FILE. */
int scales_read(struct scales *s, const char *path, enum method m, int salient,
                struct err *e) MUST_CHECK;
void scales_release(struct scales *s);

struct calibration {
    struct combine_scale part[COMBINE_PARTS];
    struct df *df;
    size_t records;
    char layers[32];
};
int calibration_write(const struct calibration *c, const char *path, enum method m,
                      int salient, struct err *e) MUST_CHECK;

/* ---- measure.c ------------------------------------------------------------------------- */
/* One stretch of a response to be scored: all of it, or a turn. */
struct stretch {
    size_t begin, end; /* tokens */
    int ended;         /* closed by itself */
    int end_token;     /* its last token is the end token */
};

struct measure {
    double *A, *mass, *mass_all, *h, *h_all, *best, *share, *ref;
    size_t *kept, *kept_all, *step;
    int32_t *tokens; /* prompt and response */
    unsigned char *mark;
    size_t cap_A, cap_T, cap_G, cap_tokens;
    size_t nkept;
    struct ngram_table table;
    struct words words; /* of the response, for lexical */
};

struct run {
    const struct opts *o;
    const struct cli_tool *tool;
    enum method method;
    struct scales scales;
    struct terms terms;
    struct salient_rules rules;
    struct strtab stop_words;
    struct turn_lambda lambda;
    double *lambda_list;
    size_t lambda_n;
    struct prompt prompt;
    struct measure m;
    struct sample sample;
    struct plugins *plugins;
    struct labels *labels;
    struct calibration cal;
    size_t errors, abstained; /* records */
    int noted_layers;
};

/* Decodes a record's attention, log-probabilities and tokens into r->m; r->sample has been
 * read.  ERR_NUMERIC for attention that is no number. */
int measure_load(struct run *r, struct err *e) MUST_CHECK;

/* value (COMPONENTS) out: NaN where something it needs is not there. */
int measure_stretch(struct run *r, const struct stretch *s, double *value,
                    struct err *e) MUST_CHECK;
void measure_release(struct measure *m);
struct stretch measure_whole(const struct sample *s);

/* The method's sum over the values (terms.n). */
double measure_sum(const struct run *r, const double *value,
                   struct combine_term *scratch);

/* ---- turns.c --------------------------------------------------------------------------- */
/* turn (cap) out from the field `turns`; returns how many, 0 if there is none. */
long turns_read(struct stretch **turn, const struct sample *s,
                struct err *e) MUST_CHECK;
int turns_lambda(struct run *r, const char *spec, double gamma,
                 struct err *e) MUST_CHECK;

/* ---- score.c --------------------------------------------------------------------------- */
/* Values of one record and its reward, over turns where it has some. */
struct scored {
    double *value; /* (terms) */
    struct combine_term *term;
    double reward;
    struct stretch *turn;
    double *R, *G;
    size_t cap_value, cap_term, cap_turn;
    size_t turns;
};

struct batch {
    struct scored x;
    double *values; /* (candidates, terms) */
    double *reward, *z;
    unsigned char *failed;
    size_t cap_values, cap;
};

/* Scores the records of a group in place: b->reward and b->failed say what came of each. */
int score_group(struct run *r, struct batch *b, struct rec_group *g,
                struct err *e) MUST_CHECK;
/* Adds the group scored last to the deviations of --calibrate. */
void score_calibrate(struct run *r, const struct batch *b, size_t n);
void batch_release(struct batch *b);

/* ---- explain.c ------------------------------------------------------------------------- */
int explain_text(struct run *r, const double *value, double reward,
                 struct err *e) MUST_CHECK;
int explain_record(struct run *r, struct rec *rec, const double *value, double reward,
                   struct err *e) MUST_CHECK;

/* ---- output.c -------------------------------------------------------------------------- */
/* rewards and reward into a record; value (terms.n), NaN abstained. */
void output_rewards(struct rec *rec, struct terms *t, const double *value,
                    double reward);
struct output {
    struct rec_writer *w;
    struct rec pair;
    size_t *order, cap;
};
/* Writes a group: reward (n), NaN abstained; failed[i]: record i is an error by now. */
int output_group(struct output *out, const struct opts *o, struct rec_group *g,
                 const double *reward, const unsigned char *failed,
                 struct err *e) MUST_CHECK;
void output_release(struct output *out);

/* ---- labels.c -------------------------------------------------------------------------- */
int labels_read(struct labels **out, const char *path, struct err *e) MUST_CHECK;
/* 1 with *z, the score in deviations from the mean of all scores; 0 if there is none. */
int labels_find(struct labels *l, struct rec_str id, uint64_t cand, double *z);
size_t labels_unused(const struct labels *l);
void labels_free(struct labels *l);

/* ---- plugins.c ------------------------------------------------------------------------- */
int plugins_open(struct plugins **out, const struct cli_list *specs, struct terms *t,
                 struct err *e) MUST_CHECK;
int plugins_process(struct plugins *p, const struct run *r, double *value,
                    struct err *e) MUST_CHECK;
void plugins_close(struct plugins *p); /* NULL is fine */

/* ---- exec.c ---------------------------------------------------------------------------- */
enum exec_format { EXEC_MSGPACK, EXEC_JSON };
struct coprocess;
/* Starts `sh -c command` and sends it all of `in`; *out reads what comes back. */
int coprocess_start(struct coprocess **out, const struct opts *o, struct rec_reader *in,
                    const struct rec_pg *pg, struct err *e) MUST_CHECK;
struct rec_reader *coprocess_reader(struct coprocess *c);
/* Call around each read: the clock of --timeout runs only while we wait. */
void coprocess_waiting(struct coprocess *c, int waiting);
/* Ends it: rc is the result of reading.  Says which of the three failed.  NULL is fine. */
int coprocess_end(struct coprocess *c, int rc, struct err *e) MUST_CHECK;
/* Frees what has ended, and its reader: records and headers borrowed from that go too.
 * NULL is fine. */
void coprocess_free(struct coprocess *c);

#endif
