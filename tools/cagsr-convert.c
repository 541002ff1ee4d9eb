/*
 * cagsr-convert: a model from one form on disk to another, a tensor at a time.
 */
#include "base/file.h"
#include "base/par.h"
#include "cli/cli.h"
#include "io/peft.h"
#include "kern/kern.h"
#include "model/adapter.h"
#include "tok/tok.h"

#include <string.h>

struct opts {
    struct cli_common common;
    int dtype; /* of dtypes */
    size_t shard;
    int no_tokenizer;
    int gguf;
    int type; /* of types */
    int merge;
    const char *adapter;
};

static const char *const dtype_words[] = {"own", "f32", "f16", "bf16", NULL};
static const enum dtype dtypes[] = {DTYPE_F32, DTYPE_F32, DTYPE_F16, DTYPE_BF16};
enum { OWN };

static const char *const type_words[] = {"f32", "f16", "bf16", "q8_0", "q4_0", NULL};
static const enum quant_type types[] = {QUANT_F32, QUANT_F16, QUANT_BF16, QUANT_Q8_0,
                                        QUANT_Q4_0};
enum { TYPE_F32, TYPE_F16 };

static const struct cli_option options[] = {
    {"dtype", 0, CLI_CHOICE, offsetof(struct opts, dtype), "TYPE",
     "type of the values: f32, f16, bf16, or own, the narrowest without loss (own)",
     .choices = dtype_words},
    {"max-shard-size", 0, CLI_SIZE, offsetof(struct opts, shard), "BYTES",
     "bytes of tensors in one file (5G)", .lo = 1, .hi = 1e15},
    {"no-tokenizer", 0, CLI_FLAG, offsetof(struct opts, no_tokenizer), NULL,
     "only the model: leave its tokenizer where it is"},
    {"gguf", 0, CLI_FLAG, offsetof(struct opts, gguf), NULL,
     "write one GGUF file instead of a directory"},
    {"type", 0, CLI_CHOICE, offsetof(struct opts, type), "TYPE",
     "with --gguf: type of its matrices: f32, f16, bf16, q8_0, q4_0 (f16; of an "
     "adapter f32)",
     .choices = type_words},
    {"merge", 0, CLI_FLAG, offsetof(struct opts, merge), NULL,
     "merge a LoRA adapter into its model"},
    {"adapter", 0, CLI_STRING, offsetof(struct opts, adapter), "DIR",
     "the LoRA adapter, if the operand is its model: a PEFT directory or a GGUF file"},
    {0},
};

static const struct cli_tool tool = {
    .name = "cagsr-convert",
    .synopsis = "[-f] [--no-tokenizer] [--dtype TYPE] [--max-shard-size BYTES] | "
                "[--gguf [--type TYPE]] [--merge] [--adapter DIR] -o output model",
    .summary = "Converts a model between Hugging Face directories and GGUF files.",
    .common = CLI_OUTPUT | CLI_THREADS | CLI_FORCE,
    .options = options,
    .max_files = 1,
};

/* ---- to a Hugging Face directory ---------------------------------------------------- */

/* 1 if what is written is the adapter alone. */
static int is_apart(const struct opts *o, const struct model *m)
{
    return m->adapter && !o->merge;
}

static int fill(const struct opts *o, const struct model *m, const struct checkpoint *c,
                struct err *e)
{
    struct model_save_opts save = {dtypes[o->dtype], o->shard};
    int rc;

    if (is_apart(o, m))
        return adapter_write(m, c, e);
    rc = o->dtype == OWN ? model_own_dtype(&save.dtype, m, e) : 0;
    if (rc < 0 || (rc = model_write(m, c, &save, e)) < 0)
        return rc;
    if (!o->no_tokenizer && (rc = tok_save(m->text, c, e)) == 0)
        cli_note(&tool, &o->common, "%s: brings no tokenizer, none is written",
                 m->path);
    return rc;
}

static int to_directory(const struct opts *o, const struct model *m, struct err *e)
{
    const enum checkpoint_mode mode =
        o->common.force ? CHECKPOINT_REPLACE : CHECKPOINT_NEW;
    struct checkpoint c = {0};
    int rc = checkpoint_begin(&c, o->common.output, mode, e);

    if (rc >= 0 && (rc = fill(o, m, &c, e)) >= 0)
        rc = checkpoint_commit(&c, e);
    checkpoint_abort(&c);
    return rc;
}

/* ---- to GGUF -------------------------------------------------------------------------- */

static int gather(const struct opts *o, const struct model *m, struct gguf_meta *meta,
                  struct err *e)
{
    const size_t context = arch_gguf_context(&m->arch);
    int rc = model_gguf_meta(m, types[o->type], meta, e);

    if (rc < 0 || !m->dir) /* a GGUF's metadata brings its tokenizer */
        return rc;
    if (m->arch.position != POS_RELATIVE && context < m->arch.context)
        cli_note(
            &tool, &o->common,
            "%s: GGUF's %s has no sliding window: its context ends where the window "
            "does, at %zu",
            m->path, arch_gguf_name(&m->arch), context);
    if (o->no_tokenizer) {
        tok_none_to_gguf(meta, m->arch.bos, m->arch.stop, m->arch.stops);
        return 0;
    }
    if ((rc = tok_to_gguf(m->path, m->arch.V, meta, e)) == 0)
        cli_note(&tool, &o->common, "%s: brings no tokenizer, none is written",
                 m->path);
    if (rc == 2)
        cli_note(&tool, &o->common,
                 "%s: GGUF puts a blank before every stretch of text, this tokenizer "
                 "before the first word only",
                 m->path);
    return rc;
}

static int put(const struct opts *o, const struct model *m,
               const struct gguf_meta *meta, struct cli_output *out, struct err *e)
{
    const char *where = out->path ? out->path : "standard output";
    const int type = cli_given(&o->common, "type") ? o->type : TYPE_F32;

    if (is_apart(o, m))
        return adapter_write_gguf(m, types[type], out->fd, where, e);
    return model_write_gguf(m, types[o->type], meta, out->fd, where, e);
}

static int to_gguf(const struct opts *o, const struct model *m, struct err *e)
{
    struct gguf_meta meta = {0};
    struct cli_output out = {.fd = -1};
    int rc = is_apart(o, m) ? 0 : gather(o, m, &meta, e);

    if (rc >= 0 && (rc = cli_output_open(&out, &o->common, e)) >= 0)
        rc = put(o, m, &meta, &out, e);
    rc = cli_output_close(&out, rc, e);
    gguf_meta_release(&meta);
    return rc;
}

/* ---- the command line ---------------------------------------------------------------- */

static int check_adapter(const struct opts *o, struct err *e)
{
    const struct cli_common *c = &o->common;
    const int is_adapter = peft_is_adapter(c->files[0]);

    if (is_adapter && !o->merge && !o->gguf)
        return err_set(e, ERR_USAGE,
                       "%s: an adapter; --merge makes one model of it and its base, "
                       "--gguf a GGUF file of it alone",
                       c->files[0]);
    if (o->merge && !o->adapter && !is_adapter)
        return err_set(e, ERR_USAGE, "%s: has no adapter to merge", c->files[0]);
    if (o->adapter && !o->merge &&
        (cli_given(c, "dtype") || cli_given(c, "max-shard-size")))
        return err_set(e, ERR_USAGE,
                       "--dtype and --max-shard-size are for models; an adapter is one "
                       "file in float32");
    return 0;
}

static int check(const struct opts *o, struct err *e)
{
    const struct cli_common *c = &o->common;
    int rc;

    if (c->nfiles == 0 || strcmp(c->files[0], "-") == 0)
        return err_set(e, ERR_USAGE, "which model? a directory or a .gguf file");
    if (!c->output)
        return err_set(e, ERR_USAGE, "-o says what to write");
    const int is_pipe = o->gguf && strcmp(c->output, "-") == 0;
    if (o->gguf && (cli_given(c, "dtype") || cli_given(c, "max-shard-size")))
        return err_set(e, ERR_USAGE,
                       "--dtype and --max-shard-size are for directories; --gguf has "
                       "--type and writes one file");
    if (!o->gguf && cli_given(c, "type"))
        return err_set(e, ERR_USAGE, "--type is for --gguf; directories have --dtype");
    if ((rc = check_adapter(o, e)) < 0)
        return rc;
    if (!c->force && !is_pipe && file_exists(c->output))
        return err_set(e, ERR_USAGE, "%s: exists; -f replaces it", c->output);
    return 0;
}

static int convert(const struct opts *o, struct kern *kern, struct err *e)
{
    struct model *m;
    int rc = model_open_with(&m, o->common.files[0], o->adapter, kern, MODEL_READ, e);

    if (rc >= 0)
        rc = o->gguf ? to_gguf(o, m, e) : to_directory(o, m, e);
    model_close(m);
    return rc;
}

int main(int argc, char **argv)
{
    struct opts o = {.shard = (size_t)5 << 30, .type = TYPE_F16};
    struct par *par = NULL;
    struct kern *kern = NULL;
    struct err e = {0};
    int rc;

    cli_parse(&tool, &o, argc, argv);
    rc = check(&o, &e);
    if (rc >= 0)
        rc = par_new(&par, o.common.threads, &e);
    if (rc >= 0)
        rc = kern_new(&kern, par, NULL, &e);
    if (rc >= 0)
        rc = convert(&o, kern, &e);
    kern_free(kern);
    par_free(par);
    return cli_finish(&tool, &o.common, rc, &e);
}
