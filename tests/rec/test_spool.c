/* A spooled stream reads back as it came: records, headers, and the chain of programs. */
#include "../support/files.h"
#include "rec/spool.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct rec_pg first = {"maker", "1", "maker"},
                           last = {"filter", "2", "filter"};

static void ok(int rc, const struct err *e)
{
    cr_assert(rc >= 0, "%s", e->text);
}

/* Three records in a file, made by `first`. */
static void make(const char *path)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    struct rec_writer *w = NULL;
    struct rec r = {0};
    struct err e = {0};

    ok(rec_writer_new(&w, fd, NULL, &first, NULL, &e), &e);
    for (uint64_t i = 0; i < 3; i++) {
        rec_clear(&r);
        rec_set_str(&r, "kind", "sample");
        rec_set_uint(&r, "cand", i);
        ok(rec_writer_put(w, &r, &e), &e);
    }
    ok(rec_writer_end(w, 0, &e), &e);
    rec_writer_free(w);
    rec_release(&r);
    close(fd);
}

/* in -> path, by `last`. */
static void pass(struct rec_reader *in, const char *path)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    struct rec_writer *w = NULL;
    struct rec *r;
    struct err e = {0};
    int rc;

    ok(rec_writer_new(&w, fd, in, &last, NULL, &e), &e);
    while ((rc = rec_reader_next(in, &r, &e)) > 0)
        ok(rec_writer_put(w, r, &e), &e);
    ok(rec_writer_end(w, rc, &e), &e);
    rec_writer_free(w);
    close(fd);
}

Test(spool, same_bytes_as_without)
{
    char *dir = scratch_make();
    const char *in = path_in(dir, "in"), *direct = path_in(dir, "direct"),
               *spooled = path_in(dir, "spooled");
    struct rec_reader *rd = NULL, *again = NULL;
    struct rec_spool s = {.fd = -1};
    struct rec *r;
    struct err e = {0};
    size_t n[2];
    int rc;

    make(in);
    ok(rec_reader_new(&rd, &in, 1, NULL, &e), &e);
    pass(rd, direct);
    rec_reader_free(rd);
    ok(rec_reader_new(&rd, &in, 1, NULL, &e), &e);
    ok(rec_spool_open(&s, rd, NULL, &e), &e);
    while ((rc = rec_reader_next(rd, &r, &e)) > 0)
        ok(rec_spool_put(&s, r, &e), &e);
    ok(rc, &e);
    ok(rec_spool_read(&again, &s, NULL, &e), &e);
    pass(again, spooled);
    rec_reader_free(again);
    rec_reader_free(rd);
    rec_spool_close(&s);
    char *a = file_slurp(direct, &n[0]), *b = file_slurp(spooled, &n[1]);
    cr_expect(n[0] == n[1] && memcmp(a, b, n[0]) == 0);
    free(a);
    free(b);
    scratch_remove(dir);
}

Test(spool, nowhere_to_write)
{
    struct rec_spool s;
    struct err e = {0};

    setenv("TMPDIR", "/nonexistent", 1);
    cr_expect_eq(rec_spool_open(&s, NULL, NULL, &e), ERR_IO);
    cr_expect(strstr(e.text, "/nonexistent") != NULL, "%s", e.text);
    rec_spool_close(&s);
}
