#include "update.h"

#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- where a run starts ------------------------------------------------------------------ */

static int has_state(const char *dir)
{
    char *path = file_join(dir, "training/state.json");
    const int there = path && file_exists(path);

    free(path);
    return there;
}

/* The newest version of a published directory that is whole. */
static int newest_state(char **path, const char *dir, struct err *e)
{
    size_t version;
    int rc = checkpoint_current(&version, NULL, dir, e);

    *path = NULL;
    if (rc <= 0)
        return rc;
    for (size_t v = version + 1; v-- > 0;) {
        char name[32];
        snprintf(name, sizeof name, "v%06zu", v);
        char *at = file_join(dir, name);
        if (!at)
            return err_set(e, ERR_NOMEM, "%s: no memory", dir);
        if (has_state(at)) {
            *path = at;
            return 1;
        }
        free(at);
    }
    return 0;
}

static int start_at(char **path, const char *from, struct err *e)
{
    *path = strdup(from);
    return *path ? 0 : err_set(e, ERR_NOMEM, "no memory");
}

int output_start(char **path, const struct opts *o, struct err *e)
{
    int rc;

    *path = NULL;
    if (o->resume) {
        if (has_state(o->resume))
            return start_at(path, o->resume, e);
        if ((rc = newest_state(path, o->resume, e)) == 0)
            rc = err_set(e, ERR_FILE, "%s: no training/ in it to resume from",
                         o->resume);
        return rc < 0 ? rc : 0;
    }
    if (o->publish && !cli_given(&o->common, "model") &&
        (rc = checkpoint_current(NULL, path, o->publish, e)) != 0)
        return rc < 0 ? rc : 0;
    return start_at(path, o->common.model, e);
}

/* ---- writing ----------------------------------------------------------------------------- */

/* Everything below a checkpoint that has begun; whole: with training/. */
static int fill(struct output *out, struct source *s, const struct checkpoint *c,
                int whole, struct err *e)
{
    struct train *t = out->t;
    const int adapter = t->m->adapter != NULL;
    int rc = adapter ? adapter_write(t->m, c, e) : model_write(t->m, c, NULL, e);

    if (rc >= 0 && !adapter) /* its tokenizer is the base's */
        rc = tok_save(t->m->dir ? t->m->dir : t->m->path, c, e); /* 0 if it has none */
    if (rc >= 0 && algo_get(t->o.algo.kind)->flags & ALGO_SCORE) {
        char *path = checkpoint_join(c, "score.safetensors", e);
        rc = path ? train_head_write(t, path, e) : ERR_NOMEM;
        free(path);
    }
    if (rc >= 0 && whole)
        rc = train_state_write(t, &s->cursor, c, e);
    return rc;
}

static int may_replace(const struct output *out)
{
    const struct opts *o = out->o;

    return out->wrote || o->common.force || (o->resume && !strcmp(o->resume, o->out));
}

static int save(struct output *out, struct source *s, struct err *e)
{
    struct checkpoint c = {0};
    int rc;

    if ((rc = model_rehash(out->t->m, e)) >= 0 &&
        (rc = checkpoint_begin(&c, out->o->out,
                               may_replace(out) ? CHECKPOINT_REPLACE : CHECKPOINT_NEW,
                               e)) >= 0)
        rc = fill(out, s, &c, 1, e);
    if (rc >= 0)
        rc = checkpoint_commit(&c, e);
    checkpoint_abort(&c);
    if (rc >= 0) {
        out->saved = out->t->iterations;
        out->wrote = 1;
    }
    return rc;
}

/* The version that was just published has the tokenizer's files too, and stays; the one
 * that the run started from may be pruned, and those of a GGUF file would be made anew each
 * time. */
static int move_files(struct output *out, struct err *e)
{
    struct model *m = out->t->m;
    char *path = NULL;

    if (m->adapter)
        return 0;
    const int rc = checkpoint_current(NULL, &path, out->o->publish, e);
    if (rc > 0) {
        free(m->dir);
        m->dir = path;
    }
    return rc < 0 ? rc : 0;
}

/* Makes the weights as they are version `version`. */
static int publish(struct output *out, struct source *s, size_t version, int whole,
                   struct err *e)
{
    struct checkpoint c = {0};
    int rc;

    if ((rc = model_rehash(out->t->m, e)) < 0)
        return rc;
    /* before the state is written: a run resumed from it takes this version's samples */
    source_accept(s, out->t->m->hash);
    s->cursor.versions = version;
    if ((rc = checkpoint_version_begin(&c, out->o->publish, version, e)) >= 0 &&
        (rc = fill(out, s, &c, whole, e)) >= 0)
        rc = checkpoint_version_commit(&c, e);
    checkpoint_abort(&c);
    if (rc < 0)
        return rc;
    out->version = version;
    out->published_at = out->t->iterations;
    if (whole)
        out->saved = out->t->iterations;
    return move_files(out, e);
}

/* Behind what is said: the sampler goes on while old versions are removed.  What is removed is written
 * over by the next version, if there is one. */
static int prune(const struct output *out, int last, struct err *e)
{
    const int spare = !last && !out->t->m->adapter;

    return checkpoint_prune(out->o->publish, out->o->keep, 2, spare ? MODEL_FILE : NULL,
                            e);
}

/* ---- in time ------------------------------------------------------------------------------ */

static int say(struct output *out, const struct source *s, int done, struct err *e)
{
    return publisher_say(&out->publisher, s->cursor.batches, out->version, done, e);
}

int output_begin(struct output *out, const struct opts *o, struct err *e)
{
    struct checkpoint c = {0};
    int rc;

    out->o = o;
    if (o->out && file_exists(o->out) && !may_replace(out))
        return err_set(e, ERR_USAGE, "%s: exists; -f replaces it", o->out);
    if (o->out && (rc = checkpoint_begin(&c, o->out, CHECKPOINT_REPLACE, e)) < 0)
        return rc;
    checkpoint_abort(&c);
    return o->publish ? publisher_begin(&out->publisher, o->publish, e) : 0;
}

void output_end(struct output *out)
{
    publisher_end(&out->publisher);
}

int output_first(struct output *out, struct source *s, const char *start, struct err *e)
{
    char *current = NULL;
    int rc, news;

    out->saved = out->published_at = out->t->iterations;
    s->cursor.batches = 0;
    if (!out->o->publish)
        return 0;
    if ((rc = checkpoint_current(&out->version, &current, out->o->publish, e)) < 0)
        return rc;
    /* ours goes on top of another that is current */
    news = rc == 0 || strcmp(current, start);
    if (news)
        rc = publish(out, s, rc == 0 ? 0 : out->version + 1, 0, e);
    free(current);
    if (rc >= 0)
        rc = say(out, s, 0, e);
    return rc >= 0 && news ? prune(out, 0, e) : rc;
}

static int save_is_due(const struct output *out)
{
    return out->o->save_every && out->t->iterations - out->saved >= out->o->save_every;
}

/* Publishes if there is something new; whole if it is due or asked for. */
static int publish_news(struct output *out, struct source *s, int last, struct err *e)
{
    const int stale = out->t->iterations != out->published_at;
    const int unsaved = out->t->iterations != out->saved;

    if (stale || (last && unsaved))
        return publish(out, s, out->version + 1, last || save_is_due(out), e);
    return 0;
}

int output_step(struct output *out, struct source *s, int last, struct err *e)
{
    int rc = 0;

    if (out->o->publish && (last || !out->marked)) {
        rc = publish_news(out, s, last, e);
        if (rc >= 0 && last)
            rc = say(out, s, 1, e);
        if (rc >= 0)
            rc = prune(out, last, e);
    }
    if (rc >= 0 && out->o->out && (last || save_is_due(out)))
        rc = save(out, s, e);
    return rc;
}

int output_mark(struct output *out, struct source *s, struct err *e)
{
    int rc;

    out->marked = 1;
    s->cursor.batches++;
    if (!out->o->publish)
        return 0;
    if ((rc = publish_news(out, s, 0, e)) >= 0)
        rc = say(out, s, 0, e);
    return rc < 0 ? rc : prune(out, 0, e);
}
