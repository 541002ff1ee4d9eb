/*
 * Rewards into records, and what of a group goes out: all of it in its order, by rank,
 * the best K, or pairs.
 */
#include "run.h"

#include <math.h>
#include <stdlib.h>

void output_release(struct output *out)
{
    rec_release(&out->pair);
    free(out->order);
}

void output_rewards(struct rec *rec, struct terms *t, const double *value,
                    double reward)
{
    size_t n = 0;

    for (size_t i = 0; i < t->n; i++)
        if (t->term[i].shown && t->term[i].from != FROM_RECORD) {
            t->out_name[n] = t->term[i].name;
            t->out_value[n++] = value[i];
        }
    sample_set_rewards(rec, n, t->out_name, t->out_value);
    if (isnan(reward))
        rec_set_nil(rec, "reward");
    else
        rec_set_f64(rec, "reward", reward);
}

/* ---- choosing -------------------------------------------------------------------------- */
/* order: candidates that have a reward, best first, equals as they came; then those that
 * abstained; errors are left out.  Returns how many, *scored how many have a reward. */
static size_t sort(size_t *order, size_t *scored, const double *reward,
                   const unsigned char *failed, size_t n)
{
    size_t k = 0;

    for (size_t i = 0; i < n; i++) {
        if (failed[i] || isnan(reward[i]))
            continue;
        size_t at = k++;
        for (; at > 0 && reward[order[at - 1]] < reward[i]; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    *scored = k;
    for (size_t i = 0; i < n; i++)
        if (!failed[i] && isnan(reward[i]))
            order[k++] = i;
    return k;
}

static int put_ranked(struct output *out, const struct opts *o, struct rec_group *g,
                      size_t scored, size_t n, struct err *e)
{
    int rc = 0;

    for (size_t i = 0; i < n && rc >= 0; i++) {
        struct rec *r = &g->rec[out->order[i]];

        if (o->best && i >= (o->best < scored ? o->best : scored))
            break;
        if (o->rank && i < scored)
            rec_set_uint(r, "rank", i);
        else if (o->rank)
            rec_set_nil(r, "rank");
        rc = rec_writer_put(out->w, r, e);
    }
    return rc;
}

/* ---- pairs ----------------------------------------------------------------------------- */
static void carry(struct rec *to, const char *name, const struct rec *from,
                  const char *key)
{
    const struct rec_value v = rec_find(from, key);

    if (v.at)
        rec_set_value(to, name, v);
}

/* One record of kind "pair": what both share, then the two sides, in the names that
 * preference data has elsewhere (prompt, chosen, rejected). */
static int put_pair(struct output *out, const struct rec *chosen,
                    const struct rec *rejected, struct err *e)
{
    static const char *const shared[] = {"id",          "prompt",      "prompt_ids",
                                         "prompt_ends", "prompt_mask", "temperature",
                                         "policy",      "reference"};
    static const struct {
        const char *key, *chosen, *rejected;
    } side[] = {
        {"text", "chosen", "rejected"},
        {"ids", "chosen_ids", "rejected_ids"},
        {"logp", "chosen_logp", "rejected_logp"},
        {"ref", "chosen_ref", "rejected_ref"},
        {"cand", "chosen_cand", "rejected_cand"},
        {"reward", "chosen_reward", "rejected_reward"},
    };
    struct rec *p = &out->pair;

    rec_clear(p);
    p->header = chosen->header;
    rec_set_str(p, "kind", "pair");
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++)
        carry(p, shared[i], chosen, shared[i]);
    for (size_t i = 0; i < sizeof side / sizeof *side; i++) {
        carry(p, side[i].chosen, chosen, side[i].key);
        carry(p, side[i].rejected, rejected, side[i].key);
    }
    return rec_writer_put(out->w, p, e);
}

/* The best against the worst, unless they lie within the margin. */
static int put_pairs(struct output *out, const struct opts *o, struct rec_group *g,
                     const double *reward, size_t scored, struct err *e)
{
    if (scored < 2)
        return 0;
    const size_t best = out->order[0], worst = out->order[scored - 1];
    if (!(reward[best] - reward[worst] > o->margin))
        return 0;
    return put_pair(out, &g->rec[best], &g->rec[worst], e);
}

int output_group(struct output *out, const struct opts *o, struct rec_group *g,
                 const double *reward, const unsigned char *failed, struct err *e)
{
    size_t scored;
    int rc = reserve(&out->order, &out->cap, g->n, sizeof *out->order, e);

    if (rc < 0)
        return rc;
    const size_t n = sort(out->order, &scored, reward, failed, g->n);
    if (o->pairs)
        rc = put_pairs(out, o, g, reward, scored, e);
    else if (o->rank || o->best)
        rc = put_ranked(out, o, g, scored, n, e);
    else
        for (size_t i = 0; i < g->n && rc >= 0; i++)
            if (!failed[i])
                rc = rec_writer_put(out->w, &g->rec[i], e);
    /* Error records last: the samples of a group stay together. */
    for (size_t i = 0; i < g->n && rc >= 0; i++)
        if (failed[i])
            rc = rec_writer_put(out->w, &g->rec[i], e);
    return rc;
}
