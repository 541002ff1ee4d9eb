#include "run.h"

#include "base/hash.h"
#include "io/peft.h"
#include "model/adapter.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- the model --------------------------------------------------------------------------*/

static int add_stop(struct run *r, int32_t id, struct err *e)
{
    if (id < 0 || (size_t)id >= r->model->arch.V)
        return 0;
    for (size_t i = 0; i < r->neos; i++)
        if (r->eos[i] == id)
            return 0;
    int32_t *p = realloc(r->eos, (r->neos + 1) * sizeof *p);

    if (!p)
        return err_set(e, ERR_NOMEM, "no memory for the end tokens");
    r->eos = p;
    r->eos[r->neos++] = id;
    return 0;
}

/* What ends a response: the model's own end tokens, and the template's. */
static int find_stops(struct run *r, struct err *e)
{
    size_t n;
    const int32_t *ids = tok_stops(r->chat->tok, &n);
    int32_t turn = -1;
    int rc = 0;

    r->neos = 0;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = add_stop(r, ids[i], e);
    if (rc == 0 && r->chat->tm)
        rc = template_turn_end(r->chat->tm, r->chat->tok, &turn, e);
    return rc < 0 ? rc : add_stop(r, turn, e);
}

/* A version that is an adapter for the model at hand takes the place of the adapter only:
 * 1, or 0 if it is not. */
static int change_adapter(struct run *r, const char *path, const char *adapter,
                          struct err *e)
{
    struct peft_paths p;
    int rc = peft_paths_find(&p, path, adapter, e);

    if (rc < 0)
        return rc;
    if (r->model && p.adapter && strcmp(p.base, r->model->path) == 0 &&
        (rc = adapter_load(r->model, p.adapter, e)) >= 0)
        rc = 1;
    peft_paths_release(&p);
    return rc;
}

int run_open_model(struct run *r, const char *path, const char *adapter, struct err *e)
{
    int rc = change_adapter(r, path, adapter, e);

    if (rc == 0) {
        model_close(r->model);
        r->model = NULL;
        rc = model_open_with(&r->model, path, adapter, r->kern, MODEL_SAMPLE, e);
    }
    if (rc < 0)
        return rc;
    const size_t V = r->model->arch.V, size = tok_size(r->chat->tok);
    if (size > V)
        return err_set(e, ERR_FILE,
                       "%s: the tokenizer has ids up to %zu, the model %zu of them",
                       path, size - 1, V);
    if (r->o.attn) {
        capture_spec_release(&r->capture);
        rc = capture_spec_parse(&r->capture, r->model, *r->o.attn ? r->o.attn : "upper",
                                "mean", "mean", e);
        r->emit.capture = rc == 0 ? &r->capture : NULL;
    }
    return rc < 0 ? rc : find_stops(r, e);
}

/* ---- prompts in -------------------------------------------------------------------------*/

static void enqueue(struct run *r, struct prompt *p)
{
    if (r->last)
        r->last->next = p;
    else
        r->first = p;
    r->last = p;
}

static void dequeue(struct run *r)
{
    struct prompt *p = r->first;

    r->first = p->next;
    if (!r->first)
        r->last = NULL;
    prompt_free(p);
}

/* Reads one prompt ahead.  A fault ends the input here: what was asked before it is
 * still answered, then it is reported. */
static int look_ahead(struct run *r)
{
    if (!r->ahead && !r->ended && source_next(r->source, &r->ahead, &r->why) <= 0)
        r->ended = 1;
    return r->ahead != NULL;
}

/* Does the model take the prompt?  0, or ERR_RECORD. */
static int check(const struct run *r, const struct prompt *p, struct err *e)
{
    const size_t V = r->model->arch.V;

    for (size_t i = 0; i < p->P; i++)
        if (p->ids[i] < 0 || (size_t)p->ids[i] >= V)
            return err_set(e, ERR_RECORD,
                           "prompt '%s': id %d at %zu is not one of the model's %zu",
                           p->id, p->ids[i], i, V);
    if (model_room(r->model, p->P) == 0)
        return err_set(
            e, ERR_RECORD,
            "prompt '%s': %zu tokens leave no room in the model's context of "
            "%zu (--skip-long passes such prompts over)",
            p->id, p->P, model_context(r->model));
    return 0;
}

/* In place of a prompt that is passed over goes a record that says why. */
static void refuse(struct run *r, struct prompt *p, const struct err *why)
{
    struct rec error = {0};

    rec_set_str(&p->rec, "id", p->id);
    rec_make_error(&error, &p->rec, r->tool->name, NULL, why);
    error.header = p->rec.header;
    rec_release(&p->rec);
    p->rec = error;
    p->kind = PROMPT_OTHER;
    cli_note(r->tool, r->common, "%s: passed over", why->text);
    enqueue(r, p);
}

static int give(void *ctx, struct generate_prompt *out, struct err *e)
{
    struct run *r = ctx;

    (void)e;
    while (r->left > 0 && look_ahead(r)) {
        struct prompt *p = r->ahead;
        struct err why = {0};

        r->ahead = NULL;
        if (p->kind == PROMPT_OTHER) {
            enqueue(r, p);
            continue;
        }
        if (check(r, p, &why) < 0) {
            if (r->o.skip_long) {
                refuse(r, p, &why);
                continue;
            }
            prompt_free(p);
            r->ended = 1;
            r->why = why;
            return 0;
        }
        r->left--;
        enqueue(r, p);
        *out = (struct generate_prompt){.ids = p->ids,
                                        .P = p->P,
                                        .id = hash64(p->id, strlen(p->id)),
                                        .n = r->o.n,
                                        .tag = p};
        return 1;
    }
    return 0;
}

/* ---- stop strings -----------------------------------------------------------------------*/

/* After each token: is a stop string there?  Only what is new is searched. */
static int stopped(void *ctx, size_t slot, const struct generate_completion *c)
{
    struct run *r = ctx;
    struct tok_decoder *d = &r->slot[slot];
    const size_t longest = r->emit.stops.longest;

    if (c->T == 1)
        tok_decoder_reset(d);
    const size_t before = d->n;
    if (tok_decoder_push(d, c->ids[c->T - 1], NULL) < 0)
        return 1; /* no memory: emit_sample will say so */
    return stops_find(&r->emit.stops, d->text, before > longest ? before - longest : 0,
                      d->n) != SIZE_MAX;
}

static int prepare_slots(struct run *r, struct err *e)
{
    if (r->emit.stops.n == 0 || r->slot)
        return 0;
    r->slot = calloc(r->o.rows, sizeof *r->slot);
    if (!r->slot)
        return err_set(e, ERR_NOMEM, "no memory for %zu texts", r->o.rows);
    for (size_t i = 0; i < r->o.rows; i++)
        tok_decoder_init(&r->slot[i], r->chat->tok, TOK_SKIP_SPECIAL);
    return 0;
}

/* ---- completions out --------------------------------------------------------------------*/

/* Writes the records that stand before prompt p (NULL: all). */
static int pass_others(struct run *r, const struct prompt *p, struct err *e)
{
    while (r->first && r->first != p) {
        const int rc = rec_writer_put(r->out, &r->first->rec, e);

        if (rc < 0)
            return rc;
        dequeue(r);
    }
    return 0;
}

static void show(struct run *r)
{
    const double seconds = cli_now() - r->started;
    const struct cli_figure speed = {
        "tokens_per_s", "tokens/s", seconds > 0 ? (double)r->tokens / seconds : 0.0, 0};

    cli_progress_update(&r->progress, r->answered, &speed, 1);
}

static int take(struct run *r, const struct generate_completion *c, struct err *e)
{
    struct prompt *p = c->tag;
    int rc = pass_others(r, p, e);

    if (rc == 0)
        rc = emit_sample(&r->emit, p, r->model, c, e);
    r->tokens += c->T;
    r->answered += c->cand + 1 == c->n;
    show(r);
    if (rc == 0 && c->cand + 1 == c->n) {
        dequeue(r);
        rc = rec_writer_flush(r->out, e);
    }
    return rc;
}

/* Up to `prompts` prompts with the model as it is. */
static int run_batch(struct run *r, size_t prompts, struct err *e)
{
    const struct generate_opts o = {
        .rows = r->o.rows,
        .max_tokens = r->o.max_tokens,
        .sample = r->o.sample,
        .seed = r->o.seed,
        .eos = r->eos,
        .neos = r->neos,
        .ignore_eos = r->o.ignore_eos,
        .capture = r->emit.capture,
        .source = give,
        .stop = r->emit.stops.n ? stopped : NULL,
        .ctx = r,
    };
    const struct generate_completion *c;
    struct generator *g = NULL;
    int rc = prepare_slots(r, e);

    r->left = prompts;
    if (rc == 0)
        rc = generator_new(&g, r->model, &o, e);
    while (rc >= 0 && (rc = generator_next(g, &c, e)) > 0)
        rc = take(r, c, e);
    generator_free(g);
    return rc < 0 ? rc : pass_others(r, NULL, e);
}

/* ---- following --------------------------------------------------------------------------*/

/* The mark behind a batch: train/follow.h. */
static int mark(struct run *r, uint64_t batch, struct err *e)
{
    struct rec m = {0};
    int rc;

    rec_set_str(&m, "kind", "batch");
    rec_set_uint(&m, "batch", batch);
    rec_set_uint(&m, "version", r->version);
    rc = rec_writer_put(r->out, &m, e);
    rec_release(&m);
    return rc < 0 ? rc : rec_writer_flush(r->out, e);
}

static int run_follow(struct run *r, const struct follow *f, struct err *e)
{
    for (uint64_t b = 0; look_ahead(r); b++) {
        char *path = NULL;
        size_t version;
        int rc = follow_wait(f, b, &version, &path, e);

        if (rc > 0 && (!r->model || version != r->version))
            rc = run_open_model(r, path, NULL, e);
        else if (rc == 0)
            return 0; /* enough, says the publisher */
        free(path);
        r->version = version;
        if (rc < 0 || (rc = run_batch(r, r->o.prompts, e)) < 0 ||
            (rc = mark(r, b, e)) < 0)
            return rc;
    }
    return 0;
}

int run_all(struct run *r, const struct follow *f, struct err *e)
{
    r->started = cli_now();
    cli_progress_start(&r->progress, r->tool, r->common, "prompts", 0);
    int rc = f ? run_follow(r, f, e) : run_batch(r, SIZE_MAX, e);
    cli_progress_end(&r->progress, rc);
    if (rc >= 0 && r->why.code < 0) {
        rc = r->why.code;
        *e = r->why;
    }
    return rc < 0 ? rc : 0;
}

void run_release(struct run *r)
{
    while (r->first)
        dequeue(r);
    prompt_free(r->ahead);
    for (size_t i = 0; r->slot && i < r->o.rows; i++)
        tok_decoder_release(&r->slot[i]);
    free(r->slot);
    free(r->eos);
    capture_spec_release(&r->capture);
    emitter_release(&r->emit);
    model_close(r->model);
}
