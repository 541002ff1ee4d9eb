/*
 * Any bytes as what DIR/current links to, as the name of a version beside it, and as
 * DIR/progress.json, 0xff between them: the directory that --publish writes and --follow
 * reads.  The laws: a version that is taken has the name its number gives; pruning leaves
 * that version and what is none.
 */
#include "../../libcore/train/follow.c"
#include "fuzz.h"
#include "io/tree.h"

#include <sys/stat.h>

/* A name in one directory: no '/', no dots alone. */
static int is_name(const char *s)
{
    return s[0] && !strchr(s, '/') && strcmp(s, ".") != 0 && strcmp(s, "..") != 0 &&
           strlen(s) < 100;
}

static void check_pruned(const char *dir, const char *current, const char *other)
{
    char path[256];
    struct stat st;
    struct err e = {0};

    fuzz_said(checkpoint_prune(dir, 0, 0, NULL, &e), &e);
    snprintf(path, sizeof path, "%s/%s", dir, current);
    fuzz_law(stat(path, &st) == 0);
    if (other[0] == 'v' || other[0] == '.')
        return; /* may be a version, or what is left of one */
    snprintf(path, sizeof path, "%s/%s", dir, other);
    fuzz_law(stat(path, &st) == 0);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    char dir[128], path[256], *link = fuzz_text(&data, &size),
                              *other = fuzz_text(&data, &size), *version = NULL;
    struct progress p = {0};
    struct err e = {0};
    size_t v;

    snprintf(dir, sizeof dir, "%s/policy", fuzz_dir());
    (void)!tree_remove(dir, NULL);
    if (mkdir(dir, 0700) < 0)
        abort();
    snprintf(path, sizeof path, "%s/current", dir);
    if (link[0] && symlink(link, path) == 0 &&
        fuzz_said(checkpoint_current(&v, &version, dir, &e), &e) == 1) {
        char name[32];

        snprintf(name, sizeof name, "v%06zu", v);
        fuzz_law(strcmp(name, link) == 0);
        fuzz_law(mkdir(version, 0700) == 0);
        free(version);
        snprintf(path, sizeof path, "%s/%s", dir, other);
        if (is_name(other) && (mkdir(path, 0700) == 0 || access(path, F_OK) == 0))
            check_pruned(dir, link, other);
    }
    fuzz_said(progress_read(&p, fuzz_file("policy/progress.json", data, size), &e), &e);
    free(link);
    free(other);
    return 0;
}
