/*
 * Adapters as GGUF files: written and read again for every way in which modules are stored;
 * ranks that differ; and what is refused.  (What llama.cpp makes of them: cli/llamacpp-lora.)
 */
#include "io/gguf_write.h"
#include "model/adapter.h"

#include "../support/files.h"
#include "../support/golden.h"
#include "../support/gradcheck.h"
#include "../support/machine.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fixture {
    struct machine mc;
    struct model *m;
    char *dir;
};

static void ok(int rc, const struct err *e)
{
    cr_assert_geq(rc, 0, "%s", e->text);
}

static struct fixture begin(const char *name)
{
    struct fixture f = {.dir = scratch_make()};
    struct err e = {0};

    cr_assert(machine_new(&f.mc, 1, NULL));
    ok(model_open(&f.m, golden_file(name), f.mc.k, MODEL_COMPUTE, &e), &e);
    return f;
}

static void end(struct fixture *f)
{
    model_close(f->m);
    machine_free(&f->mc);
    scratch_remove(f->dir);
}

static int create(const char *path)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    cr_assert_geq(fd, 0);
    return fd;
}

static void write_it(const struct model *m, const char *path)
{
    const int fd = create(path);
    struct err e = {0};

    ok(adapter_write_gguf(m, QUANT_F32, fd, path, &e), &e);
    close(fd);
}

/* ---- written and read ----------------------------------------------------------------- */

/* Apart and permuted, transposed, interleaved by head, with biases. */
static const char *const families[] = {"llama-tiny", "gpt2-tiny",   "gptneox-tiny",
                                       "qwen2-tiny", "gemma-tiny",  "olmo2-tiny",
                                       "qwen3-tiny", "mistral-tiny"};

Test(adapter_gguf, there_and_back)
{
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        struct fixture f = begin(families[i]);
        const struct adapter_opts o = {3, 5, "all-linear", 7};
        const char *path = path_in(f.dir, "a.gguf");
        struct err e = {0};

        ok(adapter_new(f.m, &o, &e), &e);
        const struct plan *plan = &f.m->adapter->plan;
        for (size_t k = 0; k < plan->n; k++)
            fill_normal(f.m->adapter->params + plan->param[k].offset,
                        plan->param[k].rows * plan->param[k].cols, 1, k);
        ok(model_rehash(f.m, &e), &e);
        const uint64_t hash = f.m->hash;
        write_it(f.m, path);
        ok(adapter_load(f.m, path, &e), &e);
        cr_expect_eq(f.m->hash, hash, "%s", families[i]);
        end(&f);
    }
}

/* ---- files made here ------------------------------------------------------------------ */

/* An adapter of llama-tiny with two modules.  Strings: NULL or "" where there is none. */
struct file {
    const char *type, *kind, *architecture, *second, *extra;
    size_t rank, other, inputs; /* ranks of the two; inputs of the first */
    double alpha;
    float value;
};
static const struct file good = {.type = "adapter",
                                 .kind = "lora",
                                 .architecture = "llama",
                                 .second = "blk.1.attn_v.weight.lora_b",
                                 .extra = NULL,
                                 .rank = 2,
                                 .other = 4,
                                 .inputs = 40,
                                 .alpha = 6,
                                 .value = .5f};

static void put_word(struct gguf_meta *meta, const char *key, const char *word)
{
    if (word && *word)
        gguf_put_str(meta, key, word, strlen(word));
}

static void make(const char *path, const struct file *d)
{
    const struct gguf_decl decl[] = {
        {"blk.0.attn_q.weight.lora_a", QUANT_F32, 2, {d->rank, d->inputs}},
        {"blk.0.attn_q.weight.lora_b", QUANT_F32, 2, {40, d->rank}},
        {"blk.1.attn_v.weight.lora_a", QUANT_F32, 2, {d->other, 40}},
        {d->second, QUANT_F32, 2, {20, d->other}},
        {d->extra, QUANT_F32, 1, {1}}};
    const size_t n = d->extra ? 5 : 4;
    const int fd = create(path);
    struct gguf_meta meta = {0};
    struct gguf_writer *w;
    struct err e = {0};

    put_word(&meta, "general.type", d->type);
    put_word(&meta, "adapter.type", d->kind);
    put_word(&meta, "general.architecture", d->architecture);
    if (d->alpha != 0)
        gguf_put_f64(&meta, "adapter.lora.alpha", d->alpha);
    ok(gguf_writer_open(&w, fd, path, &meta, decl, n, &e), &e);
    for (size_t t = 0; t < n; t++)
        for (size_t i = 0; i < decl[t].dims[0] * (t == 4 ? 1 : decl[t].dims[1]); i++) {
            const float x = t == 1 && i == 7 ? d->value : (float)i / 64;

            ok(gguf_writer_put(w, &x, 1, &e), &e);
        }
    ok(gguf_writer_close(w, 0, &e), &e);
    gguf_meta_release(&meta);
    close(fd);
}

/* Ranks of their own, with one alpha or none: scales, and the same again through a PEFT
 * directory. */
Test(adapter_gguf, ranks_differ)
{
    for (int none = 0; none < 2; none++) {
        struct fixture f = begin("llama-tiny");
        const char *path = path_in(f.dir, "a.gguf"), *peft = path_in(f.dir, "peft");
        struct file d = good;
        struct checkpoint c = {0};
        struct err e = {0};

        d.alpha = none ? 0 : good.alpha;
        make(path, &d);
        ok(adapter_load(f.m, path, &e), &e);
        const struct adapter *a = f.m->adapter;
        cr_assert_eq(a->parts, 2);
        cr_expect_eq(a->part[0].scale, none ? 1 : 3);
        cr_expect_eq(a->part[1].scale, none ? 1 : 1.5);
        const uint64_t hash = f.m->hash;
        ok(checkpoint_begin(&c, peft, CHECKPOINT_NEW, &e), &e);
        ok(adapter_write(f.m, &c, &e), &e);
        ok(checkpoint_commit(&c, &e), &e);
        checkpoint_abort(&c); /* after a commit: its memory */
        ok(adapter_load(f.m, peft, &e), &e);
        cr_expect_eq(f.m->hash, hash);
        write_it(f.m, path);
        ok(adapter_load(f.m, path, &e), &e);
        cr_expect_eq(f.m->adapter->part[0].scale, none ? 1 : 3);
        end(&f);
    }
}

/* Scales that one alpha does not give are in B: what is added to W stays the same. */
Test(adapter_gguf, scales_are_folded)
{
    struct fixture f = begin("llama-tiny");
    const char *path = path_in(f.dir, "a.gguf");
    struct err e = {0};

    make(path, &good);
    ok(adapter_load(f.m, path, &e), &e);
    struct adapter *a = f.m->adapter;
    const struct adapter_part t = a->part[1];
    a->part[1].scale = 7;
    float *want = floats(t.rows * t.r);
    for (size_t i = 0; i < t.rows * t.r; i++)
        want[i] = 7 * a->params[t.B + i];
    write_it(f.m, path);
    ok(adapter_load(f.m, path, &e), &e);
    a = f.m->adapter;
    cr_expect_eq(a->part[0].scale, 3);
    cr_expect_eq(a->part[1].scale, 1.5);
    for (size_t i = 0; i < t.rows * t.r; i++)
        cr_expect_float_eq(a->part[1].scale * a->params[a->part[1].B + i], want[i],
                           1e-5);
    free(want);
    end(&f);
}

/* The good file but for what `d` says. */
static struct file but(struct file d)
{
    d.type = d.type ? d.type : good.type;
    d.kind = d.kind ? d.kind : good.kind;
    d.architecture = d.architecture ? d.architecture : good.architecture;
    d.second = d.second ? d.second : good.second;
    d.rank = d.rank ? d.rank : good.rank;
    d.other = d.other ? d.other : good.other;
    d.inputs = d.inputs ? d.inputs : good.inputs;
    d.alpha = d.alpha != 0 ? d.alpha : good.alpha;
    d.value = d.value != 0 ? d.value : good.value;
    return d;
}

Test(adapter_gguf, refused)
{
    const struct {
        const char *said;
        struct file d;
    } cases[] = {
        {"'general.type' is 'model', expected 'adapter'", {.type = "model"}},
        {"'general.type' is '', expected 'adapter'", {.type = ""}},
        {"'adapter.type' is 'ia3', expected 'lora'", {.kind = "ia3"}},
        {"'general.architecture' is 'gpt2'", {.architecture = "gpt2"}},
        {"no tensor 'blk.1.attn_v.weight.lora_b'",
         {.second = "blk.1.attn_v.weight.lora_c"}},
        {"'output.weight.lora_a' has no place", {.extra = "output.weight.lora_a"}},
        {"expected 2 x 40 for this model", {.inputs = 39}},
        {"a rank of 1 to 4096 expected", {.rank = 5000}},
        {"not a finite number", {.value = NAN}},
        {"a finite number expected", {.alpha = 1e300}},
    };
    struct fixture f = begin("llama-tiny");
    const char *path = path_in(f.dir, "a.gguf");

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct file d = but(cases[i].d);
        struct err e = {0};

        make(path, &d);
        cr_expect_lt(adapter_load(f.m, path, &e), 0, "%s", cases[i].said);
        cr_expect(strstr(e.text, cases[i].said), "%s: %s", cases[i].said, e.text);
        cr_expect_null(f.m->adapter);
    }
    end(&f);
}

Test(adapter_gguf, cut)
{
    struct fixture f = begin("llama-tiny");
    const char *path = path_in(f.dir, "a.gguf");
    size_t n;

    make(path, &good);
    char *data = file_slurp(path, &n);
    for (size_t k = 0; k < n; k += k < 600 ? 1 : 37) {
        struct err e = {0};

        file_make(path, data, k);
        cr_expect_lt(adapter_load(f.m, path, &e), 0, "%zu of %zu bytes", k, n);
        cr_expect(e.text[0]);
    }
    free(data);
    end(&f);
}
