/*
 * What survives a power cut: everything below a directory is synced before it gets its
 * name, and the name is synced behind it.  The calls of fsync and rename are written down
 * here, in the library's place, and done.
 */
#include "io/checkpoint.h"

#include "../support/files.h"
#include "base/file.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CALLS = 64, NAMES = 4096 };

struct call {
    int sync; /* else a rename */
    char path[NAMES];
};
static struct call calls[CALLS];
static size_t ncalls;

static struct call *new_call(int sync)
{
    cr_assert_lt(ncalls, (size_t)CALLS);
    calls[ncalls].sync = sync;
    return &calls[ncalls++];
}

int fsync(int fd)
{
    struct call *c = new_call(1);
    char link[64];

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t n = readlink(link, c->path, sizeof c->path - 1);
    c->path[n < 0 ? 0 : n] = '\0';
    return (int)syscall(SYS_fsync, fd);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to,
              unsigned flags)
{
    const int rc = (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);

    if (rc == 0)
        snprintf(new_call(0)->path, NAMES, "%s", to);
    return rc;
}

int rename(const char *from, const char *to)
{
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

/* Where in the log a path whose end is `name` was synced or given that name, from `at`
 * on; ncalls if it was not. */
static size_t find(int sync, const char *name, size_t at)
{
    for (; at < ncalls; at++) {
        const size_t n = strlen(calls[at].path), k = strlen(name);
        if (calls[at].sync == sync && n >= k &&
            strcmp(calls[at].path + n - k, name) == 0)
            break;
    }
    return at;
}

static void expect(size_t before, size_t after, const char *what)
{
    cr_expect(before < after && after < ncalls, "%s: call %zu, then %zu of %zu", what,
              before, after, ncalls);
}

static void fill(const struct checkpoint *c)
{
    struct err e = {0};

    cr_assert_eq(checkpoint_file(c, "a", "x", 1, &e), 0, "%s", e.text);
    cr_assert_eq(checkpoint_file(c, "deep/er/b", "x", 1, &e), 0, "%s", e.text);
}

/* All below a directory, and itself, before call `at`; tmp: the name it had. */
static void expect_whole(const char *tmp, size_t at)
{
    static const char *const names[] = {"/a", "/deep/er/b", "/deep/er", "/deep", ""};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[NAMES];
        snprintf(path, sizeof path, "%s%s", tmp, names[i]);
        expect(find(1, path, 0), at, path);
    }
}

Test(sync, then_the_name_then_the_name_synced)
{
    static const enum checkpoint_mode modes[] = {CHECKPOINT_NEW, CHECKPOINT_REPLACE};
    char *top = scratch_make();

    for (size_t i = 0; i < 2; i++) { /* the second one takes the first one's place */
        struct checkpoint c;
        struct err e = {0};
        cr_assert_eq(checkpoint_begin(&c, path_in(top, "model"), modes[i], &e), 0, "%s",
                     e.text);
        fill(&c);
        char *tmp = strdup(c.dir);
        ncalls = 0;
        cr_assert_eq(checkpoint_commit(&c, &e), 0, "%s", e.text);
        const size_t named = find(0, "/model", 0);
        expect_whole(tmp, named);
        expect(named, find(1, top, named), "the name is synced");
        checkpoint_abort(&c);
        free(tmp);
    }
    scratch_remove(top);
}

Test(sync, a_version_is_there_before_current)
{
    char *top = scratch_make();
    struct checkpoint c;
    struct err e = {0};

    cr_assert_eq(checkpoint_version_begin(&c, top, 3, &e), 0, "%s", e.text);
    fill(&c);
    char *tmp = strdup(c.dir);
    ncalls = 0;
    cr_assert_eq(checkpoint_version_commit(&c, &e), 0, "%s", e.text);
    const size_t version = find(0, "/v000003", 0), current = find(0, "/current", 0);
    expect_whole(tmp, version);
    expect(find(1, top, version), current, "the version's name is synced first");
    expect(current, find(1, top, current), "current is synced");
    checkpoint_abort(&c);
    free(tmp);
    scratch_remove(top);
}

/* A small file that is replaced: progress.json. */
Test(sync, a_file_before_its_name)
{
    char *top = scratch_make();
    struct err e = {0};

    ncalls = 0;
    cr_assert_eq(file_replace(path_in(top, "small"), "x", 1, &e), 0, "%s", e.text);
    const size_t named = find(0, "/small", 0);
    cr_expect(named > 0 && named < ncalls && calls[named - 1].sync, "not synced");
    scratch_remove(top);
}
