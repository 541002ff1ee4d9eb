/*
 * Any bytes as training/state.json, and as the three safetensors files beside it, 0xff
 * between them; a file that is empty stays as a run of llama-tiny wrote it.  The law:
 * what is taken are numbers, and no more policies than there is room for.
 */
#include "fuzz.h"
#include "train/state.h"

#include <math.h>
#include <sys/stat.h>

static const char *const names[] = {
    "training/state.json", "training/exp_avg.safetensors",
    "training/exp_avg_sq.safetensors", "training/head.safetensors"};

static struct train *tiny(void)
{
    static struct kern *k;
    static struct model *m;
    static struct train *t;
    static const struct train_opts o = {
        .algo = {.kind = ALGO_PPO}, .rows = 16, .epochs = 1};

    if (!t && (kern_new(&k, NULL, NULL, NULL) < 0 ||
               model_open(&m, "tests/golden/llama-tiny", k, MODEL_COMPUTE, NULL) < 0 ||
               train_new(&t, m, &o, NULL) < 0))
        abort();
    return t;
}

/* DIR/good/training: what train_state_write writes; DIR/training: links to it. */
static void begin(const struct train *t)
{
    static int done;
    struct checkpoint c = {0};
    char path[128];

    if (done)
        return;
    snprintf(path, sizeof path, "%s/good", fuzz_dir());
    if (checkpoint_begin(&c, path, CHECKPOINT_NEW, NULL) < 0 ||
        train_state_write(t, &(struct train_cursor){0}, &c, NULL) < 0 ||
        checkpoint_commit(&c, NULL) < 0)
        abort();
    checkpoint_abort(&c);
    snprintf(path, sizeof path, "%s/training", fuzz_dir());
    if (mkdir(path, 0700) < 0)
        abort();
    done = 1;
}

static void put(size_t i, const unsigned char *data, size_t n)
{
    char good[128], path[128];

    snprintf(good, sizeof good, "%s/good/%s", fuzz_dir(), names[i]);
    snprintf(path, sizeof path, "%s/%s", fuzz_dir(), names[i]);
    unlink(path);
    if (n)
        fuzz_file(names[i], data, n);
    else if (symlink(good, path) < 0)
        abort();
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct train *t = tiny();
    struct train_cursor c = {0};
    struct err e = {0};

    begin(t);
    for (size_t i = 0; i < 4; i++) {
        size_t n;
        const unsigned char *part = fuzz_part(&data, &size, &n);

        put(i, part, n);
    }
    if (fuzz_said(train_state_read(t, &c, fuzz_dir(), &e), &e) >= 0) {
        fuzz_law(isfinite(t->kl.beta) && isfinite(t->baseline.sum));
        fuzz_law(c.npolicies <= TRAIN_POLICIES);
    }
    return 0;
}
