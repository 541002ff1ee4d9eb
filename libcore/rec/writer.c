/*
 * Writing streams: header, records, end (see stream.h).
 */
#include "rec/stream.h"

#include "base/file.h"
#include "base/hash.h"
#include "rec/buf.h"
#include "rec/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { BLOCK = 64 << 10, PG_MAX = 4096 };

struct rec_writer {
    int fd;
    const struct rec_reader *in;
    struct rec_pg pg;
    size_t max_record;
    int json, ends; /* JSON lines; with header and end */
    enum rec_json_form form;
    int each;                        /* flush after each record: a reader waits */
    int started;                     /* a header was written */
    int failed;                      /* a write failed: nothing more is tried */
    const struct rec_header *header; /* the open segment continues this one */
    struct rec_buf out;
    size_t hashed; /* out[hashed..] are record bytes not hashed yet */
    struct hasher *hasher;
    size_t in_segment, count;
    struct rec scratch; /* headers and ends are made here */
};

int rec_writer_new(struct rec_writer **out, int fd, const struct rec_reader *in,
                   const struct rec_pg *pg, const struct rec_limits *limits,
                   struct err *e)
{
    struct stat st;
    struct rec_writer *w = calloc(1, sizeof *w);

    *out = NULL;
    if (!w || !(w->hasher = hasher_new())) {
        free(w);
        return err_set(e, ERR_NOMEM, "no memory to write with");
    }
    w->fd = fd;
    w->in = in;
    w->pg = pg ? *pg : (struct rec_pg){0};
    w->max_record = limits && limits->max_record ? limits->max_record : REC_MAX_DEFAULT;
    w->each = fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
    *out = w;
    return 0;
}

void rec_writer_free(struct rec_writer *w)
{
    if (!w)
        return;
    hasher_free(w->hasher);
    rec_buf_release(&w->out);
    rec_release(&w->scratch);
    free(w);
}

void rec_writer_json(struct rec_writer *w, enum rec_json_form form,
                     enum rec_lines lines)
{
    w->json = 1;
    w->form = form;
    w->ends = lines == REC_LINES_ALL;
}

size_t rec_writer_count(const struct rec_writer *w)
{
    return w->count;
}

static void hash_pending(struct rec_writer *w)
{
    if (w->out.n > w->hashed)
        hasher_add(w->hasher, w->out.p + w->hashed, w->out.n - w->hashed);
    w->hashed = w->out.n;
}

int rec_writer_flush(struct rec_writer *w, struct err *e)
{
    if (w->out.oom)
        return err_set(e, ERR_NOMEM, "no memory for what is to be written");
    if (w->out.n == 0)
        return 0;
    hash_pending(w);
    const int rc = file_write_all(w->fd, w->out.p, w->out.n, "output", e);
    w->out.n = w->hashed = 0;
    w->failed |= rc < 0;
    return rc;
}

/* A record of the stream's own: header or end. */
static void put_own(struct rec_writer *w)
{
    if (!w->json)
        rec_append(&w->out, &w->scratch);
    else if (w->ends)
        rec_json_line(&w->out, &w->scratch, w->form);
    w->out.oom |= w->scratch.edit.oom;
}

/* ---- header ---------------------------------------------------------------------- */
/* How many of the chain's members are this program. */
static size_t same_name(struct rec_value chain, const char *name)
{
    struct rec_iter it;
    struct rec_value k, v;
    struct rec_str pn;
    size_t n = 0;

    for (rec_iter_start(&it, chain); rec_iter_next(&it, &k, &v);)
        n += rec_value_str(&pn, rec_value_member(v, "pn")) == 0 && rec_str_is(pn, name);
    return n;
}

static void put_pair(struct rec *r, const char *key, const char *value)
{
    rec_put_str(r, key);
    rec_put_str(r, value);
}

static void put_pg(struct rec *r, const struct rec_pg *pg, size_t same)
{
    char id[128];

    snprintf(id, sizeof id, same ? "%s.%zu" : "%s", pg->name, same + 1);
    rec_put_map(r, 4 + !!pg->model + !!pg->dtype + !!pg->kernel);
    put_pair(r, "id", id);
    put_pair(r, "pn", pg->name);
    put_pair(r, "vn", pg->version);
    put_pair(r, "cl", pg->command_line);
    if (pg->model)
        put_pair(r, "model", pg->model);
    if (pg->dtype)
        put_pair(r, "dtype", pg->dtype);
    if (pg->kernel)
        put_pair(r, "kernel", pg->kernel);
}

static void put_chain(struct rec *h, struct rec_value old, const struct rec_pg *pg)
{
    struct rec_iter it;
    struct rec_value k, v;

    rec_begin(h, "pg");
    rec_put_array(h, rec_value_count(old) + !!pg->name);
    for (rec_iter_start(&it, old); rec_iter_next(&it, &k, &v);)
        rec_put_value(h, v);
    if (pg->name)
        put_pg(h, pg, same_name(old, pg->name));
    rec_end(h);
}

static int make_header(struct rec_writer *w, struct err *e)
{
    struct rec *h = &w->scratch;
    struct rec_value old = {0};
    int rc;

    rec_clear(h);
    if (w->header) {
        if ((rc = rec_copy(h, &w->header->rec, e)) < 0)
            return rc;
        old = rec_find(&w->header->rec, "pg");
    } else {
        rec_set_str(h, "kind", "header");
        rec_set_uint(h, "cagsr", 1);
    }
    if ((old.at && rec_value_type(old) != REC_ARRAY) || rec_value_count(old) > PG_MAX)
        return err_set(e, ERR_RECORD, "the header's 'pg' is not a chain of programs");
    put_chain(h, old, &w->pg);
    return 0;
}

static int start(struct rec_writer *w, const struct rec_header *header, struct err *e)
{
    w->header = header;
    const int rc = make_header(w, e);

    if (rc < 0)
        return rc;
    put_own(w);
    if (w->out.oom)
        return err_set(e, ERR_NOMEM, "no memory for the header");
    hasher_reset(w->hasher);
    w->hashed = w->out.n;
    w->in_segment = 0;
    w->started = 1;
    return 0;
}

/* ---- end ------------------------------------------------------------------------- */
static void put_end(struct rec_writer *w, const char *status, const struct err *why)
{
    struct rec *r = &w->scratch;
    char text[ERR_TEXT + 64];

    hash_pending(w);
    rec_clear(r);
    rec_set_str(r, "kind", "end");
    rec_set_uint(r, "records", w->in_segment);
    if (!w->json)
        rec_set_hash(r, "xxh", hasher_value(w->hasher));
    rec_set_str(r, "status", status);
    if (why && why->text[0]) {
        snprintf(text, sizeof text, "%s%s%s", w->pg.name ? w->pg.name : "",
                 w->pg.name ? ": " : "", why->text);
        rec_set_str(r, "error", text);
    }
    put_own(w);
    w->hashed = w->out.n;
}

/* The header a record belongs under; one without goes with those before it.  One that was
 * read says all there is: the reader may be further on by now. */
static const struct rec_header *header_of(const struct rec_writer *w,
                                          const struct rec *r)
{
    if (r && r->header)
        return r->header;
    if (w->started)
        return w->header;
    if (r && r->number)
        return NULL;
    return w->in ? rec_reader_header(w->in) : NULL;
}

static int append(struct rec_writer *w, const struct rec *r, struct err *e)
{
    const size_t at = w->out.n;

    if (r->edit.oom)
        return rec_fault(r, ERR_NOMEM, e, NULL, "no memory for what was set");
    if (w->json)
        rec_json_line(&w->out, r, w->form);
    else
        rec_append(&w->out, r);
    if (w->out.oom)
        return rec_fault(r, ERR_NOMEM, e, NULL, "no memory to write it");
    const size_t size = w->out.n - at;
    if (size > w->max_record && !w->json) {
        w->out.n = at;
        return rec_fault(r, ERR_RECORD, e, NULL,
                         "%zu bytes are more than --max-record %zu", size,
                         w->max_record);
    }
    w->in_segment++;
    w->count++;
    return 0;
}

int rec_writer_put(struct rec_writer *w, const struct rec *r, struct err *e)
{
    const struct rec_header *header = header_of(w, r);
    int rc = 0;

    if (w->started && header != w->header)
        put_end(w, "ok", NULL);
    if (!w->started || header != w->header)
        rc = start(w, header, e);
    if (rc >= 0)
        rc = append(w, r, e);
    if (rc >= 0 && (w->each || w->out.n >= BLOCK))
        rc = rec_writer_flush(w, e);
    return rc;
}

int rec_writer_end(struct rec_writer *w, int rc, struct err *e)
{
    struct err late = {0};
    int wrote = 0;

    if (!w || w->failed)
        return rc;
    if (w->out.oom) { /* what memory there is goes to the end record */
        rec_buf_clear(&w->out);
        w->hashed = 0;
    }
    if (!w->started)
        wrote = start(w, header_of(w, NULL), &late);
    if (wrote >= 0) {
        put_end(w,
                rc >= 0           ? "ok"
                : rc == ERR_TRUNC ? "truncated"
                                  : "error",
                rc >= 0 ? NULL : e);
        wrote = rec_writer_flush(w, &late);
    }
    if (rc >= 0 && wrote < 0) {
        if (e)
            *e = late;
        return wrote;
    }
    return rc;
}
