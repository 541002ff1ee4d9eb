#include "files.h"

#include "golden.h"

#include "base/file.h"
#include "io/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Names handed out stay until the program ends, reachable from here. */
struct name {
    struct name *next;
    char text[];
};

static const char *keep(const char *text)
{
    static struct name *all;
    const size_t size = strlen(text) + 1;
    struct name *n = malloc(sizeof *n + size);

    if (!n)
        abort();
    memcpy(n->text, text, size);
    n->next = all;
    all = n;
    return n->text;
}

static const char *join(const char *dir, const char *name)
{
    char text[4096];

    snprintf(text, sizeof text, "%s/%s", dir, name);
    return keep(text);
}

const char *golden_file(const char *name)
{
    char path[GOLDEN_PATH];

    return keep(golden_path(path, name));
}

const char *path_in(const char *dir, const char *name)
{
    return join(dir, name);
}

char *scratch_make(void)
{
    const char *tmp = getenv("TMPDIR");
    char *dir = strdup(join(tmp ? tmp : "/tmp", "cagsr-test-XXXXXX"));

    if (!dir || !mkdtemp(dir))
        abort();
    return dir;
}

void scratch_remove(char *dir)
{
    if (tree_remove(dir, NULL) < 0)
        fprintf(stderr, "%s: could not be removed\n", dir);
    free(dir);
}

void file_make(const char *path, const void *data, size_t n)
{
    FILE *f = fopen(path, "wb");

    if (!f || fwrite(data, 1, n, f) != n || fclose(f) != 0)
        abort();
}

char *file_slurp(const char *path, size_t *n)
{
    struct err e = {0};
    char *text;

    if (file_read(&text, n, path, (size_t)1 << 32, &e) < 0) {
        fprintf(stderr, "%s\n", e.text);
        abort();
    }
    return text;
}
