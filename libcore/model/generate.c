/*
 * Continuous batching.
 *
 * Prompts live as long as one of their candidates does; candidates stand in one queue
 * in the order of delivery, and those that are being drawn have a slot each, with room
 * for their keys and values.  A step gives every slot one token.  What a candidate gets
 * does not depend on who else is there.
 */
#include "model/generate.h"

#include "base/rng.h"
#include "model/decode.h"

#include <stdlib.h>
#include <string.h>

enum {
    PREFILL = 128, /* prompt rows computed at a time */
    AHEAD = 64,    /* candidates finished but not delivered, for each row */
};

struct prompt {
    struct generate_prompt p; /* ids are our own copy */
    size_t limit;             /* tokens that a response may have */
    size_t next;              /* the candidate to start next */
    size_t users;             /* candidates that live, and the generator while it starts
                                 them */
    struct arena arena;
    const int32_t *lead; /* (nlead) what the decoder reads before a response: the
                                  prompt itself, or what decoding starts with */
    size_t nlead;
    struct block_store store;  /* of those */
    struct block_store source; /* of the prompt, where an encoder reads it */
    float *logits;             /* (V) of the last row */
    float *rows, *outside;     /* attention of the last row: (blocks, P), (blocks) */
};

struct candidate {
    struct candidate *next; /* in the order of delivery */
    struct prompt *prompt;
    struct generate_completion c;
    int done;
    int32_t *ids;          /* (limit) */
    float *logp;           /* (limit) */
    float *rows, *outside; /* (blocks, limit, P), (blocks, limit); packed to T at the
                              end */
};

struct slot {
    struct candidate *c; /* NULL: free */
    struct block_store store;
};

struct generator {
    struct model *m;
    struct generate_opts o;
    struct decoder d;
    struct encoder enc; /* where the model has one */
    struct arena stores;
    struct slot *slots;     /* (rows) */
    size_t *live;           /* (rows) slots of the step's rows */
    size_t blocks;          /* of captured rows */
    void *scratch;          /* of sample_token, for each thread */
    int32_t *drawn;         /* (rows) */
    float *drawn_logp;      /* (rows) */
    struct prompt *current; /* whose candidates are being started */
    struct candidate *head, **tail, *delivered;
    size_t waiting; /* candidates in the queue */
    int ended;      /* the source has */
    struct generate_work work;
};

struct generate_work generator_work(const struct generator *g)
{
    return g->work;
}

/* ---- prompts ----------------------------------------------------------------------- */

static void prompt_drop(struct prompt *p)
{
    if (!p || --p->users > 0)
        return;
    arena_release(&p->arena);
    free(p);
}

static void prompt_carve(const struct generator *g, struct prompt *p, struct arena *a)
{
    const size_t P = p->p.P, b = g->blocks;

    p->store = decoder_store(&g->d, a, p->nlead, CAPTURE_SELF);
    if (g->m->encoder)
        p->source = decoder_store(&g->d, a, P, CAPTURE_CROSS);
    p->logits = arena_take(a, g->m->arch.V, sizeof(float));
    p->p.ids = arena_take(a, P, sizeof *p->p.ids);
    p->rows = b ? arena_take(a, b * P, sizeof(float)) : NULL;
    p->outside = b ? arena_take(a, b, sizeof(float)) : NULL;
}

static int prompt_check(const struct generator *g, const struct generate_prompt *p,
                        struct err *e)
{
    if (p->P == 0)
        return err_set(e, ERR_RECORD, "prompt_ids: no tokens");
    if (model_room(g->m, p->P) == 0)
        return err_set(e, ERR_RECORD,
                       "prompt_ids: %zu tokens leave no room in the model's context of "
                       "%zu",
                       p->P, model_context(g->m));
    for (size_t i = 0; i < p->P; i++)
        if (p->ids[i] < 0 || (size_t)p->ids[i] >= g->m->arch.V)
            return err_set(e, ERR_RECORD,
                           "prompt_ids: id %d is outside the model's vocabulary of %zu",
                           (int)p->ids[i], g->m->arch.V);
    return 0;
}

static int prompt_new(const struct generator *g, struct prompt **out,
                      const struct generate_prompt *from, struct err *e)
{
    struct prompt *p;
    int rc = prompt_check(g, from, e);

    if (rc < 0)
        return rc;
    if (!(p = calloc(1, sizeof *p)))
        return err_set(e, ERR_NOMEM, "no memory for a prompt");
    p->p = *from;
    p->users = 1;
    p->nlead = model_lead(g->m, from->P);
    p->limit = model_room(g->m, from->P);
    if (p->limit > g->o.max_tokens)
        p->limit = g->o.max_tokens;
    prompt_carve(g, p, &p->arena);
    if ((rc = arena_alloc(&p->arena, "a prompt's keys and values", e)) < 0) {
        free(p);
        return rc;
    }
    prompt_carve(g, p, &p->arena);
    memcpy((void *)(uintptr_t)p->p.ids, from->ids, from->P * sizeof *from->ids);
    p->lead = g->m->encoder ? g->m->arch.start : p->p.ids;
    *out = p;
    return 0;
}

/* Keys, values and the last row's logits of what stands before the responses. */
static void prefill_lead(struct generator *g, struct prompt *p)
{
    struct decoder *d = &g->d;
    const size_t P = p->p.P, N = p->nlead;

    for (size_t at = 0; at < N; at += PREFILL) {
        const size_t n = N - at < PREFILL ? N - at : PREFILL;
        const int last = at + n == N;

        memset(d->capture, 0, n * sizeof *d->capture);
        for (size_t i = 0; i < n; i++) {
            d->ids[i] = p->lead[at + i];
            d->pos[i] = (int32_t)(at + i);
        }
        if (last && g->blocks)
            d->capture[n - 1] = (struct capture_row){p->rows, p->outside, P, P, 1};
        d->runs[0] = (struct block_run){
            .n = n, .at = at, .own = p->store, .src = P, .source = p->source};
        decoder_step(d, n, 1, last);
    }
    memcpy(p->logits, d->logits, g->m->arch.V * sizeof *p->logits);
}

static int prefill(struct generator *g, struct prompt *p, struct err *e)
{
    const size_t P = p->p.P, keys = p->nlead + p->limit;
    int rc = decoder_reserve(&g->d, keys > P ? keys : P, e);

    if (rc >= 0 && g->m->encoder)
        rc = encoder_run(&g->enc, &g->d, p->p.ids, P, &p->source, e);
    if (rc < 0)
        return rc;
    prefill_lead(g, p);
    g->work.prompts++;
    g->work.prompt_tokens += P;
    return 0;
}

/* ---- candidates -------------------------------------------------------------------- */

static void candidate_free(struct candidate *c)
{
    if (!c)
        return;
    prompt_drop(c->prompt);
    free(c->ids);
    free(c->logp);
    free(c->rows);
    free(c->outside);
    free(c);
}

static int candidate_alloc(const struct generator *g, struct candidate *c,
                           const struct prompt *p)
{
    const size_t n = p->limit, b = g->blocks;

    c->ids = malloc(n * sizeof *c->ids);
    c->logp = malloc(n * sizeof *c->logp);
    if (b) {
        c->rows = calloc(b * n * p->p.P, sizeof *c->rows);
        c->outside = calloc(b * n, sizeof *c->outside);
    }
    return c->ids && c->logp && (!b || (c->rows && c->outside)) ? 0 : -1;
}

/* The next candidate of p, at the end of the queue. */
static int candidate_new(struct generator *g, struct candidate **out, struct prompt *p,
                         struct err *e)
{
    struct candidate *c = calloc(1, sizeof *c);

    if (!c || candidate_alloc(g, c, p) < 0) {
        candidate_free(c);
        return err_set(e, ERR_NOMEM, "no memory for a candidate of %zu tokens",
                       p->limit);
    }
    c->prompt = p;
    p->users++;
    c->c = (struct generate_completion){.tag = p->p.tag,
                                        .cand = p->next++,
                                        .n = p->p.n,
                                        .P = p->p.P,
                                        .ids = c->ids,
                                        .logp = c->logp,
                                        .rows = c->rows,
                                        .outside = c->outside};
    *g->tail = c;
    g->tail = &c->next;
    g->waiting++;
    *out = c;
    return 0;
}

/* Blocks of `limit` rows become blocks of T rows. */
static void pack_rows(const struct generator *g, struct candidate *c)
{
    const size_t T = c->c.T, P = c->c.P, n = c->prompt->limit;

    for (size_t b = 1; b < g->blocks; b++) {
        memmove(c->rows + b * T * P, c->rows + b * n * P, T * P * sizeof *c->rows);
        memmove(c->outside + b * T, c->outside + b * n, T * sizeof *c->outside);
    }
}

static int is_end(const struct generator *g, int32_t id)
{
    for (size_t i = 0; !g->o.ignore_eos && i < g->o.neos; i++)
        if (g->o.eos[i] == id)
            return 1;
    return 0;
}

/* Takes a drawn token; a candidate that ends with it leaves its slot. */
static void take(struct generator *g, size_t slot, int32_t id, float logp)
{
    struct candidate *c = g->slots[slot].c;

    c->ids[c->c.T] = id;
    c->logp[c->c.T++] = logp;
    c->done = 1;
    if (is_end(g, id))
        c->c.finish = GENERATE_EOS;
    else if (g->o.stop && g->o.stop(g->o.ctx, slot, &c->c))
        c->c.finish = GENERATE_STOP;
    else if (c->c.T == c->prompt->limit)
        c->c.finish = GENERATE_LENGTH;
    else
        c->done = 0;
    g->work.tokens++;
    if (!c->done)
        return;
    pack_rows(g, c);
    g->slots[slot].c = NULL;
}

/* ---- drawing ----------------------------------------------------------------------- */

static int32_t draw(const struct generator *g, const struct candidate *c,
                    const float *logits, float *logp, size_t worker)
{
    const size_t V = g->m->arch.V;
    const double u =
        rng_uniform(g->o.seed, c->prompt->p.id, (uint32_t)c->c.cand, (uint32_t)c->c.T);

    return sample_token(kern_isa(g->m->kern), &g->o.sample, logits, V, u, logp,
                        (char *)g->scratch + worker * sample_scratch(V));
}

static int not_numbers(struct err *e)
{
    return err_set(e, ERR_NUMERIC, "the model's logits are not finite numbers");
}

/* The first token comes from the prompt's own last row. */
static int start(struct generator *g, size_t slot, struct candidate *c, struct err *e)
{
    const struct prompt *p = c->prompt;
    float logp;

    g->slots[slot].c = c;
    for (size_t b = 0; b < g->blocks; b++) {
        memcpy(c->rows + b * p->limit * p->p.P, p->rows + b * p->p.P,
               p->p.P * sizeof *c->rows);
        c->outside[b * p->limit] = p->outside[b];
    }
    const int32_t id = draw(g, c, p->logits, &logp, 0);
    if (id < 0)
        return not_numbers(e);
    take(g, slot, id, logp);
    return 0;
}

static int next_prompt(struct generator *g, struct err *e)
{
    struct generate_prompt p = {0};
    int rc = g->o.source(g->o.ctx, &p, e);

    if (rc <= 0) {
        g->ended = rc == 0;
        return rc;
    }
    if ((rc = prompt_new(g, &g->current, &p, e)) < 0)
        return rc;
    if (p.n > 0 && (rc = prefill(g, g->current, e)) < 0)
        return rc;
    return 1;
}

/* Fills free slots: 0, or an error. */
static int admit(struct generator *g, struct err *e)
{
    for (size_t s = 0; s < g->o.rows; s++)
        while (!g->slots[s].c && g->waiting < AHEAD * g->o.rows) {
            struct candidate *c = NULL;
            int rc = g->current ? 1 : g->ended ? 0 : next_prompt(g, e);

            if (rc <= 0)
                return rc;
            if (g->current->next == g->current->p.n) {
                prompt_drop(g->current);
                g->current = NULL;
                continue;
            }
            if ((rc = candidate_new(g, &c, g->current, e)) < 0 ||
                (rc = start(g, s, c, e)) < 0)
                return rc;
        }
    return 0;
}

/* ---- a step ------------------------------------------------------------------------ */

static void place(struct generator *g, size_t row, size_t slot)
{
    struct decoder *d = &g->d;
    const struct candidate *c = g->slots[slot].c;
    const struct prompt *p = c->prompt;
    const size_t T = c->c.T, P = c->c.P, n = p->limit;

    g->live[row] = slot;
    d->ids[row] = c->ids[T - 1];
    d->pos[row] = (int32_t)(p->nlead + T - 1);
    d->runs[row] = (struct block_run){.row0 = row,
                                      .n = 1,
                                      .at = p->nlead + T - 1,
                                      .pre = p->nlead,
                                      .prefix = p->store,
                                      .own = g->slots[slot].store,
                                      .src = P,
                                      .source = p->source};
    if (g->blocks)
        d->capture[row] =
            (struct capture_row){c->rows + T * P, c->outside + T, P, n * P, n};
}

static void draw_row(void *ctx, size_t row, size_t worker)
{
    struct generator *g = ctx;

    g->drawn[row] = draw(g, g->slots[g->live[row]].c, g->d.logits + row * g->m->arch.V,
                         &g->drawn_logp[row], worker);
}

static int step(struct generator *g, struct err *e)
{
    size_t B = 0;

    for (size_t s = 0; s < g->o.rows; s++)
        if (g->slots[s].c)
            place(g, B++, s);
    if (B == 0)
        return 0;
    decoder_step(&g->d, B, B, B);
    par_for(kern_par(g->m->kern), B, draw_row, g);
    g->work.steps++;
    for (size_t b = 0; b < B; b++) {
        if (g->drawn[b] < 0)
            return not_numbers(e);
        take(g, g->live[b], g->drawn[b], g->drawn_logp[b]);
    }
    return 0;
}

int generator_next(struct generator *g, const struct generate_completion **out,
                   struct err *e)
{
    int rc;

    candidate_free(g->delivered);
    g->delivered = NULL;
    for (;;) {
        if ((rc = admit(g, e)) < 0)
            return rc;
        if (!g->head)
            return 0;
        if (g->head->done)
            break;
        if ((rc = step(g, e)) < 0)
            return rc;
    }
    g->delivered = g->head;
    g->head = g->head->next;
    if (!g->head)
        g->tail = &g->head;
    g->waiting--;
    *out = &g->delivered->c;
    return 1;
}

/* ---- the generator ----------------------------------------------------------------- */

static void carve_stores(struct generator *g, struct arena *a)
{
    const size_t rows = g->o.rows, V = g->m->arch.V;

    for (size_t s = 0; s < rows; s++)
        g->slots[s].store = decoder_store(&g->d, a, g->o.max_tokens, CAPTURE_SELF);
    g->live = arena_take(a, rows, sizeof *g->live);
    g->drawn = arena_take(a, rows, sizeof *g->drawn);
    g->drawn_logp = arena_take(a, rows, sizeof *g->drawn_logp);
    g->scratch = arena_take(a, par_threads(kern_par(g->m->kern)), sample_scratch(V));
}

static int prepare(struct generator *g, struct err *e)
{
    const size_t rows = g->o.rows > PREFILL ? g->o.rows : PREFILL;
    int rc;

    if (!(g->slots = calloc(g->o.rows, sizeof *g->slots)))
        return err_set(e, ERR_NOMEM, "no memory for %zu rows", g->o.rows);
    if ((rc = decoder_init(&g->d, g->m, g->o.capture, rows, g->o.rows, e)) < 0)
        return rc;
    carve_stores(g, &g->stores);
    if ((rc = arena_alloc(&g->stores, "keys and values", e)) < 0)
        return rc;
    carve_stores(g, &g->stores);
    return 0;
}

static int check_opts(const struct generate_opts *o, const struct model *m,
                      struct err *e)
{
    if (m->mode != MODEL_SAMPLE)
        return err_set(e, ERR_USAGE, "%s: not opened for sampling", m->path);
    if (o->rows == 0 || o->max_tokens == 0)
        return err_set(e, ERR_USAGE,
                       "a batch without rows or responses without tokens");
    if (!(o->sample.temperature >= 0) || !(o->sample.top_p > 0) ||
        !(o->sample.min_p >= 0 && o->sample.min_p <= 1))
        return err_set(e, ERR_USAGE,
                       "temperature %g, top-p %g, min-p %g: expected at least 0, above "
                       "0, 0 to 1",
                       o->sample.temperature, o->sample.top_p, o->sample.min_p);
    return 0;
}

int generator_new(struct generator **out, struct model *m,
                  const struct generate_opts *opts, struct err *e)
{
    int rc = check_opts(opts, m, e);
    struct generator *g;

    *out = NULL;
    if (rc < 0)
        return rc;
    if (!(g = calloc(1, sizeof *g)))
        return err_set(e, ERR_NOMEM, "no memory for a generator");
    g->m = m;
    g->o = *opts;
    if (g->o.max_tokens > model_context(m))
        g->o.max_tokens = model_context(m);
    g->tail = &g->head;
    g->blocks = opts->capture ? capture_blocks(opts->capture, m) : 0;
    if ((rc = prepare(g, e)) < 0)
        generator_free(g);
    else
        *out = g;
    return rc;
}

void generator_free(struct generator *g)
{
    if (!g)
        return;
    candidate_free(g->delivered);
    while (g->head) {
        struct candidate *c = g->head;

        g->head = c->next;
        candidate_free(c);
    }
    prompt_drop(g->current);
    decoder_release(&g->d);
    encoder_release(&g->enc);
    arena_release(&g->stores);
    free(g->slots);
    free(g);
}
