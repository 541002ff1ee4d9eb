#include "io/tree.h"

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int tree_list(const char *dir, int (*fn)(void *ctx, const char *name, struct err *e),
              void *ctx, struct err *e)
{
    DIR *d = opendir(dir);
    int rc = 0;

    if (!d)
        return err_set(e, ERR_IO, "%s: %s", dir, strerror(errno));
    for (struct dirent *de; rc == 0;) {
        errno = 0;
        if (!(de = readdir(d))) {
            if (errno)
                rc = err_set(e, ERR_IO, "%s: %s", dir, strerror(errno));
            break;
        }
        if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
            rc = fn(ctx, de->d_name, e);
    }
    closedir(d);
    return rc;
}

/* A walk that hands each entry of a directory to fn as a path. */
struct walk {
    const char *dir;
    int (*fn)(const char *path, struct err *e);
};

static int walk_one(void *ctx, const char *name, struct err *e)
{
    const struct walk *w = ctx;
    char *path = file_join(w->dir, name);
    const int rc =
        path ? w->fn(path, e) : err_set(e, ERR_NOMEM, "%s: no memory", w->dir);

    free(path);
    return rc;
}

int tree_sync(const char *path, struct err *e)
{
    struct walk w = {.dir = path, .fn = tree_sync};
    struct stat st;
    int rc;

    if (lstat(path, &st) < 0)
        return err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
    if (S_ISLNK(st.st_mode))
        return 0;
    if (S_ISDIR(st.st_mode) && (rc = tree_list(path, walk_one, &w, e)) < 0)
        return rc;
    return file_sync(path, e);
}

int tree_remove(const char *path, struct err *e)
{
    struct walk w = {.dir = path, .fn = tree_remove};
    struct stat st;
    int rc = 0;

    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0
                               : err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode)) {
        rc = tree_list(path, walk_one, &w, e);
        if (rmdir(path) < 0 && rc == 0 && errno != ENOENT)
            rc = err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
    } else if (unlink(path) < 0 && errno != ENOENT) {
        rc = err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
    }
    return rc;
}

int tree_lock(const char *path)
{
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}
