/*
 * Whole files: read, map, written so that they appear whole or not at all.
 */
#ifndef CAGSR_BASE_FILE_H
#define CAGSR_BASE_FILE_H

#include "base/err.h"

#include <stddef.h>

/* Reads a regular file of at most `max` bytes; *text is malloc'd by us, freed by the
 * caller, and has a NUL behind its n bytes.  ERR_FILE names the path. */
int file_read(char **text, size_t *n, const char *path, size_t max,
              struct err *e) MUST_CHECK;

/* A read-only private mapping of a whole file. */
struct file_map {
    const char *data; /* NULL when closed, or when the file is empty */
    size_t size;      /* bytes */
};
int file_map_open(struct file_map *m, const char *path, struct err *e) MUST_CHECK;
void file_map_close(struct file_map *m); /* a zeroed map is a closed one */

/* Writes all n bytes to fd, through short writes and EINTR.  ERR_IO. */
int file_write_all(int fd, const void *data, size_t n, const char *what,
                   struct err *e) MUST_CHECK;

/* path appears with these bytes, by temporary file, fsync and rename; or is left as it
 * was. */
int file_replace(const char *path, const void *data, size_t n,
                 struct err *e) MUST_CHECK;

/* fsync of a file or directory by path. */
int file_sync(const char *path, struct err *e) MUST_CHECK;

/* 1 if path exists (whatever it is), else 0. */
int file_exists(const char *path);

/* "dir/name" in malloc'd memory; NULL if there is none. */
char *file_join(const char *dir, const char *name);

#endif
