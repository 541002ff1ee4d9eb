/*
 * cagsr-convert: a model from one form on disk to another, a tensor at a time.
 */
#include "base/file.h"
#include "base/par.h"
#include "cli/cli.h"
#include "kern/kern.h"
#include "model/model.h"
#include "tok/tok.h"

#include <string.h>

struct opts {
    struct cli_common common;
    int dtype; /* of dtypes */
    size_t shard;
    int no_tokenizer;
};

static const char *const dtype_words[] = {"own", "f32", "f16", "bf16", NULL};
static const enum dtype dtypes[] = {DTYPE_F32, DTYPE_F32, DTYPE_F16, DTYPE_BF16};
enum { OWN };

static const struct cli_option options[] = {
    {"dtype", 0, CLI_CHOICE, offsetof(struct opts, dtype), "TYPE",
     "type of the values: f32, f16, bf16, or own, the narrowest without loss (own)",
     .choices = dtype_words},
    {"max-shard-size", 0, CLI_SIZE, offsetof(struct opts, shard), "BYTES",
     "bytes of tensors in one file (5G)", .lo = 1, .hi = 1e15},
    {"no-tokenizer", 0, CLI_FLAG, offsetof(struct opts, no_tokenizer), NULL,
     "only the model: leave its tokenizer where it is"},
    {0},
};

static const struct cli_tool tool = {
    .name = "cagsr-convert",
    .synopsis = "[-f] [--dtype TYPE] [--max-shard-size BYTES] [--no-tokenizer] -o "
                "directory model",
    .summary =
        "Converts a model: GGUF or a Hugging Face directory to such a directory.",
    .common = CLI_OUTPUT | CLI_THREADS | CLI_FORCE,
    .options = options,
    .max_files = 1,
};

/* ---- to a Hugging Face directory ---------------------------------------------------- */

static int fill(const struct opts *o, const struct model *m, const struct checkpoint *c,
                struct err *e)
{
    struct model_save_opts save = {dtypes[o->dtype], o->shard};
    int rc = o->dtype == OWN ? model_own_dtype(&save.dtype, m, e) : 0;

    if (rc < 0 || (rc = model_write(m, c, &save, e)) < 0)
        return rc;
    if (!o->no_tokenizer && (rc = tok_save(m->path, c, e)) == 0)
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

/* ---- the command line ---------------------------------------------------------------- */

static int check(const struct cli_common *c, struct err *e)
{
    if (c->nfiles == 0 || strcmp(c->files[0], "-") == 0)
        return err_set(e, ERR_USAGE, "which model? a directory or a .gguf file");
    if (!c->output)
        return err_set(e, ERR_USAGE, "-o says what to write");
    if (!c->force && file_exists(c->output))
        return err_set(e, ERR_USAGE, "%s: exists; -f replaces it", c->output);
    return 0;
}

static int convert(const struct opts *o, struct kern *kern, struct err *e)
{
    struct model *m;
    int rc = model_open(&m, o->common.files[0], kern, MODEL_READ, e);

    if (rc >= 0)
        rc = to_directory(o, m, e);
    model_close(m);
    return rc;
}

int main(int argc, char **argv)
{
    struct opts o = {.shard = (size_t)5 << 30};
    struct par *par = NULL;
    struct kern *kern = NULL;
    struct err e = {0};
    int rc;

    cli_parse(&tool, &o, argc, argv);
    rc = check(&o.common, &e);
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
