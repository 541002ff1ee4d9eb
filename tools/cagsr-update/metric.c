#include "update.h"

#include <math.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/*
 * What a run is for is the model, and it may take a night: a stream of metrics that nobody
 * reads any more (`| head -n 1`), or whose disk is full, does not end it.  The fault is
 * told at once, remembered, and makes the exit status when the run has come to its end.
 */
static int open_records(struct metric *m, const struct source *s, struct err *e)
{
    const struct opts *o = m->o;

    if (isatty(STDOUT_FILENO) && !o->common.force)
        return 0; /* a line per step on stderr instead */
    hash_hex(m->model, s->m->hash);
    const struct rec_pg pg = {
        .name = m->tool->name,
        .version = CAGSR_VERSION,
        .command_line = o->common.command_line,
        .model = m->model,
        .dtype = kern_dtype_names[o->dtype],
        .kernel = kern_name(s->m->kern),
    };
    return rec_writer_new(&m->writer, STDOUT_FILENO, NULL, &pg, &o->limits, e);
}

int metric_open(struct metric *m, const struct cli_tool *tool, const struct opts *o,
                const struct source *s, uint64_t first, struct err *e)
{
    m->o = o;
    m->tool = tool;
    signal(SIGPIPE, SIG_IGN);
    if (o->tensorboard && !o->dry_run && !o->grads) {
        const int rc = event_open(&m->events, o->tensorboard, first, e);

        if (rc < 0)
            return rc;
    }
    return open_records(m, s, e);
}

int metric_close(struct metric *m, int rc, struct err *e)
{
    const struct err *lost = m->lost.code ? &m->lost : &m->events_lost;

    rc = rec_writer_end(m->writer, rc, e);
    rc = event_close(&m->events, rc, e);
    if (rc >= 0 && lost->code)
        rc = err_set(e, ERR_IO, "%s; the run itself came to its end", lost->text);
    rec_writer_free(m->writer);
    rec_release(&m->rec);
    return rc;
}

/* Mean and deviation (n-1) of what is not NaN. */
struct spread {
    double mean, std, min, max;
    size_t n;
};

static struct spread spread_of(const double *x, size_t n)
{
    struct spread s = {.min = INFINITY, .max = -INFINITY};

    for (size_t i = 0; i < n; i++) {
        if (isnan(x[i]))
            continue;
        s.n++;
        s.mean += x[i];
        s.min = fmin(s.min, x[i]);
        s.max = fmax(s.max, x[i]);
    }
    if (s.n == 0)
        return (struct spread){0};
    s.mean /= (double)s.n;
    s.std = advantage_std(x, n);
    return s;
}

static void put(struct metric *m, const char *key, double v)
{
    rec_set_f64(&m->rec, key, v);
}

/* What every algorithm tells: rates, rewards, lengths. */
static void put_data(struct metric *m, const struct train_data *d,
                     const struct source *s)
{
    double *x = d->scratch;
    char key[96];
    size_t cut = 0;

    for (size_t i = 0; i < d->ncands; i++)
        x[i] = d->cand[i].reward;
    const struct spread r = spread_of(x, d->ncands);
    if (r.n) {
        put(m, "reward", r.mean);
        put(m, "reward_std", r.std);
    }
    for (size_t k = 0; k < d->ncomponents; k++) {
        /* after normalize_then_sum the rows lie next to each other */
        const size_t step = m->o->train.algo.combine == COMBINE_NORMALIZE
                                ? d->ncands
                                : d->cap_component;
        const struct spread c = spread_of(d->component + k * step, d->ncands);
        snprintf(key, sizeof key, "rewards/%s/mean", s->names[k]);
        put(m, key, c.mean);
        snprintf(key, sizeof key, "rewards/%s/std", s->names[k]);
        put(m, key, c.std);
    }
    for (size_t i = 0; i < d->ncands; i++) {
        x[i] = (double)d->cand[i].T;
        cut += !d->cand[i].ended;
    }
    const struct spread T = spread_of(x, d->ncands);
    put(m, "completions/mean_length", T.mean);
    put(m, "completions/min_length", T.min);
    put(m, "completions/max_length", T.max);
    put(m, "completions/clipped_ratio",
        d->ncands ? (double)cut / (double)d->ncands : 0);
    rec_set_uint(&m->rec, "prompts", d->ngroups);
    rec_set_uint(&m->rec, "completions", d->ncands);
    rec_set_uint(&m->rec, "val/num_eos_tokens", s->eos);
    if (s->abstained)
        rec_set_uint(&m->rec, "abstained", s->abstained);
    if (s->empty)
        rec_set_uint(&m->rec, "empty", s->empty);
    if (s->skipped)
        rec_set_uint(&m->rec, "groups_skipped", s->skipped);
}

static void put_policy(struct metric *m, const struct train_result *r,
                       const struct train_data *d)
{
    const struct policy_stats *p = &r->stats.policy;
    const struct value_stats *v = &r->stats.value;
    const double n = p->tokens, steps = (double)r->steps;

    if (n == 0)
        return;
    put(m, "loss/policy_avg", p->loss / steps);
    if (p->ratio > 0) { /* a loss with a ratio */
        put(m, "policy/approxkl_avg", p->approx_kl / n);
        put(m, "policy/clipfrac_avg", p->clipped / n);
        put(m, "val/ratio", p->ratio / n);
        put(m, "ratio/first_step_max_dev", r->first_ratio_dev);
    }
    put(m, "policy/entropy_avg", r->entropy);
    put(m, "objective/entropy",
        r->entropy * (double)train_data_tokens(d) / (double)d->ncands);
    if (r->check.tokens) {
        put(m, "sampling/logp_difference_max", r->check.max);
        put(m, "sampling/logp_difference_mean", r->check.mean);
    }
    if (v->tokens > 0) {
        put(m, "loss/value_avg", v->loss / steps);
        put(m, "val/clipfrac_avg", v->clipped / v->tokens);
        put(m, "val/mean", v->sum / v->tokens);
        put(m, "val/return_mean", v->ret_sum / v->tokens);
        put(m, "val/mse", v->error / v->tokens);
    }
}

/* RLHF's three: score, KL penalty, and what is left. */
static void put_objective(struct metric *m, const struct train *t,
                          const struct train_result *r, const struct train_data *d)
{
    const unsigned flags = algo_get(t->o.algo.kind)->flags;

    if (r->ref_tokens) {
        put(m, "objective/kl", r->kl);
        put(m, "kl_coefficient", r->beta);
    }
    if (!(flags & ALGO_REWARD))
        return;
    for (size_t i = 0; i < d->ncands; i++)
        d->scratch[i] = d->cand[i].reward;
    const double score = spread_of(d->scratch, d->ncands).mean;
    put(m, "objective/scores", score);
    if (r->ref_tokens && flags & ALGO_KL_REWARD) {
        put(m, "objective/non_score_reward", -r->beta * r->kl);
        put(m, "objective/rlhf_reward", score - r->beta * r->kl);
    }
    if (flags & ALGO_KL_LOSS && r->stats.policy.tokens > 0) {
        if (r->ref_tokens)
            put(m, "kl", r->stats.policy.kl / r->stats.policy.tokens);
        put(m, "frac_reward_zero_std",
            d->ngroups ? (double)r->stats.flat_groups / (double)d->ngroups : 0);
    }
}

static void put_pairs(struct metric *m, const struct train_result *r)
{
    const struct dpo_stats *d = &r->stats.dpo;
    const struct bt_stats *b = &r->stats.bt;

    if (d->pairs > 0) {
        put(m, "rewards/chosen", d->chosen / d->pairs);
        put(m, "rewards/rejected", d->rejected / d->pairs);
        put(m, "rewards/margins", (d->chosen - d->rejected) / d->pairs);
        put(m, "rewards/accuracies", d->correct / d->pairs);
    }
    if (b->pairs > 0) {
        put(m, "mean_reward", (b->chosen + b->rejected) / (2 * b->pairs));
        put(m, "margin", (b->chosen - b->rejected) / b->pairs);
        put(m, "accuracy", b->correct / b->pairs);
    }
}

/* For a person at the terminal. */
static void tell(const struct metric *m, const struct train *t,
                 const struct train_data *d, const struct train_result *r,
                 double seconds)
{
    for (size_t i = 0; i < d->ncands; i++)
        d->scratch[i] = d->cand[i].reward;
    const struct spread s = spread_of(d->scratch, d->ncands);
    char reward[64] = "";

    if (s.n && algo_get(t->o.algo.kind)->flags & ALGO_REWARD)
        snprintf(reward, sizeof reward, " reward %.4f +- %.4f", s.mean, s.std);
    cli_note(m->tool, &m->o->common,
             "update %llu: loss %.5f%s kl %.4f grad %.3f %.2f s",
             (unsigned long long)t->iterations, r->loss, reward, r->kl, r->grad_norm,
             seconds);
}

/* A fault of writing is remembered, told, and forgiven; others are not. */
static int forgive(const struct metric *m, struct err *lost, const char *what, int rc,
                   struct err *e)
{
    if (rc != ERR_IO)
        return rc;
    err_set(lost, ERR_IO, "%s: the %s from update %llu on are lost", e->text, what,
            (unsigned long long)m->step);
    *e = (struct err){0};
    cli_note(m->tool, &m->o->common, "%s; the run goes on", lost->text);
    return 0;
}

static int send_record(struct metric *m, struct err *e)
{
    int rc = rec_writer_put(m->writer, &m->rec, e);

    if (rc >= 0)
        rc = rec_writer_flush(m->writer, e);
    return forgive(m, &m->lost, "metrics", rc, e);
}

/* Every number of the record but the step itself. */
static int send_events(struct metric *m, struct err *e)
{
    int rc = 0;
    double x;

    for (size_t i = 0; i < m->rec.nfields && rc >= 0; i++) {
        size_t n;
        const char *key = rec_field_key(&m->rec, i, &n);

        if (rec_value_f64(&x, rec_field_value(&m->rec, i)) >= 0 &&
            !rec_str_is((struct rec_str){key, n}, "step"))
            rc = event_scalar(&m->events, key, n, x, e);
    }
    if (rc >= 0)
        rc = event_send(&m->events, m->step, e);
    return forgive(m, &m->events_lost, "events", rc, e);
}

static int send(struct metric *m, struct err *e)
{
    int rc = 0;

    if (m->writer && !m->lost.code)
        rc = send_record(m, e);
    if (rc >= 0 && m->events.fd >= 0 && !m->events_lost.code)
        rc = send_events(m, e);
    return rc;
}

int metric_put(struct metric *m, const struct train *t, const struct train_data *d,
               const struct train_result *r, const struct source *s, double seconds,
               struct err *e)
{
    const double tokens = (double)train_data_tokens(d);

    if (!m->writer || m->o->common.verbose)
        tell(m, t, d, r, seconds);
    m->step = t->iterations;
    rec_clear(&m->rec);
    rec_set_str(&m->rec, "kind", "metric");
    rec_set_str(&m->rec, "algo", algo_get(t->o.algo.kind)->name);
    rec_set_uint(&m->rec, "step", t->iterations);
    rec_set_uint(&m->rec, "optimizer_steps", t->steps);
    rec_set_uint(&m->rec, "episode", s->cursor.episodes);
    put(m, "loss", r->loss);
    put_data(m, d, s);
    put_objective(m, t, r, d);
    put_policy(m, r, d);
    put_pairs(m, r);
    put(m, "grad_norm", r->grad_norm);
    put(m, "lr", r->lr);
    put(m, "seconds", seconds);
    put(m, "eps", seconds > 0 ? (double)d->ncands / seconds : 0);
    put(m, "tokens_per_second", seconds > 0 ? tokens / seconds : 0);
    return send(m, e);
}
