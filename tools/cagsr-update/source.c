#include "update.h"

#include "base/hash.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int source_open(struct source *s, const struct opts *o, const struct model *m,
                struct err *e)
{
    s->o = o;
    s->m = m;
    s->algo = algo_get((enum algo_kind)o->algo);
    source_accept(s, m->hash);
    return rec_reader_new(&s->reader, o->common.files, o->common.nfiles, &o->limits, e);
}

void source_close(struct source *s)
{
    rec_reader_free(s->reader);
    rec_group_release(&s->group);
    sample_release(&s->sample);
    train_data_release(&s->one);
    for (size_t k = 0; k < 3; k++)
        free(s->buf[k].p);
    chat_close(&s->chat);
    tok_close(s->tok);
    for (size_t k = 0; k < 2; k++) {
        rendered_release(&s->rendered[k]);
        tok_ids_release(&s->ids[k]);
    }
}

static int is_accepted(const struct train_cursor *c, uint64_t policy)
{
    for (size_t i = 0; i < c->npolicies && i < TRAIN_POLICIES; i++)
        if (c->policy[i] == policy)
            return 1;
    return 0;
}

void source_accept(struct source *s, uint64_t policy)
{
    struct train_cursor *c = &s->cursor;

    if (!is_accepted(c, policy))
        c->policy[c->npolicies++ % TRAIN_POLICIES] = policy;
}

/* ---- checks ----------------------------------------------------------------------------- */

static int check_ids(const struct source *s, const struct rec *r, const char *field,
                     const int32_t *ids, size_t n, struct err *e)
{
    for (size_t t = 0; t < n; t++)
        if (ids[t] < 0 || (size_t)ids[t] >= s->m->arch.V)
            return rec_fault(r, ERR_RECORD, e, field,
                             "token %zu is %d, the model has ids below %zu", t,
                             (int)ids[t], s->m->arch.V);
    return 0;
}

int source_check_length(const struct source *s, const struct rec *r, const char *field,
                        size_t P, size_t T, struct err *e)
{
    const size_t room = model_room(s->m, P);

    if (room == 0 || T > room)
        return rec_fault(
            r, ERR_RECORD, e, field,
            "%zu tokens behind a prompt of %zu, the model's context is %zu", T, P,
            model_context(s->m));
    return 0;
}

/* Another policy's samples would be learnt from as if they were this one's. */
static int check_policy(const struct source *s, const struct rec *r, struct err *e)
{
    struct rec_str text;
    char hex[HASH_HEX];
    uint64_t hash;
    int rc;

    if (!(s->algo->flags & ALGO_ON_POLICY) || s->o->off_policy)
        return 0;
    if ((rc = rec_opt_str(r, "policy", &text, e)) <= 0)
        return rc;
    memset(hex, 0, sizeof hex);
    if (text.n < sizeof hex)
        memcpy(hex, text.s, text.n);
    if (hash_parse(&hash, hex) < 0)
        return rec_fault(r, ERR_RECORD, e, "policy", "not a hash of 16 hex digits");
    if (is_accepted(&s->cursor, hash))
        return 0;
    hash_hex(hex, s->m->hash);
    return rec_fault(
        r, ERR_RECORD, e, "policy",
        "%.*s drew this, but the model to train is %s; --off-policy takes it "
        "with the ratio to its own logp",
        (int)text.n, text.s, hex);
}

static int check_ref(const struct source *s, const struct rec *r, struct err *e)
{
    if (!s->need_ref || (s->sample.has & SAMPLE_REF))
        return 0;
    return rec_fault(r, ERR_RECORD, e, "ref",
                     "missing: pass the samples through 'cagsr-attn -m BASE' first, or "
                     "give --ref BASE%s",
                     s->algo->flags & ALGO_REF ? "" : ", or --kl 0 to go without");
}

/* ---- a sample ---------------------------------------------------------------------------- */

/* The names of the reward components, from the first record that has some. */
static void learn_names(struct source *s, const struct rec *r)
{
    struct rec_iter it;
    struct rec_value key, val;
    struct rec_str name;
    size_t n = 0;

    rec_iter_start(&it, rec_find(r, "rewards"));
    while (n < COMPONENTS && rec_iter_next(&it, &key, &val))
        if (rec_value_str(&name, key) == 0 && name.n < sizeof s->names[0]) {
            memcpy(s->names[n], name.s, name.n);
            s->names[n++][name.n] = 0;
        }
    s->one.ncomponents = n;
}

/* --weights NAME=W,...: every name must be a component, components not named weigh 0. */
static int learn_weights(struct source *s, const struct rec *r, struct err *e)
{
    for (const char *at = s->o->weights; at && *at;) {
        const size_t n = strcspn(at, "=");
        char *end;
        size_t k = 0;
        while (k < s->one.ncomponents &&
               (strlen(s->names[k]) != n || memcmp(s->names[k], at, n)))
            k++;
        if (k == s->one.ncomponents)
            return rec_fault(r, ERR_RECORD, e, "rewards",
                             "no component '%.*s', which --weights names", (int)n, at);
        s->weight[k] = strtod(at + n + (at[n] == '='), &end);
        if (at[n] != '=' || end == at + n + 1 || (*end && *end != ','))
            return err_set(e, ERR_USAGE, "--weights: not NAME=NUMBER at '%s'", at);
        at = *end ? end + 1 : end;
    }
    return 0;
}

static int read_components(const struct source *s, const struct rec *r, double *out,
                           struct err *e)
{
    for (size_t k = 0; k < s->one.ncomponents; k++) {
        out[k] = NAN;
        const int rc = sample_component(r, s->names[k], &out[k], e);
        if (rc < 0)
            return rc;
        if (rc == 1 && !isfinite(out[k]))
            return rec_fault(r, ERR_NUMERIC, e, s->names[k], "%g, not a finite number",
                             out[k]);
    }
    return 0;
}

static double temperature_of(const struct source *s)
{
    const struct sample *v = &s->sample;

    if (s->algo->flags & ALGO_PLAIN || !(v->has & SAMPLE_TEMPERATURE) ||
        v->temperature <= 0)
        return 1;
    return v->temperature;
}

/* Adds the sample in s->sample to the group in s->one. */
static int add_sample(struct source *s, const struct rec *r, struct err *e)
{
    const struct sample *v = &s->sample;
    double component[COMPONENTS];
    int rc = read_components(s, r, component, e);

    if (rc < 0)
        return rc;
    const struct train_new n = {
        .T = v->T,
        .ids = v->ids,
        .logp = v->has & SAMPLE_LOGP ? v->logp : NULL,
        .ref = v->has & SAMPLE_REF ? v->ref : NULL,
        .reward = v->has & SAMPLE_REWARD ? v->reward : NAN,
        .temperature = temperature_of(s),
        .component = component,
        .ended = v->finish == FINISH_EOS || v->finish == FINISH_STOP,
        .rounded = rec_str_is(rec_dtype_of(r), "bf16"),
    };
    s->eos += v->finish == FINISH_EOS;
    return train_data_cand(&s->one, &n, e);
}

/* The prompt of a group's later samples must be that of the first. */
static int same_prompt(const struct source *s, const struct rec *r, struct err *e)
{
    const struct train_group *g = &s->one.group[0];

    if (g->P == s->sample.P &&
        !memcmp(s->one.ids + g->ids0, s->sample.prompt_ids, g->P * sizeof(int32_t)))
        return 0;
    return rec_fault(r, ERR_RECORD, e, "prompt_ids",
                     "not those of the sample before with the same id");
}

static int read_sample(struct source *s, const struct rec *r, struct err *e)
{
    struct sample *v = &s->sample;
    const unsigned want =
        SAMPLE_LOGP | SAMPLE_REF | SAMPLE_TEMPERATURE | SAMPLE_FINISH | SAMPLE_REWARD;
    int rc = sample_read(v, r, SAMPLE_PROMPT_IDS | SAMPLE_IDS, want, e);

    if (rc < 0)
        return rc;
    s->records++;
    if ((rc = check_ids(s, r, "prompt_ids", v->prompt_ids, v->P, e)) < 0 ||
        (rc = check_ids(s, r, "ids", v->ids, v->T, e)) < 0 ||
        (rc = source_check_length(s, r, "ids", v->P, v->T, e)) < 0 ||
        (rc = check_policy(s, r, e)) < 0)
        return rc;
    if (s->one.ngroups == 0)
        rc = train_data_group(&s->one, v->prompt_ids, v->P, e);
    else
        rc = same_prompt(s, r, e);
    if (rc < 0)
        return rc;
    if (v->T == 0) {
        s->empty++;
        return 0;
    }
    if ((s->algo->flags & ALGO_REWARD) && !(v->has & SAMPLE_REWARD)) {
        s->abstained++;
        return 0;
    }
    if (s->one.ncomponents == 0) {
        learn_names(s, r);
        if (s->o->weights && (rc = learn_weights(s, r, e)) < 0)
            return rc;
    }
    if ((rc = check_ref(s, r, e)) < 0)
        return rc;
    return add_sample(s, r, e);
}

/* ---- a pair in one record: {prompt_ids, chosen_ids, rejected_ids} --------------------- */

static int pair_side(struct source *s, const struct rec *r, const char *ids_key,
                     const char *ref_key, double reward, struct err *e)
{
    struct train_new n = {.reward = reward, .temperature = 1, .ended = 1};
    size_t refs = 0;
    int rc;

    if ((rc = rec_get_i32s(r, ids_key, &s->buf[0], &n.ids, &n.T, e)) < 0 ||
        (rc = check_ids(s, r, ids_key, n.ids, n.T, e)) < 0 ||
        (rc = source_check_length(s, r, ids_key, s->one.group[0].P, n.T, e)) < 0)
        return rc;
    if (n.T == 0)
        return rec_fault(r, ERR_RECORD, e, ids_key, "empty");
    if ((rc = rec_opt_f32s(r, ref_key, &s->buf[1], &n.ref, &refs, e)) < 0)
        return rc;
    if (rc == 0 && s->need_ref)
        return rec_fault(r, ERR_RECORD, e, ref_key, "missing: give --ref BASE");
    if (rc == 1 && refs != n.T)
        return rec_fault(r, ERR_RECORD, e, ref_key, "%zu numbers for %zu tokens", refs,
                         n.T);
    return train_data_cand(&s->one, &n, e);
}

static int read_pair(struct source *s, const struct rec *r, struct err *e)
{
    const int32_t *prompt;
    size_t P;
    int rc;

    s->records++;
    if ((rc = rec_get_i32s(r, "prompt_ids", &s->buf[2], &prompt, &P, e)) < 0 ||
        (rc = check_ids(s, r, "prompt_ids", prompt, P, e)) < 0)
        return rc;
    if (P == 0)
        return rec_fault(r, ERR_RECORD, e, "prompt_ids", "empty");
    if ((rc = train_data_group(&s->one, prompt, P, e)) < 0 ||
        (rc = pair_side(s, r, "chosen_ids", "chosen_ref", 1, e)) < 0)
        return rc;
    return pair_side(s, r, "rejected_ids", "rejected_ref", 0, e);
}

/* ---- from a group to what the algorithm trains on -------------------------------------- */

/* Appends to d what the algorithm wants of the group in s->one; 1 if anything. */
static int select_from(struct source *s, struct train_data *d, struct err *e)
{
    const struct train_data *one = &s->one;
    const size_t n = one->ncands;
    size_t pick[2];
    int rc;

    if (n == 0)
        return 0;
    d->ncomponents = one->ncomponents;
    if (!(s->algo->flags & (ALGO_PAIR | ALGO_BEST)))
        return (rc = train_data_copy(d, one, 0, e)) < 0 ? rc : 1;
    pick[0] = advantage_best(one->reward, one->of_group, n, 0);
    pick[1] = advantage_worst(one->reward, one->of_group, n, 0);
    if (pick[0] == n) {
        s->skipped++;
        return 0;
    }
    if ((s->algo->flags & ALGO_PAIR) &&
        !(one->reward[pick[0]] - one->reward[pick[1]] > s->o->train.algo.margin)) {
        s->skipped++;
        return 0;
    }
    rc = train_data_group(d, one->ids + one->group[0].ids0, one->group[0].P, e);
    for (size_t k = 0; k < (s->algo->flags & ALGO_PAIR ? 2 : 1) && rc >= 0; k++)
        rc = train_data_pick(d, one, pick[k], e);
    return rc < 0 ? rc : 1;
}

/* The cursor moves on by the group in s->one, whether it is trained on or not. */
static void move_cursor(struct source *s)
{
    const struct train_data *d = &s->one;
    uint64_t h[3] = {s->cursor.hash, hash64(d->ids, d->nids * sizeof *d->ids),
                     hash64(d->off, d->ncands * sizeof *d->off)};

    s->cursor.hash = hash64(h, sizeof h);
    s->cursor.groups++;
}

static int is_pair(const struct rec *r)
{
    return rec_value_type(rec_find(r, "chosen_ids")) != REC_NONE;
}

static int is_text(const struct rec *r)
{
    return rec_value_type(rec_find(r, "ids")) == REC_NONE &&
           rec_value_type(rec_find(r, "prompt_ids")) == REC_NONE;
}

/* One record that is not a sample of a group: 1 read, 0 none of ours, 2 a mark. */
static int read_other(struct source *s, const struct rec *r, struct err *e)
{
    const struct rec_str kind = rec_kind(r);
    int rc = 0;

    if (rec_str_is(kind, "batch"))
        return SOURCE_MARK;
    if (kind.n != 0 && !rec_str_is(kind, "pair") && !rec_str_is(kind, "example"))
        return 0;
    if (is_pair(r) && (s->algo->flags & ALGO_PAIR))
        rc = read_pair(s, r, e);
    else if (is_text(r) && (s->algo->flags & ALGO_DATASET))
        rc = source_text(s, r, e);
    else if (s->algo->flags & ALGO_PLAIN)
        rc = read_sample(s, r, e);
    else
        return rec_fault(r, ERR_RECORD, e, NULL, "--algo %s cannot learn from it",
                         s->algo->name);
    return rc < 0 ? rc : SOURCE_GROUP;
}

static int read_group(struct source *s, struct err *e)
{
    int rc = 0;

    train_data_clear(&s->one);
    if (s->group.other)
        return read_other(s, &s->group.rec[0], e);
    for (size_t i = 0; i < s->group.n && rc >= 0; i++)
        rc = read_sample(s, &s->group.rec[i], e);
    return rc < 0 ? rc : SOURCE_GROUP;
}

int source_next(struct source *s, struct train_data *d, struct err *e)
{
    for (;;) {
        int rc = rec_group_next(&s->group, s->reader, e);
        if (rc <= 0)
            return rc < 0 ? rc : SOURCE_END;
        rc = read_group(s, e);
        if (rc < 0 || rc == SOURCE_MARK)
            return rc;
        if (rc == 0)
            continue;
        move_cursor(s);
        if ((rc = select_from(s, d, e)) != 0)
            return rc < 0 ? rc : SOURCE_GROUP;
    }
}

int source_same(const struct source *s, const struct train_cursor *had, struct err *e)
{
    if (s->cursor.groups == had->groups && s->cursor.hash == had->hash)
        return 0;
    return err_set(e, ERR_USAGE,
                   "the first %llu groups of the input are not those that %s was "
                   "trained on; --new-data trains on all of it",
                   (unsigned long long)had->groups, s->o->resume);
}

int source_skip(struct source *s, const struct train_cursor *had, struct err *e)
{
    while (s->cursor.groups < had->groups) {
        int rc = rec_group_next(&s->group, s->reader, e);
        if (rc < 0)
            return rc;
        if (rc == 0)
            break;
        if ((rc = read_group(s, e)) < 0)
            return rc;
        if (rc == SOURCE_GROUP)
            move_cursor(s);
    }
    const int rc = source_same(s, had, e);
    s->records = s->abstained = s->empty = s->skipped = s->eos = 0;
    return rc;
}
