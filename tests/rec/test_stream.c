/* Streams: whole ones pass, every cut is seen, sums and counts are held to. */
#include "rec/stream.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const struct rec_pg pg = {
    .name = "test", .version = "0", .command_line = "test -x"};

/* A file of n bytes in memory, named so that a reader can open it. */
static int memory(char name[32], const void *p, size_t n)
{
    const int fd = memfd_create("stream", 0);

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, p, n), (ssize_t)n);
    lseek(fd, 0, SEEK_SET);
    snprintf(name, 32, "/proc/self/fd/%d", fd);
    return fd;
}

static size_t slurp(int fd, unsigned char **p)
{
    const off_t n = lseek(fd, 0, SEEK_END);

    *p = malloc((size_t)n + 1);
    cr_assert_eq(pread(fd, *p, (size_t)n, 0), n);
    return (size_t)n;
}

/* `n` records in prompts of `each` candidates, as a stream. */
static size_t make(unsigned char **bytes, size_t n, size_t each, int rc)
{
    char name[32], id[32];
    const int fd = memory(name, "", 0);
    struct rec_writer *w;
    struct rec r = {0};
    struct err e = {.text = "it broke"};

    cr_assert_eq(rec_writer_new(&w, fd, NULL, &pg, NULL, &e), 0);
    for (size_t i = 0; i < n; i++) {
        snprintf(id, sizeof id, "p%zu", i / each);
        rec_clear(&r);
        rec_set_str(&r, "kind", "sample");
        rec_set_str(&r, "id", id);
        rec_set_uint(&r, "cand", i % each);
        rec_set_i32s(&r, "ids", (int32_t[]){1, 200, 70000}, 3);
        rec_set_f32s(&r, "logp", (float[]){-1, -2, -0.5f}, 3);
        cr_assert_eq(rec_writer_put(w, &r, &e), 0, "%s", e.text);
    }
    cr_assert_eq(rec_writer_end(w, rc, &e), rc, "%s", e.text);
    rec_writer_free(w);
    rec_release(&r);
    const size_t size = slurp(fd, bytes);
    close(fd);
    return size;
}

/* Reads all; the reader's last answer, the records counted. */
static int drain(const void *p, size_t n, const struct rec_limits *limits,
                 size_t *count, struct err *e)
{
    char name[32];
    const int fd = memory(name, p, n);
    const char *files[] = {name};
    struct rec_reader *rd;
    struct rec *r;
    int rc = rec_reader_new(&rd, files, 1, limits, e);

    cr_assert_eq(rc, 0, "%s", e->text);
    while ((rc = rec_reader_next(rd, &r, e)) > 0)
        ;
    *count = rec_reader_count(rd);
    cr_assert_eq(rec_reader_next(rd, &r, e), rc); /* the answer stays */
    rec_reader_free(rd);
    close(fd);
    return rc;
}

Test(stream, whole)
{
    unsigned char *p;
    struct err e = {0};
    size_t count;

    for (size_t n = 0; n < 4; n++) {
        const size_t size = make(&p, n, 2, 0);
        cr_expect_eq(drain(p, size, NULL, &count, &e), 0, "%s", e.text);
        cr_expect_eq(count, n);
        free(p);
    }
}

/* Law: a prefix of a stream is never taken for a stream. */
Test(stream, every_prefix_is_cut)
{
    unsigned char *p;
    const size_t size = make(&p, 3, 2, 0);
    size_t count;

    for (size_t n = 0; n < size; n++) {
        struct err e = {0};
        cr_expect_eq(drain(p, n, NULL, &count, &e), ERR_TRUNC, "%zu of %zu bytes: %s",
                     n, size, e.text);
        cr_expect_eq(
            drain(p, n, &(struct rec_limits){.allow_truncated = 1}, &count, &e), 0,
            "%zu of %zu bytes: %s", n, size, e.text);
    }
    free(p);
}

/* Law: a byte of a record that is changed is found, by its form or by the sum. */
Test(stream, every_changed_byte_is_found)
{
    unsigned char *p;
    const size_t size = make(&p, 3, 2, 0);
    size_t count, header;
    struct rec r = {0};

    for (header = 1; rec_parse(&r, p, header, NULL) < 0; header++)
        ;
    rec_release(&r);
    /* Behind the header, up to the end record's status. */
    for (size_t i = header; i < size - 10; i++)
        for (int bit = 0; bit < 8; bit++) {
            struct err e = {0};
            p[i] ^= (unsigned char)(1u << bit);
            const int rc = drain(p, size, NULL, &count, &e);
            /* The names and spaces in the end record itself carry no sum: a field that
             * is called otherwise is one we do not know. */
            const int in_end = i > size - 70;
            cr_expect(rc < 0 || in_end, "byte %zu bit %d: %d %s", i, bit, rc, e.text);
            p[i] ^= (unsigned char)(1u << bit);
        }
    free(p);
}

Test(stream, failure_is_told)
{
    unsigned char *p;
    size_t count, size = make(&p, 2, 2, ERR_NUMERIC);
    struct err e = {0};

    cr_expect_eq(drain(p, size, NULL, &count, &e), ERR_TRUNC);
    cr_expect(strstr(e.text, "status is 'error': test: it broke"), "%s", e.text);
    cr_expect_eq(count, 2);
    free(p);
    size = make(&p, 2, 2, ERR_TRUNC);
    cr_expect_eq(drain(p, size, NULL, &count, &e), ERR_TRUNC);
    cr_expect(strstr(e.text, "'truncated'"), "%s", e.text);
    free(p);
}

Test(stream, concatenated)
{
    unsigned char *a, *b;
    const size_t na = make(&a, 3, 2, 0), nb = make(&b, 5, 2, 0);
    unsigned char *both = malloc(na + nb);
    struct err e = {0};
    size_t count;

    memcpy(both, a, na);
    memcpy(both + na, b, nb);
    cr_expect_eq(drain(both, na + nb, NULL, &count, &e), 0, "%s", e.text);
    cr_expect_eq(count, 8);
    /* The first without its end: the second's header gives it away. */
    memcpy(both + na - 1, b, nb);
    cr_expect_lt(drain(both, na - 1 + nb, NULL, &count, &e), 0);
    free(a);
    free(b);
    free(both);
}

/* A stream through a filter: headers are continued, twice if there are two. */
static size_t filter(unsigned char **out, const void *p, size_t n)
{
    char name[32], oname[32];
    const int fd = memory(name, p, n), ofd = memory(oname, "", 0);
    const char *files[] = {name};
    struct rec_reader *rd;
    struct rec_writer *w;
    struct rec *r;
    struct err e = {0};
    int rc = rec_reader_new(&rd, files, 1, NULL, &e);

    cr_assert_eq(rc, 0);
    cr_assert_eq(rec_writer_new(&w, ofd, rd, &pg, NULL, &e), 0);
    while ((rc = rec_reader_next(rd, &r, &e)) > 0)
        cr_assert_eq(rec_writer_put(w, r, &e), 0, "%s", e.text);
    cr_assert_eq(rec_writer_end(w, rc, &e), 0, "%s", e.text);
    rec_writer_free(w);
    rec_reader_free(rd);
    const size_t size = slurp(ofd, out);
    close(fd);
    close(ofd);
    return size;
}

static size_t occurrences(const unsigned char *p, size_t n, const char *what)
{
    size_t k = 0;

    for (const unsigned char *q = p;
         (q = memmem(q, n - (size_t)(q - p), what, strlen(what))); q++)
        k++;
    return k;
}

Test(stream, chain_of_programs_grows)
{
    unsigned char *a, *b, *c;
    const size_t na = make(&a, 3, 2, 0), nb = filter(&b, a, na), nc = filter(&c, b, nb);
    struct err e = {0};
    size_t count;

    cr_expect_eq(drain(c, nc, NULL, &count, &e), 0, "%s", e.text);
    cr_expect_eq(count, 3);
    cr_expect_eq(occurrences(c, nc, "test.2"), 1);
    cr_expect_eq(occurrences(c, nc, "test.3"), 1);
    cr_expect_eq(occurrences(c, nc, "header"), 1);
    free(a);
    free(b);
    free(c);
}

Test(stream, two_headers_stay_two)
{
    unsigned char *a, *b, *both, *out;
    const size_t na = make(&a, 3, 2, 0), nb = filter(&b, a, na);
    struct err e = {0};
    size_t count;

    both = malloc(na + nb);
    memcpy(both, a, na);
    memcpy(both + na, b, nb);
    const size_t n = filter(&out, both, na + nb);
    cr_expect_eq(occurrences(out, n, "header"), 2);
    cr_expect_eq(drain(out, n, NULL, &count, &e), 0, "%s", e.text);
    cr_expect_eq(count, 6);
    free(a);
    free(b);
    free(both);
    free(out);
}

Test(stream, groups)
{
    unsigned char *p;
    const size_t size = make(&p, 7, 3, 0), want[] = {3, 3, 1};
    char name[32];
    const int fd = memory(name, p, size - 3); /* cut in the end record */
    const char *files[] = {name};
    struct rec_reader *rd;
    struct rec_group g = {0};
    struct err e = {0};

    cr_assert_eq(rec_reader_new(&rd, files, 1, NULL, &e), 0);
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(rec_group_next(&g, rd, &e), 1, "%s", e.text);
        cr_expect_eq(g.n, want[i]);
        cr_expect_eq(g.other, 0);
        for (size_t c = 0; c < g.n; c++) {
            uint64_t cand;
            cr_assert_eq(rec_get_uint(&g.rec[c], "cand", &cand, &e), 0);
            cr_expect_eq(cand, c);
            cr_expect_eq(g.rec[c].number, 3 * i + c + 1);
        }
    }
    cr_expect_eq(rec_group_next(&g, rd, &e), ERR_TRUNC); /* all groups came first */
    rec_group_release(&g);
    rec_reader_free(rd);
    close(fd);
    free(p);
}

/* Lengths that lie: an answer at once, and no memory for them. */
Test(stream, hostile_lengths)
{
    static const struct {
        const char *bytes;
        size_t n;
    } bad[] = {
        {"\xdf\xff\xff\xff\xff", 5},
        {"\x81\xa1"
         "a\xdd\xff\xff\xff\xff",
         8},
        {"\x81\xdb\xff\xff\xff\xff", 6},
        {"\x81\xa1"
         "a\xc9\xff\xff\xff\xff\x01",
         9},
        {"\x93\x01\x02\x03", 4},
        {"\xc1", 1},
    };
    size_t count;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err e = {0};
        cr_expect_eq(drain(bad[i].bytes, bad[i].n, NULL, &count, &e), ERR_RECORD,
                     "%zu: %s", i, e.text);
    }
}

Test(stream, limit)
{
    unsigned char *p, big[3000] = "\x81\xa1"
                                  "a\xc5\x0b\xb2"; /* {"a": 2994 bytes} */
    size_t count;
    struct err e = {0};
    const size_t size = make(&p, 2, 2, 0);

    cr_expect_eq(drain(big, 3000, &(struct rec_limits){.max_record = 2999}, &count, &e),
                 ERR_RECORD);
    cr_expect_eq(drain(big, 3000, &(struct rec_limits){.max_record = 3000}, &count, &e),
                 ERR_TRUNC, "%s", e.text);
    cr_expect_eq(drain(p, size, &(struct rec_limits){.max_record = 16}, &count, &e),
                 ERR_RECORD);
    free(p);
}

/* A record comes out as soon as its last byte is in, however small the pieces. */
Test(stream, byte_by_byte)
{
    unsigned char *p;
    const size_t size = make(&p, 3, 2, 0);
    int fds[2];
    struct rec_reader *rd;
    struct rec *r;
    struct err e = {0};
    size_t n = 0;

    cr_assert_eq(pipe(fds), 0);
    cr_assert_eq(dup2(fds[0], 0), 0);
    cr_assert_eq(rec_reader_new(&rd, NULL, 0, NULL, &e), 0);
    if (fork() == 0) {
        for (size_t i = 0; i < size; i++)
            if (write(fds[1], p + i, 1) != 1)
                _exit(1);
        _exit(0);
    }
    close(fds[1]);
    while (rec_reader_next(rd, &r, &e) > 0)
        n++;
    cr_expect_eq(n, 3, "%s", e.text);
    cr_expect_eq(e.code, 0, "%s", e.text);
    rec_reader_free(rd);
    free(p);
}

Test(stream, answers_before_the_end)
{
    unsigned char *p;
    const size_t size = make(&p, 1, 1, 0);
    int fds[2];
    struct rec_reader *rd;
    struct rec *r;
    struct err e = {0};
    size_t end;
    struct rec probe = {0};

    /* All but the end record; the pipe stays open, so that waiting for more would hang.
     */
    for (end = size - 1; rec_parse(&probe, p + end, size - end, NULL) < 0; end--)
        ;
    rec_release(&probe);
    cr_assert_eq(pipe(fds), 0);
    cr_assert_eq(dup2(fds[0], 0), 0);
    cr_assert_eq(write(fds[1], p, end), (ssize_t)end);
    cr_assert_eq(rec_reader_new(&rd, NULL, 0, NULL, &e), 0);
    alarm(10);
    cr_expect_eq(rec_reader_next(rd, &r, &e), 1, "%s", e.text);
    rec_reader_free(rd);
    free(p);
}

Test(stream, lines)
{
    static const char text[] = "{\"prompt\":\"a\"}\n\n  {\"prompt\":\"b\",\"n\":2}";
    size_t count;
    struct err e = {0};

    cr_expect_eq(drain(text, sizeof text - 1, NULL, &count, &e), 0, "%s", e.text);
    cr_expect_eq(count, 2);
    cr_expect_eq(drain(text, sizeof text - 3, NULL, &count, &e), ERR_TRUNC, "%s",
                 e.text);
    cr_expect_eq(count, 1);
    cr_expect_eq(drain("{\"a\":1,}\n", 9, NULL, &count, &e), ERR_RECORD);
    cr_expect_eq(drain("", 0, NULL, &count, &e), ERR_TRUNC);
    cr_expect_eq(drain("", 0, &(struct rec_limits){.lines = 1}, &count, &e), 0);
    /* With a header, lines promise an end too. */
    static const char head[] = "{\"kind\":\"header\",\"cagsr\":1}\n{\"kind\":\"x\"}\n";
    cr_expect_eq(drain(head, sizeof head - 1, NULL, &count, &e), ERR_TRUNC);
}

Test(stream, unknown_version)
{
    static const char head[] = "{\"kind\":\"header\",\"cagsr\":2}\n";
    size_t count;
    struct err e = {0};

    cr_expect_eq(drain(head, sizeof head - 1, NULL, &count, &e), ERR_FILE);
}

Test(stream, full_disk)
{
    const int fd = open("/dev/full", O_WRONLY);
    struct rec_writer *w;
    struct rec r = {0};
    struct err e = {0};

    cr_assert_geq(fd, 0);
    cr_assert_eq(rec_writer_new(&w, fd, NULL, &pg, NULL, &e), 0);
    rec_set_str(&r, "kind", "sample");
    cr_assert_eq(rec_writer_put(w, &r, &e), 0);
    cr_expect_eq(rec_writer_end(w, 0, &e), ERR_IO);
    cr_expect(strstr(e.text, "No space left"), "%s", e.text);
    rec_writer_free(w);
    rec_release(&r);
    close(fd);
}

Test(stream, writer_keeps_the_limit)
{
    const int fd = open("/dev/null", O_WRONLY);
    struct rec_writer *w;
    struct rec r = {0};
    struct err e = {0};

    cr_assert_eq(
        rec_writer_new(&w, fd, NULL, &pg, &(struct rec_limits){.max_record = 1024}, &e),
        0);
    rec_set_bin(&r, "data", (char[1024]){0}, 1024);
    cr_expect_eq(rec_writer_put(w, &r, &e), ERR_RECORD);
    rec_writer_free(w);
    rec_release(&r);
    close(fd);
}
