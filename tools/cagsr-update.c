#include "cagsr-update/loop.h"

#include "io/peft.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const agg_names[] = {"grpo", "bnpo", "dapo", "dr_grpo", NULL};
static const char *const ratio_names[] = {"token", "sequence", NULL};
static const char *const loss_names[] = {"clip", "cispo", NULL};
static const char *const kl_names[] = {"k1", "k2", "k3", NULL};
static const char *const scale_names[] = {"group", "batch", "none", NULL};
static const char *const combine_names[] = {"sum_then_normalize", "normalize_then_sum",
                                            NULL};
static const char *const baseline_names[] = {"running", "plus", "plus_group", NULL};
static const char *const schedule_names[] = {"constant", "cosine", NULL};
static const char *const dpo_names[] = {"sigmoid", "ipo", "ipo_mean", NULL};

#define AT(member) offsetof(struct opts, member)
#define TRAIN(member) offsetof(struct opts, train.member)
#define ALGO(member) offsetof(struct opts, train.algo.member)
#define WORDS(list) .choices = list

static const char *const algo_words[] = {"ppo", "grpo", "rloo", "reinforce", "raft",
                                         "dpo", "rm",   "sft",  NULL};

static const struct cli_option options[] = {
    {"algo", 0, CLI_CHOICE, AT(algo), "NAME",
     "ppo (default), grpo, rloo, reinforce, raft, dpo, rm, sft", WORDS(algo_words)},
    {"output", 'o', CLI_STRING, AT(out), "DIR", "the new model, appears whole",
     .lo = 0},
    {"ref", 0, CLI_STRING, AT(ref), "MODEL",
     "frozen reference for the KL; without it the records' ref", .lo = 0},
    {"publish", 0, CLI_STRING, AT(publish), "DIR",
     "add a version to DIR after each update, for cagsr-sample --follow", .lo = 0},
    {"resume", 0, CLI_STRING, AT(resume), "DIR",
     "go on from DIR's training/, input read past what it has had", .lo = 0},
    {"new-data", 0, CLI_FLAG, AT(new_data), NULL,
     "with --resume: the input is new, skip nothing", .lo = 0},
    {"save-every", 0, CLI_SIZE, AT(save_every), "N",
     "whole state every N updates, not only at the end", .lo = 0},
    {"keep", 0, CLI_SIZE, AT(keep), "N", "published versions to keep (default 3)",
     .lo = 2, .hi = 1e6},
    {"grads", 0, CLI_STRING, AT(grads), "FILE",
     "write the gradient of the first minibatch and stop", .lo = 0},
    {"tensorboard", 0, CLI_STRING, AT(tensorboard), "DIR",
     "write every number of the metrics for TensorBoard, too"},
    {"dry-run", 0, CLI_FLAG, AT(dry_run), NULL,
     "say what memory and time a run would take, and stop", .lo = 0},
    {"off-policy", 0, CLI_FLAG, AT(off_policy), NULL,
     "take samples of other policies, with the ratio to their logp", .lo = 0},

    {"lora-rank", 0, CLI_SIZE, AT(lora.rank), "R",
     "train a new LoRA adapter of rank R, the model stays as it is", .lo = 1,
     .hi = PEFT_RANK_MAX},
    {"lora-alpha", 0, CLI_DOUBLE, AT(lora.alpha), "A",
     "scale of what it adds, A/R (default A = 2 R)", .lo = 1e-6, .hi = 1e6},
    {"lora-target", 0, CLI_STRING, AT(lora.targets), "PATTERN",
     "modules: ends of names, all-linear, or a regular expression (default: attention)",
     .lo = 0},

    {"batch", 0, CLI_SIZE, AT(batch), "PROMPTS", "prompts of an update (default 16)",
     .lo = 1, .hi = 1e9},
    {"minibatch", 0, CLI_SIZE, TRAIN(minibatch), "PROMPTS",
     "prompts of an optimizer step (default: the batch)", .lo = 1, .hi = 1e9},
    {"epochs", 0, CLI_SIZE, AT(epochs), "N",
     "passes over a batch (ppo 4, else 1); sft, dpo, rm: over the input", .lo = 1,
     .hi = 1e6},
    {"steps", 0, CLI_SIZE, AT(steps), "N", "stop after N updates in all", .lo = 1,
     .hi = 1e12},
    {"rows", 0, CLI_SIZE, AT(rows), "N",
     "rows of a forward pass; more is accumulated (1024)", .lo = 1, .hi = 1e7},
    {"recompute", 0, CLI_FLAG, AT(recompute), NULL,
     "keep one layer's activations, compute the others twice"},
    {"dtype", 0, CLI_CHOICE, AT(dtype), "TYPE",
     "type that operands of products are rounded to: f32 (default) or bf16",
     WORDS(kern_dtype_names)},

    {"lr", 0, CLI_DOUBLE, AT(lr), "X",
     "learning rate (default 1e-5; dpo 1e-6, sft 2e-5)", .lo = 0, .hi = 10},
    {"schedule", 0, CLI_CHOICE, AT(schedule), "NAME",
     "constant (default) or cosine, down to --lr-floor at --steps",
     WORDS(schedule_names)},
    {"warmup", 0, CLI_SIZE, TRAIN(schedule.warmup), "N",
     "optimizer steps until the full learning rate (default 0)", .lo = 0},
    {"lr-floor", 0, CLI_DOUBLE, TRAIN(schedule.floor), "X",
     "cosine: share of lr left at the end (default 0)", .lo = 0, .hi = 1},
    {"decay", 0, CLI_DOUBLE, TRAIN(decay), "X",
     "weight decay of matrices, decoupled (default 0)", .lo = 0, .hi = 10},
    {"beta1", 0, CLI_DOUBLE, TRAIN(adamw.beta1), "X", "AdamW (default 0.9)", .lo = 0,
     .hi = .9999999},
    {"beta2", 0, CLI_DOUBLE, TRAIN(adamw.beta2), "X", "AdamW (default 0.95)", .lo = 0,
     .hi = .9999999},
    {"adam-eps", 0, CLI_DOUBLE, TRAIN(adamw.eps), "X", "AdamW (default 1e-8)", .lo = 0,
     .hi = 1},
    {"grad-clip", 0, CLI_DOUBLE, TRAIN(grad_clip), "X",
     "largest gradient norm, 0: any (default 1)", .lo = 0, .hi = 1e9},

    {"kl", 0, CLI_DOUBLE, AT(kl), "X",
     "KL coefficient (default 0.05); dpo: beta (default 0.1)", .lo = 0, .hi = 1e6},
    {"kl-type", 0, CLI_CHOICE, AT(kl_type), "NAME",
     "grpo: estimator in the loss, k1, k2 or k3 (default)", WORDS(kl_names)},
    {"kl-target", 0, CLI_DOUBLE, TRAIN(kl.target), "NATS",
     "adapt the coefficient to this KL per response; 0: fixed (default)", .lo = 0,
     .hi = 1e6},
    {"kl-horizon", 0, CLI_DOUBLE, TRAIN(kl.horizon), "N",
     "episodes over which it adapts (default 10000)", .lo = 1, .hi = 1e12},
    {"kl-stop", 0, CLI_DOUBLE, AT(kl_stop), "NATS",
     "save and stop (exit 6) beyond this KL per response (default 10, 0: never)",
     .lo = 0, .hi = 1e9},
    {"loss-stop", 0, CLI_DOUBLE, AT(loss_stop), "X",
     "end when the running mean of the loss is below X", .lo = 0, .hi = 1e9},

    {"clip", 0, CLI_DOUBLE, AT(clip), "X",
     "lower clip range of the ratio, and upper unless --clip-high (default 0.2)",
     .lo = 0, .hi = 1},
    {"clip-high", 0, CLI_DOUBLE, AT(clip_high), "X",
     "upper clip range (default 0.2, grpo 0.28)", .lo = 0, .hi = 1e6},
    {"dual-clip", 0, CLI_DOUBLE, AT(dual), "X",
     "bound on the loss of bad tokens, > 1 (default none; 3 is usual)", .lo = 1,
     .hi = 1e6},
    {"ratio-cap", 0, CLI_DOUBLE, AT(cap), "X", "largest ratio (default none; cispo 5)",
     .lo = 1, .hi = 1e6},
    {"ratio", 0, CLI_CHOICE, AT(ratio), "NAME",
     "grpo: ratio of each token (default), or of the sequence (gspo)",
     WORDS(ratio_names)},
    {"loss", 0, CLI_CHOICE, AT(loss), "NAME", "grpo: clip (default) or cispo",
     WORDS(loss_names)},
    {"agg", 0, CLI_CHOICE, AT(agg), "NAME",
     "mean over tokens: grpo, bnpo, dapo (grpo's default), dr_grpo", WORDS(agg_names)},
    {"scale", 0, CLI_CHOICE, AT(scale), "NAME",
     "grpo: divide advantages by the deviation of the group, the batch, or none",
     WORDS(scale_names)},
    {"adv-eps", 0, CLI_DOUBLE, AT(adv_eps), "X",
     "added to that deviation (default: the larger of 1e-4 and 1% of the batch's)",
     .lo = 0, .hi = 1e6},
    {"combine", 0, CLI_CHOICE, AT(combine), "NAME",
     "grpo: sum_then_normalize (default) or normalize_then_sum", WORDS(combine_names)},
    {"weights", 0, CLI_STRING, AT(weights), "NAME=W,...",
     "weights of reward components for normalize_then_sum", .lo = 0},
    {"baseline", 0, CLI_CHOICE, AT(baseline), "NAME",
     "reinforce: running mean (default), plus, plus_group (REINFORCE++)",
     WORDS(baseline_names)},
    {"reward-clip", 0, CLI_DOUBLE, ALGO(reward_clip), "X",
     "rewards to -X..X, 0: as they are (default 0, rloo 10)", .lo = 0, .hi = 1e12},
    {"whiten-rewards", 0, CLI_FLAG, ALGO(whiten_rewards), NULL,
     "ppo: scale token rewards to unit variance", .lo = 0},
    {"max-tokens", 0, CLI_SIZE, ALGO(t_max), "N",
     "longest response: dr_grpo, --overlong (default: the longest seen)", .lo = 1,
     .hi = 1e9},
    {"overlong", 0, CLI_SIZE, ALGO(overlong), "N",
     "soft penalty over the last N tokens below --max-tokens", .lo = 0},
    {"mask-truncated", 0, CLI_FLAG, ALGO(mask_truncated), NULL,
     "responses that were cut do not enter the loss", .lo = 0},
    {"gamma", 0, CLI_DOUBLE, ALGO(gamma), "X", "discount (default 1)", .lo = 0,
     .hi = 1},
    {"lambda", 0, CLI_DOUBLE, ALGO(lambda), "X", "GAE (default 0.95)", .lo = 0,
     .hi = 1},
    {"value-coef", 0, CLI_DOUBLE, ALGO(value_coef), "X",
     "ppo: weight of the value loss (default 0.1)", .lo = 0, .hi = 1e6},
    {"value-clip", 0, CLI_DOUBLE, ALGO(value_clip), "X",
     "ppo: clip range of values (default 0.2)", .lo = 0, .hi = 1e6},
    {"value-trunk", 0, CLI_DOUBLE, ALGO(value_trunk), "X",
     "ppo: share of the value loss's gradient that reaches the model (default 0)",
     .lo = 0, .hi = 1},
    {"entropy", 0, CLI_DOUBLE, ALGO(entropy_coef), "X",
     "weight of the entropy bonus (default 0)", .lo = 0, .hi = 1e6},
    {"dpo", 0, CLI_CHOICE, AT(dpo), "NAME", "sigmoid (default), ipo, ipo_mean",
     WORDS(dpo_names)},
    {"smoothing", 0, CLI_DOUBLE, ALGO(dpo.smoothing), "X",
     "dpo: label smoothing (default 0)", .lo = 0, .hi = .5},
    {"margin", 0, CLI_DOUBLE, ALGO(margin), "X",
     "dpo, rm: a pair's rewards differ by more than X (default 0.05)", .lo = 0,
     .hi = 1e12},
    {"rm-margin", 0, CLI_DOUBLE, ALGO(rm_margin), "X", "rm: margin (default 0)",
     .lo = 0, .hi = 1e6},
    {"rm-centre", 0, CLI_DOUBLE, ALGO(rm_centre), "X",
     "rm: pulls the scores' sum to 0 (default 0)", .lo = 0, .hi = 1e6},
    {"raw", 0, CLI_FLAG, AT(raw), NULL,
     "text records: no chat template around the prompt", .lo = 0},
    REC_LIMITS_OPTIONS(struct opts, limits),
    {0},
};

static const struct cli_tool tool = {
    .name = "cagsr-update",
    .synopsis = "[-m model] [--algo name] [--ref model] [--kl beta] [--lr rate] "
                "[--lora-rank R] -o dir | --publish dir [option ...] [file ...]",
    .summary = "Trains a model on rewarded samples; writes a new model, and one metric "
               "record per update to standard output.",
    .common = CLI_MODEL | CLI_THREADS | CLI_SEEDED | CLI_FORCE | CLI_PROGRESS,
    .options = options,
    .max_files = SIZE_MAX,
};

static const struct opts defaults = {
    .train =
        {
            .algo = {.gamma = 1,
                     .lambda = .95,
                     .value_coef = .1,
                     .value_clip = .2,
                     .margin = .05},
            .adamw = {.9, .95, 1e-8},
            .grad_clip = 1,
            .kl = {.horizon = 10000},
        },
    .algo = ALGO_PPO,
    .agg = AUTO,
    .kl_type = KL_K3,
    .batch = 16,
    .rows = 1024,
    .keep = 3,
    .kl_stop = 10,
};

/* ---- options that depend on others -------------------------------------------------------- */

static int given(const struct opts *o, const char *name)
{
    return cli_given(&o->common, name);
}

static int usage(struct opts *o, struct err *e)
{
    const struct algo *a = algo_get((enum algo_kind)o->algo);
    const int instead = o->dry_run || o->grads;

    if (!o->out && !o->publish && !instead)
        return err_set(e, ERR_USAGE, "where to? -o DIR or --publish DIR");
    if (o->resume && given(o, "model"))
        return err_set(e, ERR_USAGE, "--resume brings its own model: leave -m out");
    if (o->resume && o->common.adapter)
        return err_set(e, ERR_USAGE,
                       "--resume brings its own adapter: leave --adapter "
                       "out");
    if (o->common.adapter && o->publish && !given(o, "model"))
        return err_set(e, ERR_USAGE, "--adapter wants -m, the model it is for");
    if (!o->lora.rank && (given(o, "lora-alpha") || o->lora.targets))
        return err_set(e, ERR_USAGE,
                       "--lora-alpha and --lora-target go with "
                       "--lora-rank");
    if (o->tensorboard && !*o->tensorboard)
        return err_set(e, ERR_USAGE, "--tensorboard: the name is empty");
    if (o->new_data && !o->resume)
        return err_set(e, ERR_USAGE, "--new-data goes with --resume");
    if (o->schedule == SCHEDULE_COSINE && !o->steps)
        return err_set(e, ERR_USAGE, "--schedule cosine needs --steps");
    if (o->combine == COMBINE_NORMALIZE && !o->weights)
        return err_set(e, ERR_USAGE, "normalize_then_sum needs --weights");
    if (o->train.algo.overlong && !o->train.algo.t_max)
        return err_set(e, ERR_USAGE, "--overlong needs --max-tokens");
    if (o->train.algo.entropy_coef != 0 && a->flags & (ALGO_SCORE | ALGO_PAIR))
        return err_set(e, ERR_USAGE, "--algo %s has no entropy bonus", a->name);
    if ((o->ratio || o->loss || o->combine) && o->algo != ALGO_GRPO)
        return err_set(e, ERR_USAGE,
                       "--ratio, --loss and --combine go with --algo grpo");
    if (a->flags & ALGO_REF && o->kl == 0 && given(o, "kl"))
        return err_set(e, ERR_USAGE, "--algo %s needs --kl above 0", a->name);
    return 0;
}

static enum policy_kind policy_kind_of(const struct opts *o)
{
    switch ((enum algo_kind)o->algo) {
    case ALGO_RLOO: return POLICY_SEQ_SUM;
    case ALGO_REINFORCE:
        return o->baseline == BASELINE_RUNNING ? POLICY_LOGLIK : POLICY_CLIP;
    case ALGO_RAFT:
    case ALGO_SFT: return POLICY_LOGLIK;
    default: return o->loss ? POLICY_CISPO : o->ratio ? POLICY_SEQ_MEAN : POLICY_CLIP;
    }
}

static struct policy_opts policy_of(const struct opts *o, const struct algo *a)
{
    const double high = given(o, "clip-high") ? o->clip_high
                        : given(o, "clip")    ? o->clip
                                              : a->high;

    return (struct policy_opts){
        .kind = policy_kind_of(o),
        .low = given(o, "clip") ? o->clip : a->low,
        .high = high,
        .cap = given(o, "ratio-cap") ? o->cap
               : o->loss             ? 5
                                     : INFINITY,
        .dual = given(o, "dual-clip") ? o->dual : INFINITY,
        .clamp = 20,
        .kl = (enum kl_kind)o->kl_type,
    };
}

/* Fills o->train from what was given and the algorithm's defaults. */
static void settle(struct opts *o)
{
    const struct algo *a = algo_get((enum algo_kind)o->algo);
    struct train_opts *t = &o->train;
    struct algo_opts *g = &t->algo;

    if (!given(o, "kl"))
        o->kl = a->kl;
    if (!given(o, "lr"))
        o->lr = a->lr;
    if (!given(o, "epochs"))
        o->epochs = a->epochs;
    if (!given(o, "reward-clip") && o->algo == ALGO_RLOO)
        g->reward_clip = 10;
    g->kind = (enum algo_kind)o->algo;
    g->policy = policy_of(o, a);
    g->mean = o->agg == AUTO ? a->mean : (enum seqs_mean)o->agg;
    g->scale = (enum advantage_scale)o->scale;
    g->eps = given(o, "adv-eps") ? (struct advantage_eps){o->adv_eps, 0}
                                 : (struct advantage_eps){1e-4, .01};
    g->combine = (enum algo_combine)o->combine;
    g->baseline = (enum algo_baseline)o->baseline;
    g->dpo = (struct dpo_opts){(enum dpo_kind)o->dpo, o->kl, g->dpo.smoothing};
    t->kl.beta = o->kl;
    t->rows = o->rows;
    t->epochs = a->flags & ALGO_DATASET ? 1 : o->epochs;
    t->schedule.kind = (enum schedule_kind)o->schedule;
    t->schedule.lr = o->lr;
    t->schedule.total = o->steps; /* in updates; made optimizer steps in open_train */
    t->seed = o->common.seed;
    o->lora.seed = o->common.seed;
    if (!given(o, "lora-alpha"))
        o->lora.alpha = 2 * (double)o->lora.rank;
    t->off_policy = o->off_policy;
    t->recompute = o->recompute;
}

/* ---- putting a run together ------------------------------------------------------------------ */

/* A rank that is given again where an adapter goes on must be its own. */
static int same_rank(const struct run *r, struct err *e)
{
    const struct adapter *a = r->model->adapter;

    for (size_t i = 0; i < a->parts; i++)
        if (a->part[i].r != r->o->lora.rank)
            return err_set(
                e, ERR_USAGE,
                "--lora-rank %zu: %s is an adapter of rank %zu that would be "
                "trained on",
                r->o->lora.rank, r->start, a->part[i].r);
    return 0;
}

static int open_policy(struct run *r, struct err *e)
{
    int rc = model_open_with(&r->model, r->start, r->o->common.adapter, r->kern,
                             MODEL_COMPUTE, e);

    if (rc < 0 || !r->o->lora.rank)
        return rc;
    if (r->model->adapter)
        return same_rank(r, e);
    source_accept(&r->source, r->model->hash); /* a new adapter changes nothing */
    return adapter_new(r->model, &r->o->lora, e);
}

/* Does the loss need log-probabilities of a reference? */
static int uses_ref(const struct opts *o)
{
    const unsigned flags = algo_get((enum algo_kind)o->algo)->flags;

    return flags & ALGO_REF || (o->kl != 0 && flags & (ALGO_KL_LOSS | ALGO_KL_REWARD));
}

static int open_models(struct run *r, struct err *e)
{
    const struct kern_opts kern = {.dtype = (enum kern_dtype)r->o->dtype,
                                   .round = KERN_ROUND_BOTH};
    int rc;

    if ((rc = par_new(&r->par, r->o->common.threads, e)) < 0 ||
        (rc = kern_new(&r->kern, r->par, &kern, e)) < 0 ||
        (rc = output_start(&r->start, r->o, e)) < 0 || (rc = open_policy(r, e)) < 0)
        return rc;
    if (!r->o->ref && r->model->adapter && uses_ref(r->o))
        return train_reference_new(&r->reference, r->model, REFERENCE_BASE, r->o->rows,
                                   e);
    if (!r->o->ref)
        return 0;
    if ((rc = model_open(&r->ref_model, r->o->ref, r->kern, MODEL_SAMPLE, e)) < 0)
        return rc;
    if (r->ref_model->arch.V != r->model->arch.V)
        return err_set(e, ERR_SHAPE, "%s: a vocabulary of %zu, the model has %zu",
                       r->o->ref, r->ref_model->arch.V, r->model->arch.V);
    return train_reference_new(&r->reference, r->ref_model, REFERENCE_MODEL, r->o->rows,
                               e);
}

/* The cosine is over optimizer steps; an update has epochs x minibatches of them. */
static struct train_opts train_options(const struct run *r)
{
    struct train_opts t = r->o->train;
    const size_t size =
        t.minibatch && t.minibatch < r->o->batch ? t.minibatch : r->o->batch;

    t.schedule.total *= t.epochs * ((r->o->batch + size - 1) / size);
    t.algo.weight = r->source.weight;
    return t;
}

static int open_train(struct run *r, struct train_cursor *had, struct err *e)
{
    const struct train_opts t = train_options(r);
    int rc = train_new(&r->train, r->model, &t, e);

    if (rc < 0 || !r->o->resume)
        return rc;
    if ((rc = train_state_read(r->train, had, r->start, e)) < 0)
        return rc;
    /* samples of the policies that the run has had are still its own */
    memcpy(r->source.cursor.policy, had->policy, sizeof had->policy);
    r->source.cursor.npolicies = had->npolicies;
    r->source.cursor.episodes = had->episodes;
    r->source.cursor.loss = had->loss;
    if (r->o->new_data)
        source_accept(&r->source, r->model->hash);
    return 0;
}

static int open_all(struct run *r, struct train_cursor *had, struct err *e)
{
    int rc;

    if ((rc = output_begin(&r->output, r->o, e)) < 0 || (rc = open_models(r, e)) < 0 ||
        (rc = source_open(&r->source, r->o, r->model, e)) < 0)
        return rc;
    r->source.need_ref = !r->reference && uses_ref(r->o); /* the records bring it */
    if ((rc = open_train(r, had, e)) < 0)
        return rc;
    r->output.t = r->train;
    return metric_open(&r->metric, &tool, r->o, &r->source, r->train->iterations + 1,
                       e);
}

static void close_all(struct run *r)
{
    train_reference_free(r->reference);
    train_free(r->train);
    source_close(&r->source);
    train_data_release(&r->data);
    train_data_release(&r->pool);
    free(r->pool_order);
    model_close(r->ref_model);
    model_close(r->model);
    kern_free(r->kern);
    par_free(r->par);
    output_end(&r->output);
    free(r->start);
}

int main(int argc, char **argv)
{
    struct opts o = defaults;
    struct run r = {.tool = &tool, .o = &o, .metric.events.fd = -1};
    struct train_cursor had = {0};
    struct err e = {0};
    int rc;

    cli_parse(&tool, &o, argc, argv);
    rc = usage(&o, &e);
    if (rc >= 0) {
        settle(&o);
        rc = open_all(&r, &had, &e);
    }
    if (rc >= 0)
        rc = run_loop(&r, &had, &e);
    rc = metric_close(&r.metric, rc, &e);
    close_all(&r);
    return cli_finish(&tool, &o.common, rc, &e);
}
