/*
 * Files for tests: the golden data, and a directory to write to.
 */
#ifndef CAGSR_TESTS_FILES_H
#define CAGSR_TESTS_FILES_H

#include <stddef.h>

/* "GOLDEN/name", good until the program ends.  GOLDEN: see golden.h.
 * Not to be called from several threads at once. */
const char *golden_file(const char *name);

/* A new empty directory; the caller frees the name with scratch_remove. */
char *scratch_make(void);

/* Removes it with all below it. */
void scratch_remove(char *dir);

/* "dir/name", good until the program ends. */
const char *path_in(const char *dir, const char *name);

/* Writes n bytes to a file, replacing it.  Aborts when it cannot. */
void file_make(const char *path, const void *data, size_t n);

/* Reads a whole file, malloc'd, a NUL behind it.  Aborts when it cannot. */
char *file_slurp(const char *path, size_t *n);

#endif
