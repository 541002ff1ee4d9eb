/*
 * cagsr-reward: samples with attention in, the same with rewards out.
 *
 * One group (the candidates of a prompt) is in memory at a time.  Where the parts are:
 * cagsr-reward/run.h.
 */
#include "cagsr-reward/run.h"

#include "base/file.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const methods[] = {"f12", "f7", "literal", NULL};
static const char *const exec_formats[] = {"msgpack", "json", NULL};

#define AT(member) offsetof(struct opts, member)

static const struct cli_option options[] = {
    {"method", 0, CLI_CHOICE, AT(method), "NAME", "f12 (default), f7 or literal",
     .choices = methods},
    {"f7", 0, CLI_FLAG, AT(f7), NULL, "capped coverage, focus, penalties: --method f7"},
    {"literal", 0, CLI_FLAG, AT(literal), NULL,
     "the paper's sums, to the letter: --method literal"},
    {"weights", 'w', CLI_STRING, AT(weights), "NAME=W,...",
     "the sum; with a leading + only what changes in it; W/s is in deviations"},
    {"calibrate", 0, CLI_STRING, AT(calibrate), "FILE",
     "measure deviations and word counts of this stream, write them to FILE"},
    {"scales", 's', CLI_STRING, AT(scales), "FILE", "use what --calibrate wrote"},
    {"salient", 0, CLI_CHOICE, AT(salient), "HOW",
     "which prompt words count: idf (all content words, the default), sentence, top",
     .choices = salient_mode_names},
    {"stop-words", 0, CLI_STRING, AT(stop_words), "FILE",
     "words that are no content, one a line, instead of the English ones"},
    {"rep-n", 0, CLI_SIZE, AT(rep_n), "N", "repetition counts N-grams (default 3)",
     .lo = 1, .hi = 64},
    {"rep-free", 0, CLI_DOUBLE, AT(rep_free), "X",
     "share of repeats that costs nothing (default .15; 0 with f7)", .lo = 0,
     .hi = 0.999},
    {"copy-n", 0, CLI_SIZE, AT(copy_n), "N", "copying counts N-grams (default 4)",
     .lo = 1, .hi = 64},
    {"copy-free", 0, CLI_DOUBLE, AT(copy_free), "X",
     "share of copies that costs nothing (default .5; .2 with f7, literal)", .lo = 0,
     .hi = 0.999},
    {"h-min", 0, CLI_DOUBLE, AT(h_min), "X",
     "floor of the entropy: sharper is no better (default .25)", .lo = 0, .hi = 0.999},
    {"zeta", 0, CLI_DOUBLE, AT(zeta), "X",
     "penalty of entropy below the floor, f7 only (default 0)", .lo = 0, .hi = 1000},
    {"kappa", 0, CLI_DOUBLE, AT(kappa), "X",
     "even shares at which a word is covered, f7 only (default 1)", .lo = 1e-6,
     .hi = 1e6},
    {"t-min", 0, CLI_SIZE, AT(t_min), "N",
     "answers below N tokens are short (default 3; 8 with f7, literal)", .lo = 0,
     .hi = 1e9},
    {"lambda", 0, CLI_STRING, AT(lambda), "HOW",
     "weights of turns: geometric (default), uniform, or W,W,..."},
    {"turn-gamma", 0, CLI_DOUBLE, AT(gamma), "X", "of the geometric ones (default .95)",
     .lo = 0, .hi = 1},
    {"explain", 'e', CLI_OPTARG, AT(explain), "record",
     "every sum in words on standard error; =record: as a field"},
    {"rank", 'r', CLI_FLAG, AT(rank), NULL,
     "best candidate first, with a field 'rank'"},
    {"best", 'b', CLI_SIZE, AT(best), "K", "only the K best of each prompt", .lo = 1,
     .hi = REC_GROUP_MAX},
    {"pairs", 'p', CLI_FLAG, AT(pairs), NULL,
     "one record per prompt instead: its best against its worst candidate"},
    {"margin", 0, CLI_DOUBLE, AT(margin), "X",
     "no pair unless rewards differ by more (default 0)", .lo = 0, .hi = 1e9},
    {"exec", 'x', CLI_STRING, AT(exec), "CMD",
     "send the records through CMD (by sh) before they are scored"},
    {"exec-format", 0, CLI_CHOICE, AT(exec_format), "FORM",
     "what CMD reads: msgpack (default) or json", .choices = exec_formats},
    {"exec-timeout", 0, CLI_DOUBLE, AT(exec_timeout), "SECONDS",
     "how long CMD may be silent when it is its turn (default 60, 0: for ever)",
     .lo = 0, .hi = 1e6},
    {"plugin", 0, CLI_LIST, AT(plugins), "FILE.so[,OPTIONS]",
     "components from a shared object; may be given again"},
    {"labels", 'l', CLI_STRING, AT(labels), "FILE.tsv",
     "human scores: columns id, cand, score"},
    {"label-weight", 0, CLI_DOUBLE, AT(label_weight), "X",
     "share of the human score where there is one (default .5)", .lo = 0, .hi = 1},
    {"allow-errors", 0, CLI_FLAG, AT(allow_errors), NULL,
     "end with 0 even if records had to become errors"},
    REC_LIMITS_OPTIONS(struct opts, limits),
    {0},
};

static const struct cli_tool tool = {
    .name = "cagsr-reward",
    .synopsis = "[--f7 | --literal] [-w weights] [-s scales | --calibrate file] "
                "[-e] [-r] [-b K] [-p] [-x cmd] [-l labels] [-o file] [file ...]",
    .summary = "score samples by how they read their prompt",
    .common = CLI_OUTPUT | CLI_SEEDED | CLI_FORCE,
    .options = options,
    .max_files = SIZE_MAX,
};

/* ---- options --------------------------------------------------------------------------- */
static int check_method(struct opts *o, struct err *e)
{
    if (o->f7 + o->literal + cli_given(&o->common, "method") > 1)
        return err_set(e, ERR_USAGE, "one of --method, --f7 and --literal, not two");
    if (o->f7)
        o->method = METHOD_F7;
    if (o->literal)
        o->method = METHOD_LITERAL;
    if (o->method == METHOD_F12)
        return 0;
    if (!cli_given(&o->common, "rep-free"))
        o->rep_free = 0;
    if (!cli_given(&o->common, "copy-free"))
        o->copy_free = 0.2;
    if (!cli_given(&o->common, "t-min"))
        o->t_min = COMBINE_F7_T_MIN;
    return 0;
}

static int check_opts(struct opts *o, struct err *e)
{
    if (o->explain && *o->explain && strcmp(o->explain, "record") != 0)
        return err_set(e, ERR_USAGE, "--explain=%s: nothing or 'record' is wanted",
                       o->explain);
    if (o->pairs && (o->best || o->rank))
        return err_set(e, ERR_USAGE, "--pairs stands alone, without --rank or --best");
    if (o->calibrate && o->scales && strcmp(o->calibrate, o->scales) == 0)
        return err_set(e, ERR_USAGE, "--calibrate and --scales name the same file");
    return check_method(o, e);
}

static int read_stop_words(struct run *r, const char *path, struct err *e)
{
    struct words w = {0};
    char *text = NULL;
    size_t n;
    int rc = file_read(&text, &n, path, 16 << 20, e);

    if (rc >= 0)
        rc = words_add(&w, text, 0, n, e);
    for (size_t i = 0; i < w.types.n && rc >= 0; i++) {
        const long at =
            strtab_add(&r->stop_words, strtab_text(&w.types, i), w.types.entry[i].n, e);

        rc = at < 0 ? (int)at : 0;
    }
    r->rules.stop = &r->stop_words;
    words_release(&w);
    free(text);
    return rc;
}

/* Everything that can be wrong before the first record is. */
static int prepare(struct run *r, struct err *e)
{
    const struct opts *o = r->o;
    int rc;

    r->scales = scales_built_in;
    if (o->scales &&
        (rc = scales_read(&r->scales, o->scales, r->method, o->salient, e)) < 0)
        return rc;
    r->rules =
        (struct salient_rules){(enum salient_mode)o->salient, r->scales.df, NULL};
    if (o->stop_words && (rc = read_stop_words(r, o->stop_words, e)) < 0)
        return rc;
    if ((rc = turns_lambda(r, o->lambda, o->gamma, e)) < 0 ||
        (rc = terms_begin(&r->terms, r->method,
                          o->scales ? &r->scales : &scales_built_in, e)) < 0 ||
        (rc = plugins_open(&r->plugins, &o->plugins, &r->terms, e)) < 0)
        return rc;
    r->terms.extra = o->exec ? 1 : 0;
    if (o->weights && (rc = terms_weigh(&r->terms, o->weights, &r->scales, e)) < 0)
        return rc;
    return o->labels ? labels_read(&r->labels, o->labels, e) : 0;
}

static void release(struct run *r)
{
    if (r->o->scales)
        scales_release(&r->scales);
    plugins_close(r->plugins);
    terms_release(&r->terms);
    strtab_release(&r->stop_words);
    free(r->lambda_list);
    prompt_release(&r->prompt);
    measure_release(&r->m);
    sample_release(&r->sample);
    labels_free(r->labels);
    df_free(r->cal.df);
}

/* ---- one record ------------------------------------------------------------------------ */
static double weight_of(const struct run *r, size_t i)
{
    return r->terms.term[i].weight;
}

/* Absent is a pipeline that was put together wrongly: say how to do it right.  null is
 * an abstention of the stage before. */
static int absent(const struct sample *s, unsigned bit, const char *key)
{
    return !(s->has & bit) && rec_value_type(rec_find(s->rec, key)) == REC_NONE;
}

static int check_fields(const struct run *r, struct err *e)
{
    const struct sample *s = &r->sample;
    const struct rec *rec = s->rec;

    for (size_t i = 0; i < COMPONENTS; i++) {
        const int attn = i == PART_COVERAGE || i == PART_FOCUS ||
                         (i >= COMP_BEST && i <= COMP_FOCUS_SUM);

        if (weight_of(r, i) == 0)
            continue;
        if (attn && absent(s, SAMPLE_ATTN, "attn"))
            return rec_fault(rec, ERR_RECORD, e, "attn",
                             "missing, and '%s' is read from it: put `cagsr-attn -m "
                             "MODEL` in front (or sample with --attn)",
                             r->terms.term[i].name);
        if (i == PART_COHERENCE && absent(s, SAMPLE_REF, "ref"))
            return rec_fault(rec, ERR_RECORD, e, "ref",
                             "missing, and 'coherence' is its mean: put `cagsr-attn -m "
                             "FROZEN_MODEL` in front, which writes it with the "
                             "attention; or do without by --weights +coherence=0");
        if (i == COMP_LOGP && absent(s, SAMPLE_LOGP, "logp"))
            return rec_fault(rec, ERR_RECORD, e, "logp", "missing");
    }
    return 0;
}

static int check_salience(const struct run *r, struct err *e)
{
    static const size_t by_word[] = {PART_COVERAGE, COMP_BEST, COMP_CAPPED, COMP_MEAN,
                                     COMP_GNMT,     COMP_SUM,  COMP_LEXICAL};

    if (r->prompt.known)
        return 0;
    for (size_t i = 0; i < sizeof by_word / sizeof *by_word; i++)
        if (weight_of(r, by_word[i]) != 0)
            return rec_fault(
                r->sample.rec, ERR_RECORD, e, "salient",
                "missing, and there is no text ('prompt' and 'prompt_ends') "
                "to find it in");
    return 0;
}

/* Components that came with the record, by name; with --exec also those that nobody
 * named. */
static int take_foreign(struct run *r, double *value, struct err *e)
{
    const struct rec *rec = r->sample.rec;

    for (size_t i = COMPONENTS; i < r->terms.n; i++) {
        const struct term *t = &r->terms.term[i];

        if (t->from != FROM_RECORD)
            continue;
        value[i] = (double)NAN;
        const int rc = sample_component(rec, t->name, &value[i], e);
        if (rc < 0)
            return rc;
        if (rc == 0 && t->weight != 0 &&
            rec_value_type(rec_value_member(rec_find(rec, "rewards"), t->name)) ==
                REC_NONE)
            return rec_fault(rec, ERR_RECORD, e, "rewards",
                             "no component '%s': it is neither one of ours nor in the "
                             "record",
                             t->name);
    }
    return 0;
}

/* With --exec, what CMD puts into `rewards` counts without being named. */
static int announce_foreign(struct run *r, struct err *e)
{
    struct rec_iter it;
    struct rec_value k, v;
    struct rec_str name;

    if (r->terms.extra == 0)
        return 0;
    rec_iter_start(&it, rec_find(r->sample.rec, "rewards"));
    while (rec_iter_next(&it, &k, &v)) {
        char spec[256];

        if (rec_value_str(&name, k) < 0 || name.n > 200 ||
            terms_find(&r->terms, name.s, name.n) != SIZE_MAX)
            continue;
        snprintf(spec, sizeof spec, "+%.*s=%g", (int)name.n, name.s, r->terms.extra);
        const int rc = terms_weigh(&r->terms, spec, &r->scales, e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

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

static void scored_release(struct scored *x)
{
    free(x->value);
    free(x->term);
    free(x->turn);
    free(x->R);
    free(x->G);
}

static int score_turns(struct run *r, struct scored *x, struct err *e)
{
    const long n = turns_read(&x->turn, &r->sample, e);
    size_t cap = x->cap_turn;
    int rc;

    x->turns = n > 0 ? (size_t)n : 0;
    if (n <= 0)
        return (int)n;
    if ((rc = reserve(&x->R, &cap, x->turns, sizeof *x->R, e)) < 0 ||
        (rc = reserve(&x->G, &x->cap_turn, x->turns, sizeof *x->G, e)) < 0)
        return rc;
    if (r->lambda.kind == TURN_LIST && r->lambda_n < x->turns)
        return rec_fault(r->sample.rec, ERR_RECORD, e, "turns",
                         "%zu turns, --lambda has %zu weights", x->turns, r->lambda_n);
    for (size_t u = 0; u < x->turns; u++) {
        if ((rc = measure_stretch(r, &x->turn[u], x->value, e)) < 0)
            return rc;
        x->R[u] = measure_sum(r, x->value, x->term);
    }
    turns_return(x->G, x->R, x->turns, &r->lambda);
    return 0;
}

static int score(struct run *r, struct rec *rec, struct scored *x, struct err *e)
{
    const unsigned need = SAMPLE_ID | SAMPLE_PROMPT_IDS | SAMPLE_IDS;
    const unsigned want = SAMPLE_CAND | SAMPLE_PROMPT | SAMPLE_TEXT |
                          SAMPLE_PROMPT_ENDS | SAMPLE_ENDS | SAMPLE_PROMPT_MASK |
                          SAMPLE_LOGP | SAMPLE_REF | SAMPLE_FINISH | SAMPLE_ATTN |
                          SAMPLE_SUPPORT;
    struct stretch whole;
    int rc;

    if ((rc = sample_read(&r->sample, rec, need, want, e)) < 0 ||
        (rc = check_fields(r, e)) < 0 || (rc = announce_foreign(r, e)) < 0 ||
        (rc = prompt_read(&r->prompt, &r->sample, &r->rules, e)) < 0 ||
        (rc = check_salience(r, e)) < 0 || (rc = measure_load(r, e)) < 0 ||
        (rc = reserve(&x->value, &x->cap_value, r->terms.n, sizeof *x->value, e)) < 0 ||
        (rc = reserve(&x->term, &x->cap_term, r->terms.n, sizeof *x->term, e)) < 0 ||
        (rc = plugins_process(r->plugins, r, x->value, e)) < 0 ||
        (rc = take_foreign(r, x->value, e)) < 0 || (rc = score_turns(r, x, e)) < 0)
        return rc;
    whole = measure_whole(&r->sample);
    if ((rc = measure_stretch(r, &whole, x->value, e)) < 0)
        return rc;
    x->reward = x->turns ? x->G[0] : measure_sum(r, x->value, x->term);
    if (isinf(x->reward))
        return rec_fault(rec, ERR_NUMERIC, e, "reward", "the sum is not finite");
    return 0;
}

/* ---- one group ------------------------------------------------------------------------- */
struct batch {
    struct scored x;
    double *values; /* (candidates, terms) */
    double *reward, *z;
    unsigned char *failed;
    size_t cap_values, cap;
};

static void batch_release(struct batch *b)
{
    scored_release(&b->x);
    free(b->values);
    free(b->reward);
    free(b->z);
    free(b->failed);
}

static void set_array(struct rec *rec, const char *key, const double *x, size_t n)
{
    rec_begin(rec, key);
    rec_put_array(rec, n);
    for (size_t i = 0; i < n; i++)
        if (isnan(x[i]))
            rec_put_nil(rec);
        else
            rec_put_f64(rec, x[i]);
    rec_end(rec);
}

/* A candidate that cannot be scored becomes an error record; the run goes on and says so
 * at its end. */
static int make_error(struct run *r, struct rec *rec, struct err *e)
{
    struct rec copy = {0};
    struct err why = {0};
    const int rc = rec_copy(&copy, rec, &why);

    if (rc < 0) {
        *e = why;
        return rc;
    }
    rec_make_error(rec, &copy, tool.name, NULL, e);
    rec_release(&copy);
    if (r->errors++ == 0)
        cli_note(&tool, &r->o->common, "%s", e->text);
    *e = (struct err){0};
    return 0;
}

static void calibrate(struct run *r, const struct batch *b, size_t n)
{
    double x[64];

    for (size_t k = 0; k < COMBINE_PARTS; k++) {
        struct combine_scale *s = &r->cal.part[k];
        size_t m = 0;

        /* Large groups are measured in pieces: s is a mean over groups anyway. */
        for (size_t i = 0; i < n; i++) {
            if (!b->failed[i])
                x[m++] = b->values[i * r->terms.n + k];
            if (m == sizeof x / sizeof *x || (i + 1 == n && m)) {
                combine_scale_add(s, x, m);
                m = 0;
            }
        }
    }
    r->cal.records += n;
}

static void note_layers(struct run *r)
{
    const struct rec_str l = r->sample.attn.layers;

    if (!(r->sample.has & SAMPLE_ATTN) || r->noted_layers)
        return;
    r->noted_layers = 1;
    snprintf(r->cal.layers, sizeof r->cal.layers, "%.*s", (int)(l.n < 31 ? l.n : 31),
             l.n ? l.s : "");
    if (r->scales.layers && !rec_str_is(l, r->scales.layers))
        cli_note(&tool, &r->o->common,
                 "%s was measured on layers %s, these records have %s", r->o->scales,
                 r->scales.layers, r->cal.layers);
}

/* Human scores move those candidates that have one, in the units of their group: towards
 * mean + deviation * z of its rewards. */
static void blend(const struct run *r, struct batch *b, size_t n)
{
    const double share = r->o->label_weight;
    double mean = 0, ss = 0;
    size_t k = 0;

    for (size_t i = 0; i < n; i++)
        if (!isnan(b->reward[i])) {
            mean += b->reward[i];
            k++;
        }
    mean = k ? mean / (double)k : 0;
    for (size_t i = 0; i < n; i++)
        if (!isnan(b->reward[i]))
            ss += (b->reward[i] - mean) * (b->reward[i] - mean);
    const double deviation = k > 1 && ss > 0 ? sqrt(ss / (double)(k - 1)) : 1;
    for (size_t i = 0; i < n; i++)
        if (!isnan(b->z[i]) && !isnan(b->reward[i]))
            b->reward[i] =
                (1 - share) * b->reward[i] + share * (mean + deviation * b->z[i]);
}

static int reserve_group(struct run *r, struct batch *b, size_t n, struct err *e)
{
    size_t cap = b->cap, cap2 = b->cap;
    int rc;

    if ((rc = reserve(&b->reward, &cap, n, sizeof *b->reward, e)) < 0 ||
        (rc = reserve(&b->z, &cap2, n, sizeof *b->z, e)) < 0 ||
        (rc = reserve(&b->failed, &b->cap, n, 1, e)) < 0)
        return rc;
    return r->o->calibrate ? reserve(&b->values, &b->cap_values, n * r->terms.n,
                                     sizeof *b->values, e)
                           : 0;
}

static int score_one(struct run *r, struct batch *b, struct rec *rec, size_t i,
                     struct err *e)
{
    struct scored *x = &b->x;
    double z;
    int rc = score(r, rec, x, e);

    b->failed[i] = rc == ERR_NUMERIC;
    b->reward[i] = b->z[i] = (double)NAN;
    if (rc == ERR_NUMERIC)
        return make_error(r, rec, e);
    if (rc < 0)
        return rc;
    note_layers(r);
    b->reward[i] = x->reward;
    r->abstained += isnan(x->reward) != 0;
    if (r->o->calibrate)
        memcpy(b->values + i * r->terms.n, x->value, r->terms.n * sizeof *b->values);
    if (r->labels && labels_find(r->labels, r->sample.id, r->sample.cand, &z))
        b->z[i] = z;
    if (r->o->explain)
        rc = *r->o->explain ? explain_record(r, rec, x->value, x->reward, e)
                            : explain_text(r, x->value, x->reward, e);
    if (x->turns) {
        set_array(rec, "turn_rewards", x->R, x->turns);
        set_array(rec, "turn_returns", x->G, x->turns);
    }
    output_rewards(rec, &r->terms, x->value, x->reward);
    return rc;
}

static int score_group(struct run *r, struct batch *b, struct rec_group *g,
                       struct err *e)
{
    int rc = reserve_group(r, b, g->n, e);

    for (size_t i = 0; i < g->n && rc >= 0; i++)
        rc = score_one(r, b, &g->rec[i], i, e);
    if (rc < 0 || !r->labels)
        return rc;
    blend(r, b, g->n);
    for (size_t i = 0; i < g->n; i++) {
        if (b->failed[i] || isnan(b->z[i]))
            continue;
        rec_set_f64(&g->rec[i], "label_z", b->z[i]);
        if (!isnan(b->reward[i]))
            rec_set_f64(&g->rec[i], "reward", b->reward[i]);
    }
    return 0;
}

/* ---- the run --------------------------------------------------------------------------- */
struct io {
    struct rec_reader *in, *spooled;
    struct coprocess *exec;
    struct cli_output file;
    struct output out;
    struct rec_group group;
    struct batch batch;
    int spool; /* --calibrate: the records, to be read twice; -1: none */
};

static int scored_rc(const struct run *r, struct err *e)
{
    if (r->errors == 0 || r->o->allow_errors)
        return 0;
    return err_set(e, ERR_NUMERIC,
                   "%zu records could not be scored and became error records",
                   r->errors);
}

static int run_groups(struct run *r, struct io *io, struct rec_reader *in,
                      struct err *e)
{
    int rc;

    for (;;) {
        coprocess_waiting(io->exec, 1);
        rc = rec_group_next(&io->group, in, e);
        coprocess_waiting(io->exec, 0);
        if (rc <= 0)
            return rc;
        if (io->group.other) {
            rc = rec_writer_put(io->out.w, &io->group.rec[0], e);
        } else if ((rc = score_group(r, &io->batch, &io->group, e)) >= 0) {
            if (r->o->calibrate)
                calibrate(r, &io->batch, io->group.n);
            rc = output_group(&io->out, r->o, &io->group, io->batch.reward,
                              io->batch.failed, e);
        }
        if (rc < 0)
            return rc;
    }
}

/* The first pass of --calibrate: counts words over the prompts while the records go into
 * a file without a name; the second then reads them with the counts at hand. */
static int add_prompt(struct run *r, const struct rec *rec, struct err *e)
{
    struct prompt_text t;
    int rc = sample_read(&r->sample, rec, SAMPLE_ID | SAMPLE_PROMPT_IDS,
                         SAMPLE_PROMPT | SAMPLE_PROMPT_ENDS | SAMPLE_PROMPT_MASK, e);

    if (rc < 0 || !prompt_text_of(&t, &r->sample))
        return rc;
    if ((rc = salient_words(&r->prompt.words, &t, e)) < 0)
        return rc;
    return df_add(r->cal.df, &r->prompt.words, e);
}

static int spool_open(int *fd, struct err *e)
{
    const char *dir = getenv("TMPDIR");
    char path[512];

    snprintf(path, sizeof path, "%s/cagsr-reward.XXXXXX", dir && *dir ? dir : "/tmp");
    *fd = mkostemp(path, O_CLOEXEC);
    if (*fd < 0)
        return err_set(e, ERR_IO, "%s: cannot make a temporary file", path);
    unlink(path);
    return 0;
}

static int spool(struct run *r, struct io *io, struct rec_reader *in,
                 const struct rec_pg *pg, struct err *e)
{
    struct rec_writer *w = NULL;
    int rc = rec_writer_new(&w, io->spool, in, pg, &r->o->limits, e);

    while (rc >= 0) {
        coprocess_waiting(io->exec, 1);
        rc = rec_group_next(&io->group, in, e);
        coprocess_waiting(io->exec, 0);
        if (rc <= 0)
            break;
        if (!io->group.other)
            rc = add_prompt(r, &io->group.rec[0], e);
        for (size_t i = 0; i < io->group.n && rc >= 0; i++)
            rc = rec_writer_put(w, &io->group.rec[i], e);
    }
    rc = rec_writer_end(w, rc, e);
    rec_writer_free(w);
    return rc;
}

static int calibrate_first(struct run *r, struct io *io, struct rec_reader **in,
                           const struct rec_pg *pg, struct err *e)
{
    static const char *const files[] = {"-"};
    int rc;

    if ((rc = df_new(&r->cal.df, e)) < 0 || (rc = spool_open(&io->spool, e)) < 0 ||
        (rc = spool(r, io, *in, pg, e)) < 0)
        return rc;
    if (lseek(io->spool, 0, SEEK_SET) < 0 || dup2(io->spool, STDIN_FILENO) < 0)
        return err_set(e, ERR_IO, "the temporary file of --calibrate cannot be read");
    if (!r->rules.df)
        r->rules.df = r->cal.df;
    rc = rec_reader_new(&io->spooled, files, 1, &r->o->limits, e);
    *in = io->spooled;
    return rc;
}

static int open_all(struct run *r, struct io *io, const struct rec_pg *pg,
                    struct rec_reader **in, struct err *e)
{
    const struct opts *o = r->o;
    int rc = prepare(r, e);

    if (rc < 0 || (rc = cli_output_open(&io->file, &o->common, e)) < 0 ||
        (rc = rec_reader_new(&io->in, o->common.files, o->common.nfiles, &o->limits,
                             e)) < 0)
        return rc;
    *in = io->in;
    if (o->exec) {
        if ((rc = coprocess_start(&io->exec, o, io->in, pg, e)) < 0)
            return rc;
        *in = coprocess_reader(io->exec);
    }
    return 0;
}

static void notes(const struct run *r, const struct io *io)
{
    const struct cli_common *c = &r->o->common;
    const char *forgiven = io->in ? rec_reader_forgiven(io->in) : NULL;

    if (forgiven)
        cli_note(&tool, c, "%s", forgiven);
    if (r->abstained)
        cli_note(&tool, c, "%zu candidates abstained: their reward is null",
                 r->abstained);
    if (r->labels && labels_unused(r->labels))
        cli_note(&tool, c, "%s: %zu scores belong to no candidate", r->o->labels,
                 labels_unused(r->labels));
}

static int run(struct run *r, struct err *e)
{
    const struct opts *o = r->o;
    /* What the numbers were made with stands in the header when it is not on the command
     * line. */
    const int built_in = !o->scales && r->method == METHOD_F12;
    char *line = NULL;
    struct io io = {.file = {.fd = -1}, .spool = -1};
    struct rec_reader *in = NULL;
    int rc;

    if (asprintf(&line, "%s%s", o->common.command_line,
                 built_in ? " # built-in scales: tau .1 and .667, every idf 1" : "") <
        0)
        return err_set(e, ERR_NOMEM, "no memory");
    const struct rec_pg pg = {
        .name = tool.name, .version = CAGSR_VERSION, .command_line = line};
    rc = open_all(r, &io, &pg, &in, e);
    if (rc >= 0 && o->calibrate)
        rc = calibrate_first(r, &io, &in, &pg, e);
    if (rc >= 0)
        rc = rec_writer_new(&io.out.w, io.file.fd, in, &pg, &o->limits, e);
    if (rc >= 0)
        rc = run_groups(r, &io, in, e);
    rc = coprocess_end(io.exec, rc, e);
    if (rc >= 0)
        rc = scored_rc(r, e);
    if (rc >= 0 && o->calibrate)
        rc = calibration_write(&r->cal, o->calibrate, r->method, o->salient, e);
    notes(r, &io);
    rc = rec_writer_end(io.out.w, rc, e);
    rec_writer_free(io.out.w);
    rec_reader_free(io.spooled);
    rec_reader_free(io.in);
    rec_group_release(&io.group);
    batch_release(&io.batch);
    output_release(&io.out);
    if (io.spool >= 0)
        close(io.spool);
    free(line);
    return io.file.fd < 0 ? rc : cli_output_close(&io.file, rc, e);
}

int main(int argc, char **argv)
{
    struct opts o = {
        .rep_n = 3,
        .rep_free = 0.15,
        .copy_n = 4,
        .copy_free = 0.5,
        .h_min = 0.25,
        .kappa = 1,
        .t_min = COMBINE_F12_T_MIN,
        .gamma = 0.95,
        .label_weight = 0.5,
        .exec_timeout = 60,
    };
    struct run r = {.o = &o, .tool = &tool};
    struct err e = {0};
    int rc;

    cli_parse(&tool, &o, argc, argv);
    rc = check_opts(&o, &e);
    r.method = (enum method)o.method;
    if (rc >= 0) {
        rc = run(&r, &e);
        release(&r);
    }
    return cli_finish(&tool, &o.common, rc, &e);
}
