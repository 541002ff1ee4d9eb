/* Directories appear whole or not at all, whatever happens in between. */
#include "io/checkpoint.h"

#include "../support/files.h"
#include "base/file.h"
#include "io/tree.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int count_one(void *ctx, const char *name, struct err *e)
{
    (void)name;
    (void)e;
    ++*(size_t *)ctx;
    return 0;
}

/* A child that dies with us, whatever happens to the test. */
static pid_t spawn(void)
{
    const pid_t pid = fork();

    if (pid == 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    return pid;
}

/* Names in a directory. */
static size_t count(const char *dir)
{
    size_t n = 0;

    cr_assert_eq(tree_list(dir, count_one, &n, NULL), 0);
    return n;
}

static void write_state(const char *path, enum checkpoint_mode mode, const char *text)
{
    struct checkpoint c;
    struct err e = {0};

    cr_assert_eq(checkpoint_begin(&c, path, mode, &e), 0, "%s", e.text);
    cr_assert_eq(checkpoint_file(&c, "a", text, strlen(text), &e), 0, "%s", e.text);
    cr_assert_eq(checkpoint_file(&c, "deep/er/b", text, strlen(text), &e), 0, "%s",
                 e.text);
    cr_assert_eq(checkpoint_commit(&c, &e), 0, "%s", e.text);
    checkpoint_abort(&c);
    checkpoint_abort(&c);
}

static int holds(const char *path, const char *text)
{
    size_t n;
    char *a = file_slurp(path_in(path, "a"), &n);
    char *b = file_slurp(path_in(path, "deep/er/b"), &n);
    const int same = strcmp(a, text) == 0 && strcmp(b, text) == 0;

    free(a);
    free(b);
    return same;
}

Test(checkpoint, appears_only_at_commit)
{
    char *dir = scratch_make();
    const char *path = path_in(dir, "model");
    struct checkpoint c;
    struct err e = {0};

    cr_assert_eq(checkpoint_begin(&c, path, CHECKPOINT_NEW, &e), 0, "%s", e.text);
    cr_assert_eq(checkpoint_file(&c, "a", "x", 1, &e), 0);
    cr_expect_not(file_exists(path));
    checkpoint_abort(&c);
    cr_expect_eq(count(dir), 0, "an aborted one leaves nothing");
    write_state(path, CHECKPOINT_NEW, "one");
    cr_expect(holds(path, "one"));
    cr_expect_eq(count(dir), 1);
    scratch_remove(dir);
}

Test(checkpoint, never_replaces_unless_told)
{
    char *dir = scratch_make();
    const char *path = path_in(dir, "model");
    struct checkpoint c, d;
    struct err e = {0};

    write_state(path, CHECKPOINT_NEW, "one");
    cr_expect_eq(checkpoint_begin(&c, path, CHECKPOINT_NEW, &e), ERR_USAGE);
    cr_expect(strstr(e.text, "model: exists already"), "%s", e.text);
    write_state(path, CHECKPOINT_REPLACE, "two");
    cr_expect(holds(path, "two"));
    cr_expect_eq(count(dir), 1, "the old state is gone");

    /* It appears between begin and commit. */
    const char *late = path_in(dir, "late");
    cr_assert_eq(checkpoint_begin(&d, late, CHECKPOINT_NEW, &e), 0, "%s", e.text);
    cr_assert_eq(checkpoint_file(&d, "a", "mine", 4, &e), 0);
    mkdir(late, 0777);
    file_make(path_in(late, "yours"), "", 0);
    cr_expect_eq(checkpoint_commit(&d, &e), ERR_USAGE);
    checkpoint_abort(&d);
    cr_expect(file_exists(path_in(late, "yours")));
    cr_expect_eq(count(dir), 2);

    file_make(path_in(dir, "file"), "x", 1);
    cr_expect_eq(checkpoint_begin(&c, path_in(dir, "file"), CHECKPOINT_REPLACE, &e),
                 ERR_USAGE);
    scratch_remove(dir);
}

Test(checkpoint, slashes_and_missing_parents)
{
    char *dir = scratch_make();
    struct checkpoint c;
    struct err e = {0};

    write_state(path_in(dir, "model///"), CHECKPOINT_NEW, "one");
    cr_expect(holds(path_in(dir, "model"), "one"));
    cr_expect_eq(checkpoint_begin(&c, path_in(dir, "no/such"), CHECKPOINT_NEW, &e),
                 ERR_IO);
    checkpoint_abort(&c);
    cr_assert_eq(chdir(dir), 0);
    write_state("plain", CHECKPOINT_NEW, "two");
    cr_expect(holds(path_in(dir, "plain"), "two"));
    cr_assert_eq(chdir("/"), 0);
    scratch_remove(dir);
}

Test(checkpoint, copies_what_is_there)
{
    char *dir = scratch_make();
    struct checkpoint c;
    struct err e = {0};

    write_state(path_in(dir, "old"), CHECKPOINT_NEW, "same");
    cr_assert_eq(checkpoint_begin(&c, path_in(dir, "new"), CHECKPOINT_NEW, &e), 0);
    cr_expect_eq(checkpoint_copy(&c, path_in(dir, "old"), "a", &e), 1);
    cr_expect_eq(checkpoint_copy(&c, path_in(dir, "old"), "deep/er/b", &e), 1);
    cr_expect_eq(checkpoint_copy(&c, path_in(dir, "old"), "absent", &e), 0);
    cr_expect_eq(checkpoint_commit(&c, &e), 0);
    checkpoint_abort(&c);
    cr_expect(holds(path_in(dir, "new"), "same"));
    scratch_remove(dir);
}

/* ---- writers that die ------------------------------------------------------------------ */

/* Waits for one byte, so that the child is known to be where it should be. */
static pid_t writer_that_waits(const char *path, int *ready)
{
    int fd[2];
    pid_t pid;

    cr_assert_eq(pipe(fd), 0);
    if ((pid = spawn()) == 0) {
        struct checkpoint c;
        const int ok = checkpoint_begin(&c, path, CHECKPOINT_REPLACE, NULL) == 0 &&
                       checkpoint_file(&c, "half", "x", 1, NULL) == 0 &&
                       write(fd[1], "!", 1) == 1;
        if (ok)
            pause();
        _exit(1);
    }
    close(fd[1]);
    *ready = fd[0];
    return pid;
}

Test(checkpoint, leftovers_of_the_dead_go_those_of_the_living_stay)
{
    char *dir = scratch_make(), byte;
    const char *path = path_in(dir, "model");
    struct checkpoint c;
    int ready;
    const pid_t pid = writer_that_waits(path, &ready);

    cr_assert_eq(read(ready, &byte, 1), 1);
    close(ready);
    write_state(path, CHECKPOINT_REPLACE, "two");
    cr_expect_eq(count(dir), 2, "the living writer's directory stays");
    kill(pid, SIGKILL);
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
    cr_expect_eq(count(dir), 2, "nobody cleaned yet");
    cr_assert_eq(checkpoint_begin(&c, path, CHECKPOINT_REPLACE, NULL), 0);
    checkpoint_abort(&c);
    cr_expect_eq(count(dir), 1, "the next begin cleans");
    cr_expect(holds(path, "two"));
    scratch_remove(dir);
}

/* A child replaces the directory as fast as it can and is killed at some moment: what
 * stands under the name is whole, always. */
static void replace_for_ever(const char *path)
{
    for (char text[] = "0";; text[0] = (char)('0' + (text[0] - '0' + 1) % 10)) {
        struct checkpoint c;

        if (checkpoint_begin(&c, path, CHECKPOINT_REPLACE, NULL) < 0 ||
            checkpoint_file(&c, "a", text, 1, NULL) < 0 ||
            checkpoint_file(&c, "deep/er/b", text, 1, NULL) < 0 ||
            checkpoint_commit(&c, NULL) < 0)
            _exit(1);
        checkpoint_abort(&c);
    }
}

Test(checkpoint, killed_at_any_moment)
{
    char *dir = scratch_make();
    const char *path = path_in(dir, "model");

    write_state(path, CHECKPOINT_NEW, "0");
    for (int round = 0; round < 60; round++) {
        const pid_t pid = spawn();
        int status;

        if (pid == 0)
            replace_for_ever(path);
        usleep((useconds_t)(500 + round * 137));
        kill(pid, SIGKILL);
        cr_assert_eq(waitpid(pid, &status, 0), pid);
        cr_assert(WIFSIGNALED(status), "the writer failed by itself");
        size_t n;
        char *text = file_slurp(path_in(path, "a"), &n);
        cr_assert(holds(path, text) && n == 1, "half of a state in round %d", round);
        free(text);
    }
    write_state(path, CHECKPOINT_REPLACE, "x");
    cr_expect_eq(count(dir), 1, "all leftovers are gone");
    scratch_remove(dir);
}

/* The disk is full after 100 bytes, by RLIMIT_FSIZE. */
static int fill_disk(const char *path)
{
    const struct rlimit limit = {100, 100};
    static char big[4096];
    struct checkpoint c;
    struct err e = {0};
    int rc;

    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    if (checkpoint_begin(&c, path, CHECKPOINT_REPLACE, &e) < 0)
        return 10;
    rc = checkpoint_file(&c, "a", big, sizeof big, &e);
    checkpoint_abort(&c);
    return rc == ERR_IO && strstr(e.text, "File too large") ? 0 : 11;
}

Test(checkpoint, full_disk)
{
    char *dir = scratch_make();
    const char *path = path_in(dir, "model");
    int status;

    write_state(path, CHECKPOINT_NEW, "old");
    const pid_t pid = spawn();
    if (pid == 0)
        _exit(fill_disk(path));
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
    cr_expect(holds(path, "old"), "the old state stands");
    cr_expect_eq(count(dir), 1);
    scratch_remove(dir);
}

/* ---- versions -------------------------------------------------------------------------- */

static void publish(const char *dir, size_t version, int full)
{
    struct checkpoint c;
    struct err e = {0};

    cr_assert_eq(checkpoint_version_begin(&c, dir, version, &e), 0, "%s", e.text);
    cr_assert_eq(checkpoint_file(&c, "a", "x", 1, &e), 0, "%s", e.text);
    if (full)
        cr_assert_eq(checkpoint_file(&c, "training/state", "x", 1, &e), 0, "%s",
                     e.text);
    cr_assert_eq(checkpoint_version_commit(&c, &e), 0, "%s", e.text);
    checkpoint_abort(&c);
}

Test(versions, current_follows)
{
    char *top = scratch_make(), *path;
    const char *dir = path_in(top, "policy");
    struct checkpoint c;
    struct err e = {0};
    size_t v = 99;

    cr_expect_eq(checkpoint_current(&v, NULL, dir, &e), 0);
    for (size_t i = 9; i < 12; i++) {
        publish(dir, i, 0);
        cr_assert_eq(checkpoint_current(&v, &path, dir, &e), 1, "%s", e.text);
        cr_expect_eq(v, i);
        cr_expect(file_exists(path_in(path, "a")));
        free(path);
    }
    cr_expect(file_exists(path_in(dir, "v000011/a")));
    cr_expect(file_exists(path_in(dir, "current/a")));
    cr_expect_eq(checkpoint_version_begin(&c, dir, 11, &e), ERR_USAGE);
    checkpoint_abort(&c);
    publish(dir, 12345678, 0);
    cr_expect_eq(checkpoint_current(&v, NULL, dir, &e), 1);
    cr_expect_eq(v, 12345678);
    scratch_remove(top);
}

/* Killed between the two renames of a commit: the version is there, current is not on it. */
Test(versions, what_current_never_pointed_at_makes_way)
{
    char *top = scratch_make();
    const char *dir = path_in(top, "policy");
    size_t version = 0;

    publish(dir, 0, 0);
    cr_assert_eq(mkdir(path_in(dir, "v000001"), 0777), 0);
    cr_assert_eq(mkdir(path_in(dir, "v000001/old"), 0777), 0);
    publish(dir, 1, 0);
    cr_expect_eq(checkpoint_current(&version, NULL, dir, NULL), 1);
    cr_expect_eq(version, 1u);
    cr_expect(!file_exists(path_in(dir, "v000001/old")), "the orphan is still there");
    cr_expect_eq(count(dir), 3, "two versions and the link");
    scratch_remove(top);
}

Test(versions, a_link_to_elsewhere_is_an_error)
{
    static const char *const bad[] = {
        "v12",     "/etc",    "v0000012",         "v-00001",
        "v00001x", "w000001", "v000012/../../etc"};
    char *dir = scratch_make();
    struct err e = {0};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_eq(symlink(bad[i], path_in(dir, "current")), 0);
        cr_expect_eq(checkpoint_current(NULL, NULL, dir, &e), ERR_FILE, "%s", bad[i]);
        unlink(path_in(dir, "current"));
    }
    mkdir(path_in(dir, "current"), 0777);
    cr_expect_eq(checkpoint_current(NULL, NULL, dir, &e), ERR_FILE);
    scratch_remove(dir);
}

Test(versions, pruning_keeps_what_is_needed)
{
    char *dir = scratch_make();

    for (size_t v = 1; v <= 10; v++)
        publish(dir, v, v % 4 == 0);
    mkdir(path_in(dir, ".v000003.tmp-1"), 0777); /* half removed once */
    mkdir(path_in(dir, "mine"), 0777);
    cr_assert_eq(checkpoint_prune(dir, 2, 1, NULL, NULL), 0);
    cr_expect(file_exists(path_in(dir, "v000010")) &&
              file_exists(path_in(dir, "v000009")));
    cr_expect(file_exists(path_in(dir, "v000008")), "the newest full one");
    cr_expect(file_exists(path_in(dir, "mine")), "not ours");
    cr_expect_eq(count(dir), 5, "three versions, the link, and what is not ours");

    unlink(path_in(dir, "current"));
    cr_assert_eq(symlink("v000008", path_in(dir, "current")), 0);
    cr_assert_eq(checkpoint_prune(dir, 1, 0, NULL, NULL), 0);
    cr_expect(file_exists(path_in(dir, "v000008")), "current points at it");
    cr_expect(file_exists(path_in(dir, "v000010")));
    cr_expect_eq(count(dir), 4);
    scratch_remove(dir);
}

/* ---- a file to write over ----------------------------------------------------------- */

/* Versions 1 to 3 with a file "a"; the first is pruned, its file spared. */
static char *versions_spared(ino_t *inode)
{
    char *dir = scratch_make();
    struct stat st;

    for (size_t v = 1; v <= 3; v++)
        publish(dir, v, 0);
    cr_assert_eq(stat(path_in(dir, "v000001/a"), &st), 0);
    *inode = st.st_ino;
    return dir;
}

static void spare_first(const char *dir)
{
    cr_assert_eq(checkpoint_prune(dir, 2, 0, "a", NULL), 0);
    cr_assert_not(file_exists(path_in(dir, "v000001")));
    cr_assert(file_exists(path_in(dir, ".spare")));
}

/* What checkpoint_reuse says to version 4; and whether it got the file `inode`. */
static int reused(const char *dir, ino_t inode)
{
    struct checkpoint c;
    struct err e = {0};
    struct stat st;

    cr_assert_eq(checkpoint_version_begin(&c, dir, 4, &e), 0, "%s", e.text);
    const int rc = checkpoint_reuse(&c, "a", &e);
    char *path = file_join(c.dir, "a");
    cr_assert_eq(stat(path, &st) == 0, rc == 1);
    if (rc == 1)
        cr_expect_eq(st.st_ino, inode);
    free(path);
    checkpoint_abort(&c);
    cr_expect_not(file_exists(path_in(dir, ".spare")), "it is taken, or gone");
    return rc;
}

Test(spare, is_taken_once)
{
    ino_t inode;
    char *dir = versions_spared(&inode);

    spare_first(dir);
    cr_expect_eq(reused(dir, inode), 1);
    cr_expect_eq(reused(dir, inode), 0, "there is none any more");
    scratch_remove(dir);
}

/* What somebody reads, or has under another name, keeps its bytes. */
Test(spare, is_not_taken_from_who_has_it)
{
    for (int how = 0; how < 4; how++) {
        ino_t inode;
        char *dir = versions_spared(&inode);
        const char *a = path_in(dir, "v000001/a");
        const int fd = how < 2 ? open(a, how ? O_RDWR : O_RDONLY) : -1;
        void *map = NULL;

        if (how == 2) { /* mapped, and closed */
            const int other = open(a, O_RDONLY);

            map = mmap(NULL, 1, PROT_READ, MAP_SHARED, other, 0);
            close(other);
        } else if (how == 3) {
            cr_assert_eq(link(a, path_in(dir, "mine")), 0);
        }
        spare_first(dir);
        cr_expect_eq(reused(dir, inode), 0, "%d", how);
        if (map)
            munmap(map, 1);
        if (fd >= 0)
            close(fd);
        scratch_remove(dir);
    }
}

/* Nor what is no file of ours, and not for what is no version. */
Test(spare, is_a_file_beside_versions)
{
    ino_t inode;
    char *dir = versions_spared(&inode);
    struct checkpoint c;
    struct stat st;

    cr_assert_eq(symlink("v000003/a", path_in(dir, ".spare")), 0);
    cr_expect_eq(reused(dir, inode), 0);
    cr_expect_eq(stat(path_in(dir, "v000003/a"), &st), 0, "the link is gone, not that");
    cr_assert_eq(mkfifo(path_in(dir, ".spare"), 0600), 0);
    cr_expect_eq(reused(dir, inode), 0);
    spare_first(dir);
    cr_assert_eq(checkpoint_begin(&c, path_in(dir, "other"), CHECKPOINT_NEW, NULL), 0);
    cr_expect_eq(checkpoint_reuse(&c, "a", NULL), 0);
    cr_expect(file_exists(path_in(dir, ".spare")));
    checkpoint_abort(&c);
    cr_expect_eq(checkpoint_prune(dir, 2, 0, NULL, NULL), 0);
    cr_expect_not(file_exists(path_in(dir, ".spare")), "a run that ends leaves none");
    scratch_remove(dir);
}

/* A reader that follows never sees a version that is not whole. */
static void publish_for_ever(const char *dir)
{
    for (size_t v = 0;; v++) {
        struct checkpoint c;

        if (checkpoint_version_begin(&c, dir, v, NULL) < 0 ||
            checkpoint_file(&c, "a", "x", 1, NULL) < 0 ||
            checkpoint_version_commit(&c, NULL) < 0)
            _exit(1);
        checkpoint_abort(&c);
        if (checkpoint_prune(dir, 2, 0, "a", NULL) < 0)
            _exit(1);
    }
}

Test(versions, a_follower_sees_whole_versions)
{
    char *top = scratch_make();
    const char *dir = path_in(top, "policy");
    const pid_t pid = spawn();
    size_t seen = 0, last = 0;

    if (pid == 0)
        publish_for_ever(dir);
    for (int i = 0; i < 100000 && seen < 20; i++) {
        usleep(20);
        char *path;
        size_t v = 0;
        struct err e = {0};
        const int rc = checkpoint_current(&v, &path, dir, &e);

        cr_assert_geq(rc, 0, "%s", e.text);
        if (rc == 0)
            continue;
        const int fd = open(path_in(path, "a"), O_RDONLY);
        cr_assert(fd >= 0 || !file_exists(path), "a version without its file");
        cr_assert_geq(v, last);
        seen += v > last;
        last = v;
        if (fd >= 0)
            close(fd);
        free(path);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    cr_expect_geq(seen, 20);
    scratch_remove(top);
}
