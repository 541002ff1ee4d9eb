#include "event/event.h"

#include "event/crc32c.h"

#include "../support/files.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the checksum ---------------------------------------------------------------------- */

/* RFC 3720, appendix B.4, and the check value of the CRC catalogue. */
Test(crc32c, published_vectors)
{
    unsigned char b[48] = {0};

    cr_expect_eq(crc32c(0, b, 32), 0x8a9136aau);
    memset(b, 0xff, 32);
    cr_expect_eq(crc32c(0, b, 32), 0x62a8ab43u);
    for (size_t i = 0; i < 32; i++)
        b[i] = (unsigned char)i;
    cr_expect_eq(crc32c(0, b, 32), 0x46dd794eu);
    for (size_t i = 0; i < 32; i++)
        b[i] = (unsigned char)(31 - i);
    cr_expect_eq(crc32c(0, b, 32), 0x113fdb5cu);
    const unsigned char iscsi[48] = {
        0x01,        0xc0,        [16] = 0x14, [22] = 0x04,
        [27] = 0x14, [31] = 0x18, [32] = 0x28, [40] = 0x02};
    cr_expect_eq(crc32c(0, iscsi, 48), 0xd9963a56u, "an iSCSI read command");
    cr_expect_eq(crc32c(0, "123456789", 9), 0xe3069283u);
    cr_expect_eq(crc32c(0, "", 0), 0u);
}

Test(crc32c, pieces_make_the_whole)
{
    unsigned char b[300];

    for (size_t i = 0; i < sizeof b; i++)
        b[i] = (unsigned char)(i * i + 7 * i);
    const uint32_t whole = crc32c(0, b, sizeof b);
    for (size_t cut = 0; cut <= sizeof b; cut++)
        cr_assert_eq(crc32c(crc32c(0, b, cut), b + cut, sizeof b - cut), whole);
}

/* One or two bits that flip in a short message are seen. */
Test(crc32c, flips_are_seen)
{
    unsigned char b[16] = "a short message";
    const uint32_t whole = crc32c(0, b, sizeof b);

    for (size_t i = 0; i < 128; i++) {
        b[i / 8] ^= (unsigned char)(1u << i % 8);
        cr_assert_neq(crc32c(0, b, sizeof b), whole);
        for (size_t j = 0; j < i; j++) {
            b[j / 8] ^= (unsigned char)(1u << j % 8);
            cr_assert_neq(crc32c(0, b, sizeof b), whole);
            b[j / 8] ^= (unsigned char)(1u << j % 8);
        }
        b[i / 8] ^= (unsigned char)(1u << i % 8);
    }
}

/* ---- files ----------------------------------------------------------------------------- */

/* The files of a directory by name, at most 8. */
static size_t list(const char *dir, struct dirent **name[])
{
    const int n = scandir(dir, name, NULL, alphasort);

    cr_assert_geq(n, 2);
    return (size_t)n;
}

static uint64_t little(const unsigned char *p, size_t n)
{
    uint64_t v = 0;

    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

/* The frame at *at; its bytes, n of them. */
static const unsigned char *frame(const unsigned char *p, size_t size, size_t *at,
                                  size_t *n)
{
    cr_assert_leq(*at + 16, size);
    *n = (size_t)little(p + *at, 8);
    cr_assert_eq(little(p + *at + 8, 4), crc32c_masked(p + *at, 8));
    cr_assert_leq(*at + 16 + *n, size);
    const unsigned char *body = p + *at + 12;
    cr_assert_eq(little(body + *n, 4), crc32c_masked(body, *n));
    *at += 16 + *n;
    return body;
}

static char *only_file(const char *dir, size_t *n)
{
    struct dirent **name;
    const size_t names = list(dir, &name);
    char *text;

    cr_assert_eq(names, 3);
    cr_assert_eq(strncmp(name[2]->d_name, "events.out.tfevents.", 20), 0);
    text = file_slurp(path_in(dir, name[2]->d_name), n);
    for (size_t i = 0; i < names; i++)
        free(name[i]);
    free(name);
    return text;
}

/* Behind the clock's nine bytes, which no test knows. */
static void expect(const unsigned char *body, size_t n, const char *want, size_t wants)
{
    cr_assert_eq(n, wants + 9);
    cr_expect_eq(body[0], 0x09);
    cr_expect_eq(memcmp(body + 9, want, wants), 0);
}

#define EXPECT(s) expect(body, n, s, sizeof s - 1)

/* Protobuf's wire format by hand. */
Test(event, bytes)
{
    char *dir = scratch_make();
    struct event_file w;
    struct err e = {0};
    size_t size, at = 0, n;

    cr_assert_eq(event_open(&w, dir, 301, &e), 0, "%s", e.text);
    cr_assert_eq(event_send(&w, 300, &e), 0, "without numbers there is no event");
    cr_assert_eq(event_scalar(&w, "kl", 2, 0.5, &e), 0);
    cr_assert_eq(event_scalar(&w, "a/b", 3, -2, &e), 0);
    cr_assert_eq(event_send(&w, 301, &e), 0);
    cr_assert_eq(event_scalar(&w, "kl", 2, 1, &e), 0);
    cr_assert_eq(event_send(&w, 1, &e), 0);
    char *text = only_file(dir, &size); /* before it is closed */
    const unsigned char *p = (const unsigned char *)text, *body;
    body = frame(p, size, &at, &n);
    EXPECT("\x1a\x0d"
           "brain.Event:2");
    body = frame(p, size, &at, &n);
    EXPECT("\x10\xad\x02\x3a\x02\x08\x01");
    body = frame(p, size, &at, &n);
    EXPECT("\x10\xad\x02\x2a\x17"
           "\x0a\x09\x0a\x02kl\x15\x00\x00\x00\x3f"
           "\x0a\x0a\x0a\x03"
           "a/b\x15\x00\x00\x00\xc0");
    body = frame(p, size, &at, &n);
    EXPECT("\x10\x01\x2a\x0b\x0a\x09\x0a\x02kl\x15\x00\x00\x80\x3f");
    cr_expect_eq(at, size);
    cr_expect_eq(event_close(&w, 0, &e), 0);
    free(text);
    scratch_remove(dir);
}

/* Files of one second sort in the order in which they were made; each is still being written
 * when the next is opened. */
Test(event, names_sort)
{
    char *top = scratch_make(), dir[512];
    char made[5][600];
    struct event_file w[5];
    struct dirent **name;
    struct err e = {0};

    snprintf(dir, sizeof dir, "%s/runs/one", top);
    for (size_t i = 0; i < 5; i++) {
        cr_assert_eq(event_open(&w[i], dir, 1, &e), 0, "%s", e.text);
        snprintf(made[i], sizeof made[i], "%s", strrchr(w[i].path, '/') + 1);
    }
    for (size_t i = 0; i < 5; i++)
        cr_assert_eq(event_close(&w[i], 0, &e), 0);
    cr_assert_eq(list(dir, &name), 7);
    for (size_t i = 0; i < 7; i++) {
        if (i > 1)
            cr_expect_str_eq(name[i]->d_name, made[i - 2]);
        free(name[i]);
    }
    free(name);
    scratch_remove(top);
}

/* One number in a file of the directory; its path. */
static char *write_one(const char *dir, uint64_t step)
{
    struct event_file w;
    struct err e = {0};

    cr_assert_eq(event_open(&w, dir, step, &e), 0, "%s", e.text);
    char *path = strdup(w.path);
    cr_assert_eq(event_scalar(&w, "kl", 2, 1, &e), 0);
    cr_assert_eq(event_send(&w, step, &e), 0);
    cr_assert_eq(event_close(&w, 0, &e), 0);
    return path;
}

/* A second writer goes on in the file: one version, a start of each. */
Test(event, goes_on)
{
    char *dir = scratch_make();
    size_t size, at = 0, n;

    free(write_one(dir, 1));
    free(write_one(dir, 2));
    char *text = only_file(dir, &size);
    const unsigned char *p = (const unsigned char *)text,
                        *body = frame(p, size, &at, &n);
    for (char step = 1; step < 3; step++) {
        const char start[] = {0x10, step, 0x3a, 2, 8, 1};
        const char value[] = {0x10, step, 0x2a, 0x0b, 0x0a, 9,    0x0a, 2,
                              'k',  'l',  0x15, 0,    0,    0x80, 0x3f};

        body = frame(p, size, &at, &n);
        expect(body, n, start, sizeof start);
        body = frame(p, size, &at, &n);
        expect(body, n, value, sizeof value);
    }
    cr_expect_eq(at, size);
    free(text);
    scratch_remove(dir);
}

/* However the last file was cut, and whatever another program's last file is, it stays. */
Test(event, not_ours)
{
    char *dir = scratch_make();
    char *first = write_one(dir, 1), *text;
    size_t size, n;

    text = file_slurp(first, &size);
    for (size_t cut = 0; cut < size; cut++) {
        file_make(first, text, cut);
        char *second = write_one(dir, 2);
        const int same = strcmp(first, second) == 0;

        cr_expect_eq(same, cut == 40 || cut == 40 + 31, "cut behind %zu bytes", cut);
        free(file_slurp(first, &n));
        cr_expect(same || n == cut);
        if (!same)
            unlink(second);
        free(second);
    }
    file_make(path_in(dir, "events.out.tfevents.9999999990.host.1.0"), text, size);
    char *other = write_one(dir, 3);
    cr_expect_not_null(strstr(other, ".9999999991."), "%s", other);
    free(other);
    free(first);
    free(text);
    scratch_remove(dir);
}

Test(event, faults)
{
    char *dir = scratch_make();
    struct event_file w;
    struct err e = {0};

    file_make(path_in(dir, "file"), "x", 1);
    cr_expect_eq(event_open(&w, path_in(dir, "file"), 1, &e), ERR_FILE);
    cr_expect_str_eq(strrchr(e.text, '/'), "/file: not a directory");
    cr_expect_eq(event_close(&w, ERR_FILE, &e), ERR_FILE);
    cr_expect_eq(event_open(&w, path_in(dir, "file/in"), 1, &e), ERR_IO);
    cr_expect_eq(event_close(&w, ERR_IO, &e), ERR_IO);
    scratch_remove(dir);
}
