/* What a reader answers without waiting, and that asking it changes nothing. */
#include "rec/stream.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Two candidates of a, one of b, a mark, two of c. */
enum { RECORDS = 6, GROUPS = 4 };
static const char *const ids[RECORDS] = {"a", "a", "b", NULL, "c", "c"};
static const size_t group_at[GROUPS + 1] = {0, 2, 3, 4, 6};

/* The records as a stream, or as JSON lines; they end at end[i]. */
struct stream {
    unsigned char bytes[8192];
    size_t size, end[RECORDS];
};

static void make(struct stream *s, int json)
{
    FILE *f = tmpfile();
    struct rec_writer *w;
    struct rec r = {0};
    struct err e = {0};

    cr_assert_eq(rec_writer_new(&w, fileno(f), NULL, NULL, NULL, &e), 0);
    if (json)
        rec_writer_json(w, REC_JSON_EXACT, REC_LINES_RECORDS);
    for (size_t i = 0; i < RECORDS; i++) {
        rec_clear(&r);
        rec_set_str(&r, "kind", ids[i] ? "sample" : "batch");
        if (ids[i])
            rec_set_str(&r, "id", ids[i]);
        rec_set_uint(&r, "cand", i);
        cr_assert_eq(rec_writer_put(w, &r, &e), 0);
        cr_assert_eq(rec_writer_flush(w, &e), 0);
        s->end[i] = (size_t)lseek(fileno(f), 0, SEEK_CUR);
    }
    cr_assert_eq(rec_writer_end(w, 0, &e), 0);
    s->size = (size_t)pread(fileno(f), s->bytes, sizeof s->bytes, 0);
    rec_writer_free(w);
    rec_release(&r);
    fclose(f);
}

/* A reader of standard input, which becomes a pipe; what writes into it. */
static int open_pipe(struct rec_reader **rd)
{
    struct err e = {0};
    int fds[2];

    cr_assert_eq(pipe(fds), 0);
    cr_assert_eq(dup2(fds[0], 0), 0);
    close(fds[0]);
    cr_assert_eq(rec_reader_new(rd, NULL, 0, NULL, &e), 0);
    alarm(20);
    return fds[1];
}

static void send_bytes(int fd, const struct stream *s, size_t from, size_t to)
{
    cr_assert_eq(write(fd, s->bytes + from, to - from), (ssize_t)(to - from));
}

/* Group k comes next, whole. */
static void expect_group(struct rec_group *g, struct rec_reader *rd, size_t k)
{
    struct err e = {0};
    uint64_t cand;

    cr_assert_eq(rec_group_next(g, rd, &e), 1, "%zu: %s", k, e.text);
    cr_expect_eq(g->n, group_at[k + 1] - group_at[k]);
    cr_expect_eq(g->other, ids[group_at[k]] == NULL);
    for (size_t i = 0; i < g->n; i++) {
        cr_assert_eq(rec_get_uint(&g->rec[i], "cand", &cand, &e), 0);
        cr_expect_eq(cand, group_at[k] + i);
        cr_expect_eq(g->rec[i].number, group_at[k] + i + 1);
    }
}

/* Groups known to be whole from the first n bytes: those that a record stands behind; a
 * mark is one itself. */
static size_t whole(const struct stream *s, size_t n)
{
    size_t k = 0;

    while (k < GROUPS - 1 && s->end[group_at[k + 1] - (ids[group_at[k]] == NULL)] <= n)
        k++;
    return k;
}

/* However much of a stream is there, each group that is whole is had, and no more; what was
 * asked for in vain comes when it has come. */
static void every_prefix(int json)
{
    struct stream s;
    struct err e = {0};

    make(&s, json);
    for (size_t n = 0; n <= s.size; n++) {
        struct rec_group g[GROUPS] = {{0}}, last = {0};
        struct rec_reader *rd;
        const int fd = open_pipe(&rd);
        size_t k = 0;

        send_bytes(fd, &s, 0, n);
        for (; k < GROUPS && rec_group_ready(&g[k], rd); k++)
            expect_group(&g[k], rd, k);
        cr_assert_eq(k, whole(&s, n), "%zu bytes: %zu groups", n, k);
        cr_expect_eq(rec_group_ready(&g[k], rd), 0);
        send_bytes(fd, &s, n, s.size);
        close(fd);
        for (; k < GROUPS; k++) {
            cr_expect_eq(rec_group_ready(&g[k], rd), 1);
            expect_group(&g[k], rd, k);
        }
        cr_expect_eq(rec_group_ready(&last, rd), 1);
        cr_expect_eq(rec_group_next(&last, rd, &e), 0, "%s", e.text);
        for (k = 0; k < GROUPS; k++)
            rec_group_release(&g[k]);
        rec_group_release(&last);
        rec_reader_free(rd);
    }
}

Test(ready, every_prefix_of_a_stream)
{
    every_prefix(0);
}

Test(ready, every_prefix_of_lines)
{
    every_prefix(1);
}

/* Files are there, one behind the other; a fifo is not until it is opened, for which it
 * waits for its writer. */
Test(ready, files)
{
    char dir[] = "/tmp/ready.XXXXXX", file[64], fifo[64];
    const char *files[] = {file, file, fifo};
    struct stream s;
    struct rec_group g = {0};
    struct rec_reader *rd;
    struct err e = {0};

    make(&s, 0);
    cr_assert(mkdtemp(dir));
    snprintf(file, sizeof file, "%s/file", dir);
    snprintf(fifo, sizeof fifo, "%s/fifo", dir);
    const int fd = open(file, O_WRONLY | O_CREAT, 0600);
    send_bytes(fd, &s, 0, s.size);
    close(fd);
    cr_assert_eq(mkfifo(fifo, 0600), 0);
    cr_assert_eq(rec_reader_new(&rd, files, 3, NULL, &e), 0, "%s", e.text);
    alarm(20);
    for (size_t i = 0; i < 2 * GROUPS - 1; i++) {
        cr_assert_eq(rec_group_ready(&g, rd), 1, "%zu", i);
        cr_assert_eq(rec_group_next(&g, rd, &e), 1, "%s", e.text);
    }
    cr_expect_eq(rec_group_ready(&g, rd), 0);
    if (fork() == 0) {
        const int out = open(fifo, O_WRONLY);
        _exit(write(out, s.bytes, s.size) != (ssize_t)s.size);
    }
    cr_expect_eq(rec_group_next(&g, rd, &e), 1, "%s", e.text);
    cr_expect_eq(g.n, 2);
    cr_expect_eq(g.rec[1].number, 2 * RECORDS);
    cr_expect_eq(rec_group_next(&g, rd, &e), 1, "%s", e.text);
    cr_expect_eq(g.rec[0].number, 2 * RECORDS + 1);
    rec_group_release(&g);
    rec_reader_free(rd);
    unlink(file);
    unlink(fifo);
    rmdir(dir);
}

/* An error is an answer; it is told by the call that asks for the group, once those before
 * it are out. */
Test(ready, errors)
{
    static const char text[] =
        "{\"kind\":\"sample\",\"id\":\"a\"}\n{\"kind\":\"sample\"}\n",
                      bad[] = "{\"kind\":\"sample\",\"id\":\"a\"}\n{]\n";

    for (int i = 0; i < 2; i++) {
        struct rec_group g = {0};
        struct rec_reader *rd;
        struct err e = {0};
        const int fd = open_pipe(&rd);
        const char *t = i ? bad : text;

        cr_assert_eq(write(fd, t, strlen(t)), (ssize_t)strlen(t));
        cr_expect_eq(rec_group_ready(&g, rd), 1);
        cr_expect_eq(rec_group_next(&g, rd, &e), 1, "%s", e.text);
        cr_expect_eq(g.n, 1);
        cr_expect_eq(rec_group_ready(&g, rd), 1);
        cr_expect_eq(rec_group_next(&g, rd, &e), ERR_RECORD);
        cr_expect(strstr(e.text, "record 2"), "%s", e.text);
        rec_group_release(&g);
        rec_reader_free(rd);
        close(fd);
    }
}

/* Records are written under the header they came under, however far the reader is. */
Test(ready, headers)
{
    static const char line[] = "{\"kind\":\"batch\"}\n";
    struct stream s;
    struct rec_group g[2] = {{0}};
    struct rec_reader *rd;
    struct rec_writer *w;
    struct rec *r;
    struct err e = {0};
    const int fd = open_pipe(&rd);
    FILE *f = tmpfile();
    char out[8192];

    make(&s, 0);
    cr_assert_eq(write(fd, line, strlen(line)), (ssize_t)strlen(line));
    send_bytes(fd, &s, 0, s.size);
    close(fd);
    for (size_t i = 0; i < 2; i++)
        cr_assert_eq(rec_group_next(&g[i], rd, &e), 1, "%s", e.text);
    cr_assert_eq(rec_writer_new(&w, fileno(f), rd, NULL, NULL, &e), 0);
    rec_writer_json(w, REC_JSON_EXACT, REC_LINES_ALL);
    cr_assert_eq(rec_writer_put(w, &g[0].rec[0], &e), 0);
    cr_assert_eq(rec_writer_put(w, &g[1].rec[0], &e), 0);
    cr_assert_eq(rec_writer_end(w, 0, &e), 0);
    out[pread(fileno(f), out, sizeof out - 1, 0)] = 0;
    size_t headers = 0;
    for (const char *p = out; (p = strstr(p, "\"header\"")); p++)
        headers++;
    cr_expect_eq(headers, 2, "%s", out);
    while (rec_reader_next(rd, &r, &e) > 0)
        ;
    rec_writer_free(w);
    rec_group_release(&g[0]);
    rec_group_release(&g[1]);
    rec_reader_free(rd);
    fclose(f);
}
