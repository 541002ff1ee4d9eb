/*
 * --plugin FILE.so[,OPTIONS]: components from shared objects (reward/plugin.h).
 */
#include "run.h"

#include "reward/plugin.h"

#include <dlfcn.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct plugin {
    char *path;
    void *handle;
    int ready; /* init succeeded */
    const char *(*about)(void);
    const char *(*usage)(void);
    int (*init)(int, const char *, const char *const **, char *, size_t);
    int (*process)(const struct cagsr_plugin_sample *, double *, char *, size_t);
    void (*destroy)(void);
    size_t first, n; /* its terms */
};

struct plugins {
    struct plugin *plugin;
    size_t n;
};

/* POSIX gives functions as void *; copying the bits is the way it asks for. */
static int find(void *to, struct plugin *p, const char *name, struct err *e)
{
    void *f = dlsym(p->handle, name);

    if (!f)
        return err_set(e, ERR_FILE, "--plugin %s: has no function '%s'", p->path, name);
    memcpy(to, &f, sizeof f);
    return 0;
}

static int load(struct plugin *p, struct err *e)
{
    int rc;

    /* Without a slash dlopen would search the system's libraries. */
    char *path = NULL;
    if (!strchr(p->path, '/')) {
        const size_t n = strlen(p->path) + 3;

        path = malloc(n);
        if (!path)
            return err_set(e, ERR_NOMEM, "--plugin %s: no memory", p->path);
        snprintf(path, n, "./%s", p->path);
    }
    p->handle = dlopen(path ? path : p->path, RTLD_NOW | RTLD_LOCAL);
    free(path);
    if (!p->handle)
        return err_set(e, ERR_FILE, "--plugin: %s", dlerror());
    if ((rc = find(&p->about, p, "about", e)) < 0 ||
        (rc = find(&p->usage, p, "usage", e)) < 0 ||
        (rc = find(&p->init, p, "init", e)) < 0 ||
        (rc = find(&p->process, p, "process", e)) < 0 ||
        (rc = find(&p->destroy, p, "destroy", e)) < 0)
        return rc;
    return 0;
}

static int begin(struct plugin *p, const char *options, struct terms *t, struct err *e)
{
    const char *const *names = NULL;
    char why[256] = "it does not say why";

    if (strcmp(options, "help") == 0)
        return err_set(e, ERR_USAGE, "--plugin %s: %s; %s", p->path, p->about(),
                       p->usage());
    const int n = p->init(CAGSR_PLUGIN_API, options, &names, why, sizeof why);
    why[sizeof why - 1] = 0;
    if (n < 1 || !names)
        return err_set(e, ERR_FILE, "--plugin %s: %s (usage: %s)", p->path, why,
                       p->usage());
    p->ready = 1;
    p->first = t->n;
    p->n = (size_t)n;
    for (size_t i = 0; i < p->n; i++) {
        if (!names[i] || !names[i][0] ||
            terms_find(t, names[i], strlen(names[i])) != SIZE_MAX)
            return err_set(e, ERR_FILE,
                           "--plugin %s: component %zu '%s' has no name or one that is "
                           "taken",
                           p->path, i, names[i] ? names[i] : "");
        const int rc = terms_add(t, names[i], FROM_PLUGIN, 1, e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int plugins_open(struct plugins **out, const struct cli_list *specs, struct terms *t,
                 struct err *e)
{
    struct plugins *all = calloc(1, sizeof *all);
    int rc = 0;

    *out = all;
    if (!all || !(all->plugin = calloc(specs->n + 1, sizeof *all->plugin)))
        return err_set(e, ERR_NOMEM, "no memory for plug-ins");
    for (size_t i = 0; i < specs->n && rc >= 0; i++) {
        const char *spec = specs->item[i], *comma = strchr(spec, ',');
        struct plugin *p = &all->plugin[all->n++];

        p->path = strndup(spec, comma ? (size_t)(comma - spec) : strlen(spec));
        if (!p->path)
            return err_set(e, ERR_NOMEM, "no memory for plug-ins");
        if ((rc = load(p, e)) >= 0)
            rc = begin(p, comma ? comma + 1 : "", t, e);
    }
    return rc;
}

static struct cagsr_plugin_sample view(const struct run *r, float *rows)
{
    const struct sample *s = &r->sample;

    return (struct cagsr_plugin_sample){
        .size = sizeof(struct cagsr_plugin_sample),
        .id = s->id.s,
        .id_len = s->id.n,
        .cand = s->cand,
        .n = s->n,
        .prompt = s->has & SAMPLE_PROMPT ? s->prompt.s : NULL,
        .prompt_len = s->prompt.n,
        .text = s->has & SAMPLE_TEXT ? s->text.s : NULL,
        .text_len = s->text.n,
        .prompt_ids = s->prompt_ids,
        .P = s->P,
        .ids = s->ids,
        .T = s->T,
        .attn = rows,
        .support = r->prompt.support,
        .logp = s->has & SAMPLE_LOGP ? s->logp : NULL,
        .ref = s->has & SAMPLE_REF ? s->ref : NULL,
        .ended = measure_whole(s).ended,
    };
}

int plugins_process(struct plugins *all, const struct run *r, double *value,
                    struct err *e)
{
    const size_t n = r->sample.T * r->sample.P;
    float *rows = NULL;
    int rc = 0;

    if (all->n && (r->sample.has & SAMPLE_ATTN)) {
        rows = malloc((n + 1) * sizeof *rows);
        if (!rows)
            return err_set(e, ERR_NOMEM, "no memory for %zu numbers", n);
        for (size_t i = 0; i < n; i++)
            rows[i] = (float)r->m.A[i];
    }
    const struct cagsr_plugin_sample s = view(r, rows);
    for (size_t i = 0; i < all->n && rc >= 0; i++) {
        struct plugin *p = &all->plugin[i];
        char why[256] = "it does not say why";

        for (size_t k = 0; k < p->n; k++)
            value[p->first + k] = (double)NAN;
        const int got = p->process(&s, value + p->first, why, sizeof why);
        why[sizeof why - 1] = 0;
        if (got < 0)
            rc = rec_fault(r->sample.rec, ERR_NUMERIC, e, NULL, "plug-in %s: %s",
                           p->path, why);
        for (size_t k = 0; k < p->n && rc >= 0; k++)
            if (isinf(value[p->first + k]))
                rc = rec_fault(r->sample.rec, ERR_NUMERIC, e, NULL,
                               "plug-in %s: '%s' is infinite", p->path,
                               r->terms.term[p->first + k].name);
    }
    free(rows);
    return rc;
}

void plugins_close(struct plugins *all)
{
    if (!all)
        return;
    for (size_t i = 0; i < all->n; i++) {
        struct plugin *p = &all->plugin[i];

        if (p->ready)
            p->destroy();
        if (p->handle)
            dlclose(p->handle);
        free(p->path);
    }
    free(all->plugin);
    free(all);
}
