/*
 * --make: each prompt's samples as they came, behind them their corruptions.
 *
 * All samples are in memory: an answer to another prompt may come from anywhere.
 */
#include "audit.h"

#include "base/reserve.h"
#include "base/rng.h"

#include <stdlib.h>
#include <string.h>

struct group {
    size_t from, to; /* of maker.rec */
    int other;       /* a record of another kind */
    size_t partner;  /* the group whose answers mismatch; itself: none */
};

struct maker {
    const struct opts *o;
    unsigned char *on; /* (corruptions) */
    struct rec *rec;
    struct group *group;
    size_t n, groups, rec_cap, group_cap;
    struct sample own, other;
    struct made *made;
    struct rec out;
    struct rec_reader *in;
    struct rec_writer *w;
    struct rec_group g;
    struct cli_output file;
};

static int choose(struct maker *x, struct err *e)
{
    const char *list = x->o->make;
    size_t kinds = 0;

    while (corruptions[kinds].name)
        kinds++;
    x->on = calloc(kinds, 1);
    if (!x->on)
        return err_set(e, ERR_NOMEM, "no memory");
    for (size_t n; *list; list += n + (list[n] == ',')) {
        int found = 0;

        n = strcspn(list, ",");
        for (size_t k = 0; k < kinds; k++)
            if ((n == 3 && memcmp(list, "all", 3) == 0) ||
                (strlen(corruptions[k].name) == n &&
                 memcmp(list, corruptions[k].name, n) == 0))
                x->on[k] = found = 1;
        if (!found)
            return err_set(
                e, ERR_USAGE,
                "--make: '%.*s' is none of mismatched, shuffled, copied, looped, "
                "half, endless, empty, all",
                (int)n, list);
    }
    return 0;
}

/* ---- reading --------------------------------------------------------------------------- */
static int keep(struct maker *x, struct err *e)
{
    const size_t from = x->n, n = x->g.n;
    int rc = reserve(&x->rec, &x->rec_cap, from + n, sizeof *x->rec, e);

    if (rc < 0 || (rc = reserve(&x->group, &x->group_cap, x->groups + 1,
                                sizeof *x->group, e)) < 0)
        return rc;
    for (size_t i = 0; i < n && rc >= 0; i++) {
        x->rec[x->n] = (struct rec){0};
        rc = rec_copy(&x->rec[x->n++], &x->g.rec[i], e);
    }
    x->group[x->groups] = (struct group){from, x->n, x->g.other, x->groups};
    x->groups++;
    return rc;
}

/* A random cycle through the groups of samples. */
static int pair_up(struct maker *x, struct err *e)
{
    size_t *list = calloc(2 * x->groups + 1, sizeof *list), *perm = list + x->groups,
           n = 0;

    if (!list)
        return err_set(e, ERR_NOMEM, "no memory for %zu prompts", x->groups);
    for (size_t i = 0; i < x->groups; i++)
        if (!x->group[i].other)
            list[n++] = i;
    rng_shuffle(perm, n, x->o->common.seed, 1);
    for (size_t i = 0; i < n; i++)
        x->group[list[perm[i]]].partner = list[perm[(i + 1) % n]];
    free(list);
    return 0;
}

/* ---- writing --------------------------------------------------------------------------- */
enum {
    NEED = SAMPLE_ID | SAMPLE_PROMPT_IDS | SAMPLE_IDS,
    WANT = SAMPLE_CAND | SAMPLE_TEXT | SAMPLE_ENDS | SAMPLE_FINISH,
    WANT_OWN = WANT | SAMPLE_PROMPT | SAMPLE_PROMPT_ENDS | SAMPLE_PROMPT_MASK
};

/* The end token of a group: what its samples end with; and its highest candidate. */
static int survey(struct maker *x, const struct group *g, int32_t *end, uint64_t *top,
                  struct err *e)
{
    *end = -1;
    *top = 0;
    for (size_t i = g->from; i < g->to; i++) {
        const struct sample *s = &x->own;
        const int rc = sample_read(&x->own, &x->rec[i], NEED, WANT_OWN, e);

        if (rc < 0)
            return rc;
        if (rec_value_type(rec_find(&x->rec[i], "corrupt")) > REC_NIL)
            return rec_fault(&x->rec[i], ERR_RECORD, e, "corrupt",
                             "this stream was made worse already");
        if (s->finish == FINISH_EOS && s->T)
            *end = s->ids[s->T - 1];
        if (s->has & SAMPLE_CAND && s->cand > *top)
            *top = s->cand;
    }
    return 0;
}

static int write_one(struct maker *x, const struct corruption *k,
                     const struct material *from, uint64_t *top, struct err *e)
{
    int rc = k->make(x->made, from, e);

    if (rc <= 0)
        return rc;
    if ((rc = rec_copy(&x->out, from->own->rec, e)) < 0)
        return rc;
    if (!made_write(&x->out, x->made, from, k->name, *top + 1))
        return 0;
    ++*top;
    return rec_writer_put(x->w, &x->out, e);
}

static int corrupt_all(struct maker *x, const struct group *g,
                       const struct corruption *k, int32_t end, uint64_t *top,
                       struct err *e)
{
    const struct group *p = &x->group[g->partner];
    int rc = 0;

    for (size_t i = g->from; i < g->to && rc >= 0; i++) {
        struct material from = {.own = &x->own, .seed = x->o->common.seed, .end = end};

        if (k->once && i > g->from)
            break;
        if ((rc = sample_read(&x->own, &x->rec[i], NEED, WANT_OWN, e)) < 0)
            return rc;
        if (p != g) {
            const size_t at = p->from + (i - g->from) % (p->to - p->from);

            if ((rc = sample_read(&x->other, &x->rec[at], NEED, WANT, e)) < 0)
                return rc;
            from.other = &x->other;
        }
        rc = write_one(x, k, &from, top, e);
    }
    return rc;
}

static int write_group(struct maker *x, const struct group *g, struct err *e)
{
    int32_t end = -1;
    uint64_t top = 0;
    int rc = g->other ? 0 : survey(x, g, &end, &top, e);

    for (size_t i = g->from; i < g->to && rc >= 0; i++)
        rc = rec_writer_put(x->w, &x->rec[i], e);
    for (size_t k = 0; corruptions[k].name && !g->other && rc >= 0; k++)
        if (x->on[k])
            rc = corrupt_all(x, g, &corruptions[k], end, &top, e);
    return rc;
}

/* ---- the run --------------------------------------------------------------------------- */
static int pass(struct maker *x, struct err *e)
{
    int rc;

    while ((rc = rec_group_next(&x->g, x->in, e)) > 0)
        if ((rc = keep(x, e)) < 0)
            return rc;
    if (rc < 0 || (rc = pair_up(x, e)) < 0)
        return rc;
    for (size_t i = 0; i < x->groups && rc >= 0; i++)
        rc = write_group(x, &x->group[i], e);
    return rc;
}

static void release(struct maker *x)
{
    for (size_t i = 0; i < x->n; i++)
        rec_release(&x->rec[i]);
    free(x->rec);
    free(x->group);
    free(x->on);
    made_free(x->made);
    sample_release(&x->own);
    sample_release(&x->other);
    rec_release(&x->out);
    rec_group_release(&x->g);
    rec_writer_free(x->w);
    rec_reader_free(x->in);
}

int make_run(const struct opts *o, const struct cli_tool *tool, struct err *e)
{
    const struct rec_pg pg = {.name = tool->name,
                              .version = CAGSR_VERSION,
                              .command_line = o->common.command_line};
    struct maker x = {.o = o, .file = {.fd = -1}};
    int rc = choose(&x, e);

    if (rc >= 0)
        rc = made_new(&x.made, e);
    if (rc >= 0)
        rc = cli_output_open(&x.file, &o->common, e);
    if (rc >= 0)
        rc = rec_reader_new(&x.in, o->common.files, o->common.nfiles, &o->limits, e);
    if (rc >= 0)
        rc = rec_writer_new(&x.w, x.file.fd, x.in, &pg, &o->limits, e);
    if (rc >= 0)
        rc = pass(&x, e);
    rc = rec_writer_end(x.w, rc, e);
    if (x.in && rec_reader_forgiven(x.in))
        cli_note(tool, &o->common, "taken as it is: %s", rec_reader_forgiven(x.in));
    release(&x);
    return cli_output_close(&x.file, rc, e);
}
