#include "schema.h"

#include "rec/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_MAX = 4096, NAME_MAX_BYTES = 512 };

void schema_release(struct schema *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->row[i].kind);
        free(s->row[i].field);
    }
    free(s->row);
    *s = (struct schema){0};
}

/* What a cell of the table calls a type. */
static const char *type_name(struct rec_value v)
{
    static const char *const names[] = {
        [REC_NONE] = "none",   [REC_NIL] = "null",  [REC_BOOL] = "bool",
        [REC_INT] = "int",     [REC_F32] = "float", [REC_F64] = "float",
        [REC_STR] = "str",     [REC_BIN] = "bin",   [REC_EXT] = "ext",
        [REC_ARRAY] = "array", [REC_MAP] = "map"};

    return rec_value_is_tensor(v) ? "tensor" : names[rec_value_type(v)];
}

/* Elements, or bytes of text and bin; 0 where there are no parts. */
static size_t parts(struct rec_value v)
{
    struct rec_tensor t;
    struct rec_str s;
    const unsigned char *p;
    size_t n;

    if (rec_value_is_tensor(v))
        return rec_value_tensor(&t, v, NULL) == 0 ? t.count : 0;
    if (rec_value_str(&s, v) == 0)
        return s.n;
    if (rec_value_bin(&p, &n, v) == 0)
        return n;
    return rec_value_count(v);
}

static struct schema_row *find(const struct schema *s, struct rec_str kind,
                               const char *field, const char *type)
{
    for (size_t i = 0; i < s->n; i++) {
        struct schema_row *row = &s->row[i];

        if (row->type == type && strcmp(row->field, field) == 0 &&
            rec_str_is(kind, row->kind))
            return row;
    }
    return NULL;
}

static int new_row(struct schema *s, struct schema_row **out, struct rec_str kind,
                   const char *field, const char *type, struct err *e)
{
    if (s->n == ROWS_MAX)
        return err_set(e, ERR_RECORD, "--schema: more than %d different fields",
                       ROWS_MAX);
    if (s->n == s->cap) {
        const size_t cap = s->cap ? 2 * s->cap : 64;
        struct schema_row *p = realloc(s->row, cap * sizeof *p);

        if (!p)
            return err_set(e, ERR_NOMEM, "no memory for the schema");
        s->row = p;
        s->cap = cap;
    }
    *out = &s->row[s->n++];
    **out = (struct schema_row){.kind = rec_str_copy(kind),
                                .field = strdup(field),
                                .type = type,
                                .least = SIZE_MAX};
    return (*out)->kind && (*out)->field
               ? 0
               : err_set(e, ERR_NOMEM, "no memory for the schema");
}

static int count(struct schema *s, struct rec_str kind, const char *field,
                 struct rec_value v, struct err *e)
{
    const char *type = type_name(v);
    struct schema_row *row = find(s, kind, field, type);
    const size_t n = parts(v);
    const int rc = row ? 0 : new_row(s, &row, kind, field, type, e);

    if (rc < 0)
        return rc;
    row->records++;
    row->least = n < row->least ? n : row->least;
    row->most = n > row->most ? n : row->most;
    return 0;
}

int schema_add(struct schema *s, const struct rec *r, struct err *e)
{
    const struct rec_str kind = rec_kind(r);
    char path[NAME_MAX_BYTES];
    struct rec_iter it;
    struct rec_value k, x;
    struct rec_str key;
    int rc = 0;

    for (size_t i = 0; i < r->nfields && rc == 0; i++) {
        size_t n;
        const char *name = rec_field_key(r, i, &n);
        const struct rec_value v = rec_field_value(r, i);

        snprintf(path, sizeof path, "%.*s", (int)n, name);
        const size_t at = strlen(path);
        rc = count(s, kind, path, v, e);
        if (rec_value_type(v) != REC_MAP || rec_value_is_tensor(v))
            continue;
        for (rec_iter_start(&it, v); rc == 0 && rec_iter_next(&it, &k, &x);) {
            if (rec_value_str(&key, k) < 0)
                continue;
            snprintf(path + at, sizeof path - at, ".%.*s", (int)key.n, key.s);
            rc = count(s, kind, path, x, e);
        }
    }
    return rc;
}

/* A name may hold anything: what would break the table is shown as a question mark. */
static void put_name(struct rec_buf *out, const char *s)
{
    for (; *s; s++) {
        const char c = (unsigned char)*s < ' ' || *s == 0x7f ? '?' : *s;

        rec_buf_add(out, &c, 1);
    }
}

void schema_print(const struct schema *s, struct rec_buf *out)
{
    rec_buf_str(out, "kind\tfield\ttype\trecords\tparts\n");
    for (size_t i = 0; i < s->n; i++) {
        const struct schema_row *row = &s->row[i];

        put_name(out, row->kind);
        rec_buf_str(out, "\t");
        put_name(out, row->field);
        rec_buf_printf(out, "\t%s\t%zu\t", row->type, row->records);
        if (row->most > row->least)
            rec_buf_printf(out, "%zu..%zu", row->least, row->most);
        else if (row->most)
            rec_buf_printf(out, "%zu", row->most);
        rec_buf_str(out, "\n");
    }
}
