#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Opens a regular file and finds its size.  O_NONBLOCK: a pipe without a writer must be
 * refused, not waited for; on files it means nothing. */
static int open_regular(const char *path, size_t *size, struct err *e)
{
    struct stat st;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return err_set(e, ERR_FILE, "%s: %s", path, strerror(errno));
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size < 0) {
        close(fd);
        return err_set(e, ERR_FILE, "%s: not a regular file", path);
    }
    *size = (size_t)st.st_size;
    return fd;
}

static int read_all(int fd, char *text, size_t size, const char *path, struct err *e)
{
    for (size_t got = 0; got < size;) {
        const ssize_t k = read(fd, text + got, size - got);

        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return err_set(e, ERR_FILE, "%s: %s", path, strerror(errno));
        if (k == 0)
            return err_set(e, ERR_FILE, "%s: shrank while it was read", path);
        got += (size_t)k;
    }
    return 0;
}

int file_read(char **text, size_t *n, const char *path, size_t max, struct err *e)
{
    size_t size = 0;
    const int fd = open_regular(path, &size, e);
    int rc;

    if (fd < 0)
        return fd;
    *text = NULL;
    if (size > max)
        rc = err_set(e, ERR_FILE, "%s: %zu bytes, at most %zu are read", path, size,
                     max);
    else if (!(*text = malloc(size + 1)))
        rc = err_set(e, ERR_NOMEM, "%s: no memory for %zu bytes", path, size);
    else
        rc = read_all(fd, *text, size, path, e);
    close(fd);
    if (rc < 0) {
        free(*text);
        *text = NULL;
        return rc;
    }
    (*text)[size] = '\0';
    *n = size;
    return 0;
}

int file_map_open(struct file_map *m, const char *path, struct err *e)
{
    size_t size = 0;
    const int fd = open_regular(path, &size, e);

    *m = (struct file_map){0};
    if (fd < 0)
        return fd;
    if (size > 0) {
        void *p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);

        if (p == MAP_FAILED) {
            close(fd);
            return err_set(e, ERR_FILE, "%s: cannot be mapped: %s", path,
                           strerror(errno));
        }
        *m = (struct file_map){.data = p, .size = size};
    }
    close(fd);
    return 0;
}

void file_map_close(struct file_map *m)
{
    if (m->data)
        munmap((void *)(uintptr_t)m->data, m->size);
    *m = (struct file_map){0};
}

int file_write_all(int fd, const void *data, size_t n, const char *what, struct err *e)
{
    const char *p = data;

    while (n > 0) {
        const ssize_t k = write(fd, p, n);

        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return err_set(e, ERR_IO, "%s: %s", what, strerror(errno));
        p += k;
        n -= (size_t)k;
    }
    return 0;
}

int file_sync(const char *path, struct err *e)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
    const int rc =
        fsync(fd) < 0 ? err_set(e, ERR_IO, "%s: %s", path, strerror(errno)) : 0;
    close(fd);
    return rc;
}

static int write_and_sync(int fd, const void *data, size_t n, const char *path,
                          struct err *e)
{
    const int rc = file_write_all(fd, data, n, path, e);

    if (rc < 0)
        return rc;
    if (fsync(fd) < 0)
        return err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
    return 0;
}

int file_replace(const char *path, const void *data, size_t n, struct err *e)
{
    const size_t len = strlen(path) + 8;
    char *tmp = malloc(len);
    int rc;

    if (!tmp)
        return err_set(e, ERR_NOMEM, "%s: no memory", path);
    snprintf(tmp, len, "%s.XXXXXX", path);
    const int fd = mkostemp(tmp, O_CLOEXEC);
    if (fd < 0) {
        rc = err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
    } else {
        fchmod(fd, 0644);
        rc = write_and_sync(fd, data, n, path, e);
        close(fd);
        if (rc == 0 && rename(tmp, path) < 0)
            rc = err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
        if (rc < 0)
            unlink(tmp);
    }
    free(tmp);
    return rc;
}

int file_exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

char *file_join(const char *dir, const char *name)
{
    const size_t n = strlen(dir) + strlen(name) + 2;
    char *s = malloc(n);

    if (s)
        snprintf(s, n, "%s/%s", dir, name);
    return s;
}
