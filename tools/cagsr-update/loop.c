#include "update.h"

#include "base/file.h"
#include "base/rng.h"
#include "loop.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- batches --------------------------------------------------------------------------- */

/* With one pass over the input groups are trained on as they come; with more, all are
 * kept (ids only) and each pass has its own order. */
static int is_kept(const struct run *r)
{
    return r->source.algo->flags & ALGO_DATASET && r->o->epochs > 1;
}

static int keep_all(struct run *r, struct err *e)
{
    int rc;

    while ((rc = source_next(&r->source, &r->pool, e)) != SOURCE_END)
        if (rc < 0)
            return rc;
    r->pool_order = malloc((r->pool.ngroups + 1) * sizeof *r->pool_order);
    return r->pool_order ? 0 : err_set(e, ERR_NOMEM, "no memory for the input");
}

/* 1 a batch is in r->data, 0 none is left. */
static int batch_from_pool(struct run *r, struct err *e)
{
    const size_t n = r->pool.ngroups;
    int rc;

    r->data.ncomponents = r->pool.ncomponents;
    while (r->data.ngroups < r->o->batch && n && r->taken < n * r->o->epochs) {
        const size_t epoch = r->taken / n, at = r->taken % n;
        if (at == 0 || !r->pool_ordered) {
            rng_shuffle(r->pool_order, n, r->o->common.seed, 0xda7a + epoch);
            r->pool_ordered = 1;
        }
        if ((rc = train_data_copy(&r->data, &r->pool, r->pool_order[at], e)) < 0)
            return rc;
        r->taken++;
    }
    return r->data.ngroups > 0;
}

/* Marks that arrive while a batch fills are answered at once: what came before the
 * mark and makes up a whole batch has been trained on. */
static int batch_from_stream(struct run *r, struct err *e)
{
    while (r->data.ngroups < r->o->batch && !r->ended) {
        int rc = source_next(&r->source, &r->data, e);
        if (rc == SOURCE_MARK)
            rc = output_mark(&r->output, &r->source, e);
        else if (rc == SOURCE_END)
            r->ended = 1;
        if (rc < 0)
            return rc;
    }
    return r->data.ngroups > 0;
}

static int next_batch(struct run *r, struct err *e)
{
    train_data_clear(&r->data);
    return is_kept(r) ? batch_from_pool(r, e) : batch_from_stream(r, e);
}

/* ---- one update -------------------------------------------------------------------------- */

/* The counts of the run go with the update that is whole. */
static void move_on(struct run *r, const struct train_result *res)
{
    struct train_cursor *c = &r->source.cursor;

    c->groups_kept = r->taken;
    c->episodes += r->data.ncands;
    c->loss = r->train->iterations == 1 ? res->loss : 0.9 * c->loss + 0.1 * res->loss;
}

/* A reference that was asked for is one; the adapter switched off is, where not all
 * records bring theirs. */
static int wants_reference(const struct run *r)
{
    if (!r->reference || r->ref_model)
        return r->reference != NULL;
    for (size_t i = 0; i < r->data.ncands; i++)
        if (!r->data.cand[i].has_ref)
            return 1;
    return 0;
}

static int update(struct run *r, struct train_result *res, struct err *e)
{
    const double start = cli_now();
    int rc = 0;

    if (wants_reference(r))
        rc = train_reference_score(r->reference, &r->data, e);
    if (rc >= 0)
        rc = train_update(r->train, &r->data, res, e);
    if (rc < 0)
        return rc;
    move_on(r, res);
    if (r->train->iterations == 1 && res->check.tokens) {
        const int off = !res->check.rounded && expm1(res->check.max) > 1e-4;
        cli_note(r->tool, &r->o->common,
                 "first step: %sratio 1 within %.2g (mean %.2g) over %zu tokens of the "
                 "sampler%s",
                 off ? "warning: " : "", expm1(res->check.max), expm1(res->check.mean),
                 res->check.tokens,
                 r->o->dtype == KERN_BF16 ? ", products here in bf16"
                 : res->check.rounded     ? ", whose weights are bf16"
                 : off                    ? "; float32 should be within 1e-4"
                                          : "");
    }
    return metric_put(&r->metric, r->train, &r->data, res, &r->source,
                      cli_now() - start, e);
}

/*
 * Interrupts wait until the update is whole; then the run is saved and ends.  The main
 * thread blocks them meanwhile and looks whether one is pending.  Threads that others
 * made (OpenBLAS does before main) do not block them, so that the handler, run by one
 * of those, sends the signal on to the main thread; run by the main thread, which waits
 * for input then, it does what no handler would do.
 */
static void on_interrupt(int sig)
{
    if (gettid() != getpid()) {
        tgkill(getpid(), getpid(), sig);
        return;
    }
    signal(sig, SIG_DFL);
    raise(sig);
}

static sigset_t interrupts(void)
{
    static const int signals[] = {SIGINT, SIGTERM};
    struct sigaction old, new = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART};
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        sigaddset(&set, signals[i]);
        if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
            sigaction(signals[i], &new, NULL);
    }
    return set;
}

static int interrupted(void)
{
    sigset_t set;

    sigpending(&set);
    return sigismember(&set, SIGINT) || sigismember(&set, SIGTERM);
}

/* As far as was asked for; a resumed run may be so from the start. */
static int is_done(const struct run *r)
{
    const struct opts *o = r->o;

    return r->train->iterations > 0 &&
           ((o->steps && r->train->iterations >= o->steps) ||
            (o->loss_stop > 0 && r->source.cursor.loss < o->loss_stop));
}

/* Why the run should end now, or NULL. */
static const char *stop_reason(struct run *r, const struct train_result *res,
                               struct err *e)
{
    const struct opts *o = r->o;

    if (o->kl_stop > 0 && res->ref_tokens && res->kl > o->kl_stop) {
        err_set(
            e, ERR_STOPPED,
            "stopped after update %llu: KL to the reference is %.2f nats, over %.2f",
            (unsigned long long)r->train->iterations, res->kl, o->kl_stop);
        return "kl";
    }
    if (interrupted()) {
        err_set(e, ERR_STOPPED, "interrupted after update %llu; --resume goes on",
                (unsigned long long)r->train->iterations);
        return "signal";
    }
    return is_done(r) ? "done" : NULL;
}

static int updates(struct run *r, struct err *e)
{
    const sigset_t set = interrupts();
    struct train_result res;
    const char *why = NULL;
    int rc = 0;

    while (!why && !is_done(r) && (rc = next_batch(r, e)) > 0) {
        sigprocmask(SIG_BLOCK, &set, NULL);
        if ((rc = update(r, &res, e)) < 0)
            return rc;
        r->source.records = r->source.abstained = r->source.empty = 0;
        r->source.skipped = r->source.eos = 0;
        why = stop_reason(r, &res, e);
        const struct cli_figure figure[] = {{"loss", "loss", res.loss, 4},
                                            {"kl", "nats KL", res.kl, 3}};
        cli_progress_update(&r->progress, (size_t)r->train->iterations, figure, 2);
        if ((rc = output_step(&r->output, &r->source, why != NULL, e)) < 0)
            return rc;
        if (!why)
            sigprocmask(SIG_UNBLOCK, &set, NULL);
    }
    if (rc < 0)
        return rc;
    if (why)
        return e->code == ERR_STOPPED ? ERR_STOPPED : 0;
    if (r->train->iterations == 0)
        cli_note(r->tool, &r->o->common,
                 "nothing to learn from in the input: the model stays as it is");
    return output_step(&r->output, &r->source, 1, e);
}

/* ---- instead of training -------------------------------------------------------------------- */

static int write_gradient(struct run *r, struct err *e)
{
    const size_t n = strlen(r->o->grads) + 8;
    char *tmp = malloc(n);
    int rc;

    if (!tmp)
        return err_set(e, ERR_NOMEM, "no memory");
    snprintf(tmp, n, "%s.tmp", r->o->grads);
    unlink(tmp);
    rc = model_write_block(r->model, r->train->grads, tmp, e);
    if (rc >= 0 && rename(tmp, r->o->grads) < 0)
        rc = err_set(e, ERR_IO, "%s: cannot be written", r->o->grads);
    if (rc < 0)
        unlink(tmp);
    free(tmp);
    return rc;
}

/* The first batch, forward and back, and what it took. */
static int rehearse(struct run *r, struct err *e)
{
    struct train_result res;
    const double start = cli_now();
    int rc = next_batch(r, e);

    if (rc == 0)
        rc = err_set(e, ERR_RECORD, "the input has no samples to learn from");
    if (rc >= 0 && wants_reference(r))
        rc = train_reference_score(r->reference, &r->data, e);
    if (rc >= 0)
        rc = train_prepare(r->train, &r->data, &res, e);
    if (rc >= 0)
        rc = train_gradient(r->train, &r->data, &res, e);
    if (rc < 0)
        return rc;
    r->rehearsal = cli_now() - start;
    r->rehearsed = res;
    return 0;
}

static int dry_run(struct run *r, struct err *e)
{
    const struct cli_common *c = &r->o->common;
    const double mib = 1 << 20;
    const double params = (double)model_bytes(r->model);
    const double extra = (double)train_bytes(r->model, &r->train->o);
    const double ref = r->ref_model ? (double)model_bytes(r->ref_model) : 0;
    const int rc = rehearse(r, e);

    if (rc < 0)
        return rc;
    const size_t tokens = train_data_tokens(&r->data);
    cli_note(r->tool, c,
             "model: %.1f million parameters, %.1f million trained, %zu layers, %s",
             (double)plan_count(&r->model->plan) / 1e6,
             (double)plan_count(model_trained(r->model)) / 1e6, r->model->arch.L,
             kern_name(r->kern));
    cli_note(r->tool, c,
             "memory: %.0f MiB parameters, %.0f MiB gradients, moments and activations "
             "(%zu rows)%s%.0f MiB reference; %.0f MiB in all",
             params / mib, extra / mib, r->train->o.rows, ref > 0 ? ", " : ", ",
             ref / mib, (params + extra + ref) / mib);
    cli_note(r->tool, c, "first batch: %zu prompts, %zu responses, %zu tokens",
             r->data.ngroups, r->data.ncands, tokens);
    const double passes =
        (double)r->train->o.epochs * (double)r->data.ngroups /
        (double)(r->train->o.minibatch && r->train->o.minibatch < r->data.ngroups
                     ? r->train->o.minibatch
                     : r->data.ngroups);
    cli_note(r->tool, c,
             "time: a gradient took %.2f s; an update of %zu epochs takes about %.1f s",
             r->rehearsal, r->train->o.epochs, r->rehearsal * passes);
    return 0;
}

int run_loop(struct run *r, const struct train_cursor *had, struct err *e)
{
    int rc = 0;

    if (is_kept(r)) {
        rc = keep_all(r, e);
        if (rc >= 0 && r->o->resume && !r->o->new_data)
            rc = source_same(&r->source, had, e);
        if (rc >= 0 && r->o->resume && !r->o->new_data)
            r->taken = (size_t)had->groups_kept;
    } else if (r->o->resume && !r->o->new_data) {
        rc = source_skip(&r->source, had, e);
    }
    if (rc < 0)
        return rc;
    r->source.cursor.groups_kept = r->taken;
    if (r->o->dry_run)
        return dry_run(r, e);
    if (r->o->grads)
        return (rc = rehearse(r, e)) < 0 ? rc : write_gradient(r, e);
    if ((rc = output_first(&r->output, &r->source, r->start, e)) < 0)
        return rc;
    cli_progress_start(&r->progress, r->tool, &r->o->common, "updates", r->o->steps);
    rc = updates(r, e);
    cli_progress_end(&r->progress, rc);
    return rc;
}
