/* Versions of a policy beside each other: DIR/v000012/ and the link DIR/current. */
#include "io/checkpoint.h"

#include "base/file.h"
#include "io/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME = 24 };

static void version_name(char out[NAME], size_t version)
{
    snprintf(out, NAME, "v%06zu", version);
}

/* "v000012" -> 12: a 'v' and at least six digits, as version_name writes them. */
static int parse_version(size_t *out, const char *name)
{
    char again[NAME], *end;

    if (name[0] != 'v' || strlen(name) >= NAME)
        return -1;
    *out = (size_t)strtoull(name + 1, &end, 10);
    version_name(again, *out);
    return strcmp(again, name) == 0 ? 0 : -1;
}

static int failed(const char *path, struct err *e)
{
    return err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
}

/* A version that is newer than what current points at was never pointed at: its writer
 * died between the two renames.  It makes way. */
static int how_to_begin(enum checkpoint_mode *mode, const char *dir, size_t version,
                        struct err *e)
{
    size_t current;
    const int rc = checkpoint_current(&current, NULL, dir, e);

    *mode = rc > 0 && version <= current ? CHECKPOINT_NEW : CHECKPOINT_REPLACE;
    return rc < 0 ? rc : 0;
}

int checkpoint_version_begin(struct checkpoint *c, const char *dir, size_t version,
                             struct err *e)
{
    enum checkpoint_mode mode;
    char name[NAME], *path;
    int rc;

    *c = (struct checkpoint){.lock = -1};
    if (mkdir(dir, 0777) < 0 && errno != EEXIST)
        return failed(dir, e);
    if ((rc = how_to_begin(&mode, dir, version, e)) < 0)
        return rc;
    version_name(name, version);
    if (!(path = file_join(dir, name)))
        return err_set(e, ERR_NOMEM, "%s: no memory", dir);
    rc = checkpoint_begin(c, path, mode, e);
    c->version = rc >= 0;
    free(path);
    return rc;
}

/* A link cannot be changed in place: a new one is made beside it and renamed over it. */
static int point_current(const char *dir, const char *name, struct err *e)
{
    char *tmp = file_join(dir, ".current.tmp"), *link = file_join(dir, "current");
    int rc = 0;

    if (!tmp || !link)
        rc = err_set(e, ERR_NOMEM, "%s: no memory", dir);
    else if ((unlink(tmp) < 0 && errno != ENOENT) || symlink(name, tmp) < 0 ||
             rename(tmp, link) < 0)
        rc = failed(link, e);
    else
        rc = file_sync(dir, e);
    free(tmp);
    free(link);
    return rc;
}

int checkpoint_version_commit(struct checkpoint *c, struct err *e)
{
    int rc = checkpoint_commit(c, e);
    char *slash = strrchr(c->path, '/');

    if (rc < 0)
        return rc;
    *slash = '\0'; /* DIR, and the version's name behind it */
    rc = point_current(c->path, slash + 1, e);
    *slash = '/';
    return rc;
}

int checkpoint_current(size_t *version, char **path, const char *dir, struct err *e)
{
    char *link = file_join(dir, "current"), name[NAME] = "";
    size_t v = 0;
    int rc;

    if (!link)
        return err_set(e, ERR_NOMEM, "%s: no memory", dir);
    const ssize_t n = readlink(link, name, sizeof name - 1);
    if (n < 0 && (errno == ENOENT || errno == ENOTDIR))
        rc = 0;
    else if (n < 0 || parse_version(&v, name) < 0)
        rc = err_set(e, ERR_FILE, "%s: not a link to a version like v000012", link);
    else
        rc = 1;
    free(link);
    if (rc <= 0)
        return rc;
    if (version)
        *version = v;
    if (path && !(*path = file_join(dir, name)))
        return err_set(e, ERR_NOMEM, "%s: no memory", dir);
    return 1;
}

/* ---- a file to write over --------------------------------------------------------------
 */

static const char spare_name[] = ".spare";

/* Only who alone has a file open is given a lease to write it: not with another's descriptor, nor its
 * mapping.  Until it ends whoever opens the file is waited for, and a signal says so: one that is
 * ignored. */
static int has_alone(int fd)
{
#if defined(F_SETLEASE) && defined(F_SETSIG)
    if (fcntl(fd, F_SETSIG, SIGURG) < 0 || fcntl(fd, F_SETLEASE, F_WRLCK) < 0)
        return 0;
    return fcntl(fd, F_SETLEASE, F_UNLCK) == 0;
#else
    (void)fd;
    return 0;
#endif
}

static int may_write_over(const char *path)
{
    const int fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    int may;

    if (fd < 0)
        return 0;
    may =
        fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 && has_alone(fd);
    close(fd);
    return may;
}

static int drop(const char *path, struct err *e)
{
    return unlink(path) < 0 && errno != ENOENT ? failed(path, e) : 0;
}

int checkpoint_reuse(const struct checkpoint *c, const char *name, struct err *e)
{
    const char *slash = strrchr(c->path, '/');

    if (!c->version || !slash)
        return 0;
    char *dir = strndup(c->path, (size_t)(slash - c->path));
    char *spare = dir ? file_join(dir, spare_name) : NULL;
    char *to = checkpoint_join(c, name, e);
    int rc;

    if (!spare || !to)
        rc = err_set(e, ERR_NOMEM, "%s: no memory", c->path);
    else if (may_write_over(spare))
        rc = rename(spare, to) < 0 ? failed(to, e) : 1;
    else
        rc = drop(spare, e);
    free(dir);
    free(spare);
    free(to);
    return rc;
}

/* ---- pruning --------------------------------------------------------------------------
 */

struct found {
    size_t *version;
    size_t n, room;
};

/* A version that was half removed, or whose writer died. */
static int is_leftover(const char *name)
{
    return name[0] == '.' && name[1] == 'v' && strstr(name, ".tmp-");
}

static int sweep_leftover(void *ctx, const char *name, struct err *e)
{
    char *path = is_leftover(name) ? file_join(ctx, name) : NULL;
    const int lock = path ? tree_lock(path) : -1;
    const int rc = lock >= 0 ? tree_remove(path, e) : 0;

    if (lock >= 0)
        close(lock);
    free(path);
    return rc;
}

static int collect(void *ctx, const char *name, struct err *e)
{
    struct found *f = ctx;
    size_t v = 0;

    if (parse_version(&v, name) < 0)
        return 0;
    if (f->n == f->room) {
        size_t *p = reallocarray(f->version, f->room * 2 + 16, sizeof *p);

        if (!p)
            return err_set(e, ERR_NOMEM, "no memory for a list of versions");
        f->version = p;
        f->room = f->room * 2 + 16;
    }
    f->version[f->n++] = v;
    return 0;
}

static int newest_first(const void *a, const void *b)
{
    const size_t x = *(const size_t *)a, y = *(const size_t *)b;

    return x < y ? 1 : x > y ? -1 : 0;
}

/* The file `name` of a version that is being removed, if it has one. */
static int spare_file(const char *dir, const char *gone, const char *name,
                      struct err *e)
{
    char *from = file_join(gone, name), *to = file_join(dir, spare_name);
    int rc;

    if (!from || !to)
        rc = err_set(e, ERR_NOMEM, "%s: no memory", dir);
    else
        rc = rename(from, to) < 0 && errno != ENOENT ? failed(from, e) : 0;
    free(from);
    free(to);
    return rc;
}

/* It leaves its name first, so that nobody ever sees half of it under that. */
static int remove_version(const char *path, const char *dir, const char *name,
                          const char *spare, struct err *e)
{
    const size_t n = strlen(dir) + NAME + 32;
    char *gone = malloc(n);
    int rc;

    if (!gone)
        return err_set(e, ERR_NOMEM, "%s: no memory", dir);
    snprintf(gone, n, "%s/.%s.tmp-%ld", dir, name, (long)getpid());
    rc = rename(path, gone) < 0 && errno != ENOENT ? failed(path, e) : 0;
    if (rc >= 0 && spare)
        rc = spare_file(dir, gone, spare, e);
    if (rc >= 0)
        rc = tree_remove(gone, e);
    free(gone);
    return rc;
}

/* One version, the i-th newest; *full counts those kept for their training state. */
static int prune_one(const char *dir, size_t version, int keep, size_t *full,
                     const char *spare, struct err *e)
{
    char name[NAME], *path, *training;
    int rc = 0;

    version_name(name, version);
    path = file_join(dir, name);
    training = path ? file_join(path, "training") : NULL;
    if (!training)
        rc = err_set(e, ERR_NOMEM, "%s: no memory", dir);
    else if (*full > 0 && file_exists(training))
        (*full)--;
    else if (!keep)
        rc = remove_version(path, dir, name, spare, e);
    free(training);
    free(path);
    return rc;
}

static int drop_spare(const char *dir, struct err *e)
{
    char *path = file_join(dir, spare_name);
    const int rc = path ? drop(path, e) : err_set(e, ERR_NOMEM, "%s: no memory", dir);

    free(path);
    return rc;
}

int checkpoint_prune(const char *dir, size_t keep, size_t keep_full, const char *spare,
                     struct err *e)
{
    struct found f = {0};
    size_t current = SIZE_MAX;
    int rc = checkpoint_current(&current, NULL, dir, e);

    if (rc >= 0)
        rc = tree_list(dir, sweep_leftover, (char *)(uintptr_t)dir, e);
    if (rc >= 0)
        rc = tree_list(dir, collect, &f, e);
    if (f.n > 0)
        qsort(f.version, f.n, sizeof *f.version, newest_first);
    for (size_t i = 0; i < f.n && rc >= 0; i++)
        rc = prune_one(dir, f.version[i], i < keep || f.version[i] == current,
                       &keep_full, spare, e);
    if (rc >= 0 && !spare)
        rc = drop_spare(dir, e);
    free(f.version);
    return rc < 0 ? rc : 0;
}
