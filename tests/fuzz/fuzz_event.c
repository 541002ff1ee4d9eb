/*
 * Any bytes as the event file that stands last in its directory.  The laws: they stay as they
 * are, a writer begins behind them or in another file; and what it leaves is whole, so that
 * the next one goes on in it.
 */
#include "event/event.h"
#include "fuzz.h"

#include <sys/stat.h>

#define NAME "events/events.out.tfevents.0000000001.host.1.0.cagsr"

/* Opens and closes; the bytes that the file it chose has then. */
static size_t write_start(char path[256], const char *dir)
{
    struct event_file w;
    struct err e = {0};
    struct stat st;

    fuzz_law(fuzz_said(event_open(&w, dir, 7, &e), &e) == 0);
    snprintf(path, 256, "%s", w.path);
    fuzz_law(event_close(&w, 0, &e) == 0);
    fuzz_law(stat(path, &st) == 0);
    return (size_t)st.st_size;
}

/* Whether n bytes are frames, by their lengths alone. */
static int are_frames(const unsigned char *p, size_t n)
{
    size_t at = 0;

    while (n - at >= 16) {
        uint64_t length = 0;

        for (int i = 8; i-- > 0;)
            length = length << 8 | p[at + (size_t)i];
        if (length > n - at - 16)
            return 0;
        at += 16 + (size_t)length;
    }
    return at == n;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    char dir[128], path[256], first[256], second[256];

    snprintf(dir, sizeof dir, "%s/events", fuzz_dir());
    (void)!tree_remove(dir, NULL);
    if (mkdir(dir, 0700) < 0)
        abort();
    snprintf(path, sizeof path, "%s", fuzz_file(NAME, data, size));
    const size_t n = write_start(first, dir);
    const int same = strcmp(first, path) == 0;
    fuzz_law(!same || (n > size && size > 0 && are_frames(data, size)));

    unsigned char *now = malloc(size + 1);
    FILE *f = fopen(path, "rb");
    if (!now || !f)
        abort();
    fuzz_law(fread(now, 1, size, f) == size && memcmp(now, data, size) == 0);
    fuzz_law(same || fgetc(f) == EOF);
    fclose(f);
    free(now);

    fuzz_law(write_start(second, dir) > n && strcmp(first, second) == 0);
    return 0;
}
