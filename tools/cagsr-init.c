/*
 * cagsr-init: a model of random weights from a config.json, to be trained from nothing.
 */
#include "base/par.h"
#include "cli/cli.h"
#include "kern/kern.h"
#include "model/model.h"

struct opts {
    struct cli_common common;
};

static const struct cli_option options[] = {{0}};

static const struct cli_tool tool = {
    .name = "cagsr-init",
    .synopsis = "[--seed N] -o directory config.json",
    .summary = "Makes a model of random weights from a config.json.",
    .common = CLI_OUTPUT | CLI_THREADS | CLI_SEEDED | CLI_FORCE,
    .options = options,
    .max_files = 1,
};

static int init(const struct opts *o, struct kern *kern, struct err *e)
{
    const struct cli_common *c = &o->common;
    struct model *m = NULL;
    int rc = model_random(&m, c->files[0], c->seed, kern, e);

    if (rc < 0)
        return rc;
    rc = model_save(m, c->output, c->force ? CHECKPOINT_REPLACE : CHECKPOINT_NEW, NULL,
                    e);
    if (rc >= 0)
        cli_note(&tool, c, "%s: %zu parameters", c->output, plan_count(&m->plan));
    model_close(m);
    return rc;
}

int main(int argc, char **argv)
{
    struct opts o = {0};
    struct par *par = NULL;
    struct kern *kern = NULL;
    struct err e = {0};
    int rc = 0;

    cli_parse(&tool, &o, argc, argv);
    if (!o.common.output)
        rc = err_set(&e, ERR_USAGE, "-o says which directory to make");
    else if (strcmp(o.common.files[0], "-") == 0)
        rc = err_set(&e, ERR_USAGE, "a config.json has to be named");
    if (rc >= 0)
        rc = par_new(&par, o.common.threads, &e);
    if (rc >= 0)
        rc = kern_new(&kern, par, NULL, &e);
    if (rc >= 0)
        rc = init(&o, kern, &e);
    kern_free(kern);
    par_free(par);
    return cli_finish(&tool, &o.common, rc, &e);
}
