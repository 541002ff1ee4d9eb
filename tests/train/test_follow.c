/* The protocol between a publishing update and a following sampler, in two processes. */
#include "train/follow.h"

#include "base/file.h"
#include "io/checkpoint.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char *scratch_dir(char *out)
{
    strcpy(out, "/tmp/cagsr-follow-XXXXXX");
    cr_assert_not_null(mkdtemp(out));
    return out;
}

static void clean(const char *dir)
{
    char cmd[4200];

    snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
    cr_expect_eq(system(cmd), 0);
}

static int version(const char *dir, size_t v, struct err *e)
{
    struct checkpoint c = {0};
    int rc;

    if ((rc = checkpoint_version_begin(&c, dir, v, e)) >= 0 &&
        (rc = checkpoint_file(&c, "x", "x", 1, e)) >= 0)
        rc = checkpoint_version_commit(&c, e);
    checkpoint_abort(&c);
    return rc;
}

/* The publisher: says what it is told by bytes in the pipe: 'v' version and batch, 'd'
 * done; ends without a word at the end of the pipe. */
static void publisher(const char *dir, int from)
{
    struct publisher p;
    struct err e = {0};
    char c;
    size_t v = 0;

    usleep(20000); /* the sampler may be there first */
    if (publisher_begin(&p, dir, &e) < 0 || version(dir, 0, &e) < 0 ||
        publisher_say(&p, 0, 0, 0, &e) < 0)
        _exit(1);
    while (read(from, &c, 1) == 1) {
        if (c == 'v')
            v++;
        if (c == 'v' && version(dir, v, &e) < 0)
            _exit(2);
        if (publisher_say(&p, v, v, c == 'd', &e) < 0)
            _exit(3);
    }
    _exit(0);
}

struct pair {
    char dir[4096];
    int to;
    pid_t pid;
};

static void start(struct pair *p)
{
    int fd[2];

    scratch_dir(p->dir);
    cr_assert_eq(pipe(fd), 0);
    p->pid = fork();
    if (p->pid == 0) {
        close(fd[1]);
        publisher(p->dir, fd[0]);
    }
    close(fd[0]);
    p->to = fd[1];
}

static void tell(const struct pair *p, const char *what)
{
    cr_assert_eq(write(p->to, what, 1), 1);
}

static void stop(struct pair *p)
{
    close(p->to);
    waitpid(p->pid, NULL, 0);
}

Test(follow, waits_batch_by_batch, .timeout = 20)
{
    struct pair p;
    const struct follow f = {p.dir, 0, -1};
    struct err e = {0};
    size_t v;
    char *path;

    start(&p);
    for (size_t b = 0; b < 4; b++) {
        cr_assert_eq(follow_wait(&f, b, &v, &path, &e), 1, "%s", e.text);
        cr_expect_eq(v, b);
        cr_expect(file_exists(path));
        free(path);
        tell(&p, "v");
    }
    tell(&p, "d");
    cr_expect_eq(follow_wait(&f, 9, &v, &path, &e), 0, "done is a clean end");
    stop(&p);
    cr_expect_eq(follow_wait(&f, 9, &v, &path, &e), 0, "and stays one");
    clean(p.dir);
}

Test(follow, lag_lets_it_run_ahead, .timeout = 20)
{
    struct pair p;
    const struct follow f = {p.dir, 2, -1};
    struct err e = {0};
    size_t v;

    start(&p);
    for (size_t b = 0; b < 3; b++) {
        char *path;
        cr_assert_eq(follow_wait(&f, b, &v, &path, &e), 1, "%s", e.text);
        cr_expect_eq(v, 0);
        free(path);
    }
    stop(&p);
    clean(p.dir);
}

Test(follow, a_publisher_that_dies_is_seen, .timeout = 20)
{
    struct pair p;
    const struct follow f = {p.dir, 0, -1};
    struct err e = {0};
    size_t v;
    char *path;

    start(&p);
    cr_assert_eq(follow_wait(&f, 0, &v, &path, &e), 1, "%s", e.text);
    free(path);
    kill(p.pid, SIGKILL);
    cr_expect_eq(follow_wait(&f, 1, &v, &path, &e), ERR_IO);
    cr_expect(strstr(e.text, "died") != NULL, "%s", e.text);
    stop(&p);
    clean(p.dir);
}

/* What the publisher of an earlier run said is not taken for the new one's. */
Test(follow, an_old_word_is_not_believed, .timeout = 20)
{
    struct pair p;
    struct publisher old;
    struct err e = {0};
    struct follow f = {NULL, 0, -1};
    char dir[4096];
    size_t v;
    char *path;

    scratch_dir(dir);
    cr_assert_eq(publisher_begin(&old, dir, &e), 0);
    cr_assert_eq(publisher_begin(&(struct publisher){0}, dir, &e), ERR_USAGE,
                 "two publishers");
    cr_assert_eq(version(dir, 5, &e), 0);
    cr_assert_eq(publisher_say(&old, 50, 5, 1, &e), 0);
    publisher_end(&old);
    cr_assert_eq(publisher_begin(&old, dir, &e), 0, "%s", e.text);
    cr_expect_not(file_exists("progress.json"));
    p.pid = fork();
    if (p.pid == 0) {
        usleep(50000);
        if (publisher_say(&old, 0, 5, 0, &e) < 0)
            _exit(1);
        usleep(500000);
        _exit(0);
    }
    f.dir = dir;
    cr_assert_eq(follow_wait(&f, 0, &v, &path, &e), 1, "%s", e.text);
    free(path);
    waitpid(p.pid, NULL, 0);
    publisher_end(&old);
    clean(dir);
}

Test(follow, nobody_reads_any_more, .timeout = 20)
{
    struct publisher p;
    struct err e = {0};
    char dir[4096];
    int fd[2];
    size_t v;
    char *path;

    scratch_dir(dir);
    cr_assert_eq(publisher_begin(&p, dir, &e), 0);
    cr_assert_eq(pipe(fd), 0);
    close(fd[0]);
    const struct follow f = {dir, 0, fd[1]};
    cr_expect_eq(follow_wait(&f, 0, &v, &path, &e), ERR_IO);
    publisher_end(&p);
    clean(dir);
}
