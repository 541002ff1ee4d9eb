/*
 * What the fuzz targets share.  A target includes this and defines the entry point; a
 * crash, a report of a sanitizer, a leak or a law that fails (fuzz_law) is a finding.
 *
 * Targets run from the top of the source tree.
 */
#ifndef CAGSR_TESTS_FUZZ_H
#define CAGSR_TESTS_FUZZ_H

#include "base/err.h"
#include "io/tree.h"

#include <fcntl.h>
#include <sanitizer/common_interface_defs.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static inline void fuzz_law(int holds)
{
    if (!holds)
        abort();
}

/* An error has its sentence. */
static inline int fuzz_said(int rc, const struct err *e)
{
    fuzz_law(rc >= 0 || e->text[0]);
    return rc;
}

/* A directory in memory that this process writes its files to, again and again; it goes
 * when the process ends. */
static inline char *fuzz_dir_name(void)
{
    static char dir[] = "/dev/shm/cagsr-fuzz-XXXXXX";

    return dir;
}

static inline void fuzz_dir_remove(void)
{
    (void)!tree_remove(fuzz_dir_name(), NULL);
}

static inline const char *fuzz_dir(void)
{
    static int made;

    if (!made) {
        if (!mkdtemp(fuzz_dir_name()) || atexit(fuzz_dir_remove) != 0)
            abort();
        made = 1;
    }
    return fuzz_dir_name();
}

/* "fuzz_dir()/name" with these bytes; the path is borrowed until the next call. */
static inline const char *fuzz_file(const char *name, const void *data, size_t size)
{
    static char path[128];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", fuzz_dir(), name);
    f = fopen(path, "wb");
    if (!f || (size && fwrite(data, 1, size, f) != size) || fclose(f) != 0)
        abort();
    return path;
}

/* Cuts the input at its first byte 0xff: what is before it is returned with its length
 * in *n, and *data, *size become what is behind. */
static inline const unsigned char *fuzz_part(const unsigned char **data, size_t *size,
                                             size_t *n)
{
    const unsigned char *part = *data;
    const unsigned char *cut = *size ? memchr(part, 0xff, *size) : NULL;

    *n = cut ? (size_t)(cut - part) : *size;
    *data = cut ? cut + 1 : part + *size;
    *size -= *n + (cut != NULL);
    return part;
}

/* The same as a string, malloc'd: it ends at the first NUL, and reading past that is
 * seen. */
static inline char *fuzz_text(const unsigned char **data, size_t *size)
{
    size_t n;
    const unsigned char *part = fuzz_part(data, size, &n);
    char *text = strndup((const char *)part, n);

    if (!text)
        abort();
    return text;
}

/* What the program says goes nowhere; what the sanitizers say still goes to the log. */
static inline void fuzz_silence(int on)
{
    static int saved = -1, nowhere = -1;

    if (nowhere < 0) {
        nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
        saved = dup(STDERR_FILENO);
        __sanitizer_set_report_fd((void *)(intptr_t)saved);
    }
    dup2(on ? nowhere : saved, STDERR_FILENO);
}

#endif
