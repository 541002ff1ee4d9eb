#include "io/checkpoint.h"

#include "base/file.h"
#include "io/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Names.  For DIR/NAME there may be, beside it:
 *     .NAME.tmp-PID   being written: locked by its writer, rubbish once nobody holds the lock
 *     .NAME.old-PID   the old directory while CHECKPOINT_REPLACE is under way on a file
 *                     system that cannot exchange two names
 * The lock is flock's: it dies with the process, holds across containers (where a PID
 * means nothing) and is not inherited through exec.  The PID only keeps names apart.
 */

/* "dir/.name<infix>" of path, to which a PID or nothing is appended. */
static char *beside(const char *path, const char *infix, long pid)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    const size_t n = strlen(path) + strlen(infix) + 32;
    char *s = malloc(n);

    if (s && pid)
        snprintf(s, n, "%.*s.%s%s%ld", (int)(name - path), path, name, infix, pid);
    else if (s)
        snprintf(s, n, ".%s%s", name, infix);
    return s;
}

static char *parent(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return strdup(".");
    return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

/* path without slashes at its end, malloc'd. */
static char *trimmed(const char *path)
{
    size_t n = strlen(path);

    while (n > 1 && path[n - 1] == '/')
        n--;
    return strndup(path, n);
}

static int no_memory(const char *path, struct err *e)
{
    return err_set(e, ERR_NOMEM, "%s: no memory", path);
}

static int failed(const char *path, struct err *e)
{
    return err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
}

/* ---- what dead writers left -----------------------------------------------------------
 */

struct sweep {
    const char *prefix, *dir, *path;
    int restore; /* these are the old state: put it back if nothing has its name */
};

static int sweep_one(void *ctx, const char *name, struct err *e)
{
    const struct sweep *s = ctx;
    char *path;
    int rc = 0;

    if (strncmp(name, s->prefix, strlen(s->prefix)) != 0)
        return 0;
    if (!(path = file_join(s->dir, name)))
        return no_memory(s->path, e);
    const int lock = tree_lock(path);
    if (lock >= 0 && s->restore && !file_exists(s->path))
        rc = rename(path, s->path) < 0 ? failed(path, e) : 0;
    else if (lock >= 0)
        rc = tree_remove(path, e);
    if (lock >= 0)
        close(lock);
    free(path);
    return rc;
}

static int sweep(const char *path, const char *infix, int restore, struct err *e)
{
    char *dir = parent(path), *prefix = beside(path, infix, 0);
    struct sweep s = {.prefix = prefix, .dir = dir, .path = path, .restore = restore};
    const int rc =
        dir && prefix ? tree_list(dir, sweep_one, &s, e) : no_memory(path, e);

    free(dir);
    free(prefix);
    return rc;
}

/* ---- begin ----------------------------------------------------------------------------
 */

static int check_target(const char *path, enum checkpoint_mode mode, struct err *e)
{
    struct stat st;

    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : failed(path, e);
    if (mode == CHECKPOINT_NEW)
        return err_set(e, ERR_USAGE, "%s: exists already", path);
    if (!S_ISDIR(st.st_mode))
        return err_set(e, ERR_USAGE, "%s: exists and is not a directory", path);
    return 0;
}

/* Makes c->dir and locks it.  A sweeper may take it between the two: then again. */
static int make_locked(struct checkpoint *c, struct err *e)
{
    struct stat st;

    for (int attempt = 0; attempt < 100; attempt++) {
        if (mkdir(c->dir, 0777) < 0 && errno != EEXIST)
            return failed(c->dir, e);
        c->lock = open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (c->lock < 0 && errno == ENOENT)
            continue;
        if (c->lock < 0)
            return failed(c->dir, e);
        if (flock(c->lock, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
            ; /* a sweeper has it: it will be gone */
        else if (fstat(c->lock, &st) == 0 && st.st_nlink > 0)
            return 0;
        close(c->lock);
        c->lock = -1;
        usleep(1000);
    }
    return err_set(e, ERR_IO, "%s: taken by another process", c->dir);
}

int checkpoint_begin(struct checkpoint *c, const char *path, enum checkpoint_mode mode,
                     struct err *e)
{
    int rc;

    *c = (struct checkpoint){.lock = -1, .mode = mode};
    if (!(c->path = trimmed(path)) ||
        !(c->dir = beside(c->path, ".tmp-", (long)getpid())))
        rc = no_memory(path, e);
    else if ((rc = sweep(c->path, ".old-", 1, e)) == 0 &&
             (rc = check_target(c->path, mode, e)) == 0 &&
             (rc = sweep(c->path, ".tmp-", 0, e)) == 0)
        rc = make_locked(c, e);
    if (rc < 0) {
        free(c->path);
        free(c->dir);
        *c = (struct checkpoint){.lock = -1};
    }
    return rc;
}

/* For what there is nobody left to tell. */
static void discard(int rc)
{
    (void)rc;
}

void checkpoint_abort(struct checkpoint *c)
{
    if (c->dir && c->lock >= 0)
        discard(tree_remove(c->dir, NULL)); /* the next begin tries again */
    if (c->path && c->lock >= 0)
        close(c->lock);
    free(c->path);
    free(c->dir);
    *c = (struct checkpoint){.lock = -1};
}

/* ---- commit ---------------------------------------------------------------------------
 */

/* Where two names cannot be exchanged: the old one steps aside first.  Killed between
 * the renames, the next begin puts it back. */
static int step_aside(struct checkpoint *c, struct err *e)
{
    char *old = beside(c->path, ".old-", (long)getpid());
    const int lock = tree_lock(c->path);
    int rc = 0;

    if (!old)
        rc = no_memory(c->path, e);
    else if (rename(c->path, old) < 0)
        rc = failed(c->path, e);
    else if (rename(c->dir, c->path) < 0) {
        rc = failed(c->path, e);
        if (rename(old, c->path) < 0)
            err_prefix(e, "%s could not be put back", old);
    } else
        rc = tree_remove(old, e);
    if (lock >= 0)
        close(lock);
    free(old);
    return rc;
}

/* Gives c->dir its name.  *left: c->dir now holds the old state, to be removed. */
static int appear(struct checkpoint *c, int *left, struct err *e)
{
    *left = 0;
    if (renameat2(AT_FDCWD, c->dir, AT_FDCWD, c->path, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno == EINVAL && !file_exists(c->path) && rename(c->dir, c->path) == 0)
        return 0; /* a file system without flags */
    if (errno != EEXIST && errno != EINVAL)
        return failed(c->path, e);
    if (c->mode == CHECKPOINT_NEW)
        return err_set(e, ERR_USAGE, "%s: exists already: it appeared meanwhile",
                       c->path);
    if (renameat2(AT_FDCWD, c->dir, AT_FDCWD, c->path, RENAME_EXCHANGE) == 0) {
        *left = 1;
        return 0;
    }
    return errno == EINVAL ? step_aside(c, e) : failed(c->path, e);
}

int checkpoint_commit(struct checkpoint *c, struct err *e)
{
    char *dir = parent(c->path);
    int left, rc = dir ? tree_sync(c->dir, e) : no_memory(c->path, e);

    if (rc == 0 && (rc = appear(c, &left, e)) == 0) {
        rc = file_sync(dir, e);
        if (rc == 0 && left)
            rc = tree_remove(c->dir, e);
        free(c->dir);
        c->dir = NULL; /* nothing for abort to remove */
    }
    free(dir);
    return rc;
}

/* ---- files in it ----------------------------------------------------------------------
 */

char *checkpoint_join(const struct checkpoint *c, const char *name, struct err *e)
{
    char *path = file_join(c->dir, name);

    if (!path) {
        no_memory(c->path, e);
        return NULL;
    }
    for (char *p = path + strlen(c->dir) + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        if (mkdir(path, 0777) < 0 && errno != EEXIST) {
            failed(path, e);
            free(path);
            return NULL;
        }
        *p = '/';
    }
    return path;
}

int checkpoint_file(const struct checkpoint *c, const char *name, const void *data,
                    size_t n, struct err *e)
{
    char *path = checkpoint_join(c, name, e);
    int rc;

    if (!path)
        return ERR_IO;
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    rc = fd < 0 ? failed(path, e) : file_write_all(fd, data, n, path, e);
    if (fd >= 0 && close(fd) < 0 && rc == 0)
        rc = failed(path, e);
    free(path);
    return rc;
}

int checkpoint_copy(const struct checkpoint *c, const char *from, const char *name,
                    struct err *e)
{
    char *source = file_join(from, name);
    struct file_map map = {0};
    int rc;

    if (!source)
        return no_memory(from, e);
    if (!file_exists(source)) {
        free(source);
        return 0;
    }
    if ((rc = file_map_open(&map, source, e)) == 0)
        rc = checkpoint_file(c, name, map.data, map.size, e);
    file_map_close(&map);
    free(source);
    return rc < 0 ? ERR_IO : 1;
}

/* A directory that is copied file by file. */
struct copying {
    const struct checkpoint *c;
    const char *from, *dir;
};

static int copy_one(void *ctx, const char *name, struct err *e)
{
    const struct copying *k = ctx;
    char *below = file_join(k->dir, name);
    char *path = below ? file_join(k->from, below) : NULL;
    struct stat st;
    int rc = 0;

    if (!path)
        rc = no_memory(k->from, e);
    else if (lstat(path, &st) == 0 && S_ISREG(st.st_mode))
        rc = checkpoint_copy(k->c, k->from, below, e);
    free(path);
    free(below);
    return rc < 0 ? rc : 0;
}

int checkpoint_copy_all(const struct checkpoint *c, const char *from, const char *name,
                        struct err *e)
{
    struct copying k = {c, from, name};
    char *path = file_join(from, name);
    int rc = 0;

    if (!path)
        return no_memory(from, e);
    const int there = file_exists(path);
    if (there)
        rc = tree_list(path, copy_one, &k, e);
    free(path);
    return rc < 0 ? ERR_IO : there;
}
