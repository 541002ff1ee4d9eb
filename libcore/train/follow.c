#include "train/follow.h"

#include "base/file.h"
#include "base/json.h"
#include "io/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { POLL_MS = 3, APPEAR_MS = 60000 };

/* Opens and locks DIR/name; the descriptor, or < 0.  op: LOCK_NB not to wait for it. */
static int take_lock(const char *dir, const char *name, int op, struct err *e)
{
    char *path = file_join(dir, name);

    if (!path)
        return err_set(e, ERR_NOMEM, "%s: no memory", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) {
        fd = err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
    } else if (flock(fd, LOCK_EX | op) < 0) {
        close(fd);
        fd = err_set(e, ERR_USAGE, "%s: another cagsr-update publishes here", dir);
    }
    free(path);
    return fd;
}

/* What an earlier publisher said must not be taken for ours: it goes before the lock
 * that says we live is taken. */
static int forget_progress(const char *dir, struct err *e)
{
    char *path = file_join(dir, "progress.json");
    int rc = 0;

    if (!path)
        return err_set(e, ERR_NOMEM, "%s: no memory", dir);
    if (unlink(path) < 0 && errno != ENOENT)
        rc = err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
    free(path);
    return rc;
}

int publisher_begin(struct publisher *p, const char *dir, struct err *e)
{
    int rc = 0;

    *p = (struct publisher){.guard = -1, .lock = -1};
    if (mkdir(dir, 0777) < 0 && errno != EEXIST)
        return err_set(e, ERR_IO, "%s: %s", dir, strerror(errno));
    if (!(p->dir = strdup(dir)))
        rc = err_set(e, ERR_NOMEM, "%s: no memory", dir);
    if (rc >= 0)
        rc = p->guard = take_lock(dir, "publishers.lock", LOCK_NB, e);
    if (rc >= 0)
        rc = forget_progress(dir, e);
    if (rc >= 0)
        /* samplers that look whether we live hold it for a moment */
        rc = p->lock = take_lock(dir, "publisher.lock", 0, e);
    if (rc < 0)
        publisher_end(p);
    return rc < 0 ? rc : 0;
}

int publisher_say(const struct publisher *p, uint64_t batches, size_t version, int done,
                  struct err *e)
{
    char text[160];
    char *path = file_join(p->dir, "progress.json");

    if (!path)
        return err_set(e, ERR_NOMEM, "%s: no memory", p->dir);
    const int n =
        snprintf(text, sizeof text,
                 "{\"batches\": %llu, \"version\": %zu, \"status\": \"%s\"}\n",
                 (unsigned long long)batches, version, done ? "done" : "running");
    const int rc = file_replace(path, text, (size_t)n, e);
    free(path);
    return rc;
}

void publisher_end(struct publisher *p)
{
    if (p->dir && p->lock >= 0)
        close(p->lock);
    if (p->dir && p->guard >= 0)
        close(p->guard);
    free(p->dir);
    *p = (struct publisher){0};
}

/* 1 a publisher lives, 0 none does. */
static int alive(const char *lock)
{
    const int fd = open(lock, O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return 0;
    const int taken = flock(fd, LOCK_SH | LOCK_NB) < 0;
    close(fd);
    return taken;
}

struct progress {
    size_t batches;
    int done;
};

/* 1 read, 0 not there yet. */
static int progress_read(struct progress *p, const char *path, struct err *e)
{
    json_t *j = NULL;
    const char *status;

    if (!file_exists(path))
        return 0;
    int rc = json_read_file(&j, path, e);
    if (rc < 0)
        return rc;
    if ((rc = json_get_size(&p->batches, j, "batches", 0, SIZE_MAX / 2, path, e)) >=
            0 &&
        (rc = json_get_str(&status, j, "status", path, e)) >= 0)
        p->done = !strcmp(status, "done");
    json_decref(j);
    return rc < 0 ? rc : 1;
}

static int reader_gone(int fd)
{
    struct pollfd p = {.fd = fd};

    return fd >= 0 && poll(&p, 1, 0) > 0 && (p.revents & (POLLERR | POLLNVAL));
}

/* One look: 1 may draw, 0 ended, 2 not yet, < 0 error.  Whether the publisher lives is
 * asked before its progress is read: what it said last is then seen. */
static int look(const struct follow *f, const char *lock, const char *progress,
                uint64_t b, long waited, struct err *e)
{
    struct progress p = {0};
    const int lives = alive(lock);
    const int rc = progress_read(&p, progress, e);

    if (rc < 0)
        return rc;
    if (lives && rc == 1 && !p.done && p.batches + f->lag >= b)
        return 1;
    if (lives && rc == 1 && p.done)
        return 0;
    if (!lives && b > 0)
        return rc == 1 && p.done
                   ? 0
                   : err_set(e, ERR_IO, "%s: the cagsr-update that published here died",
                             f->dir);
    if (!lives && waited > APPEAR_MS)
        return err_set(e, ERR_IO, "%s: no cagsr-update --publish within %d seconds",
                       f->dir, APPEAR_MS / 1000);
    if (reader_gone(f->out))
        return err_set(e, ERR_IO, "nobody reads the samples any more");
    return 2;
}

int follow_wait(const struct follow *f, uint64_t b, size_t *version, char **path,
                struct err *e)
{
    char *lock = file_join(f->dir, "publisher.lock");
    char *progress = file_join(f->dir, "progress.json");
    int rc = lock && progress ? 2 : err_set(e, ERR_NOMEM, "%s: no memory", f->dir);

    for (long waited = 0; rc == 2; waited += POLL_MS) {
        rc = look(f, lock, progress, b, waited, e);
        if (rc == 2)
            nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000L}, NULL);
    }
    free(lock);
    free(progress);
    if (rc == 1 && (rc = checkpoint_current(version, path, f->dir, e)) == 0)
        rc = err_set(e, ERR_FILE, "%s: no version is there", f->dir);
    return rc;
}
