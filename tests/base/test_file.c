#include "base/file.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64], path[96];

static void make_dir(void)
{
    snprintf(dir, sizeof dir, "/tmp/cagsr-file-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/f", dir);
}

static void remove_dir(void)
{
    unlink(path);
    rmdir(dir);
}

TestSuite(file, .init = make_dir, .fini = remove_dir);

static int entries(void)
{
    DIR *d = opendir(dir);
    int n = 0;

    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

Test(file, replaced_and_read)
{
    struct err e = {0};
    char *text;
    size_t n;
    struct stat st;

    cr_assert_eq(file_replace(path, "abc\0d", 5, &e), 0, "%s", e.text);
    cr_assert_eq(file_read(&text, &n, path, 5, &e), 0, "%s", e.text);
    cr_expect(n == 5 && memcmp(text, "abc\0d", 6) == 0);
    free(text);
    cr_assert_eq(file_replace(path, "", 0, &e), 0);
    cr_assert_eq(file_read(&text, &n, path, 5, &e), 0);
    cr_expect(n == 0 && *text == '\0');
    free(text);
    cr_expect_eq(entries(), 1); /* no temporary file stays */
    cr_expect(stat(path, &st) == 0 && (st.st_mode & 0777) == 0644);
    cr_expect_eq(file_sync(path, &e), 0);
    cr_expect_eq(file_sync(dir, &e), 0);
}

Test(file, a_file_too_large_is_refused)
{
    struct err e = {0};
    char *text = NULL;
    size_t n;

    cr_assert_eq(file_replace(path, "abcdef", 6, &e), 0);
    cr_expect_eq(file_read(&text, &n, path, 5, &e), ERR_FILE);
    cr_expect_not_null(strstr(e.text, "6 bytes, at most 5"), "%s", e.text);
    cr_expect_null(text);
}

Test(file, what_is_no_file_is_refused)
{
    static const char *const bad[] = {"/nonexistent/x", "/dev/null", "/tmp"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err e = {0};
        struct file_map m;
        char *text = NULL;
        size_t n;

        cr_expect_eq(file_read(&text, &n, bad[i], 100, &e), ERR_FILE);
        cr_expect_eq(strncmp(e.text, bad[i], strlen(bad[i])), 0, "%s", e.text);
        cr_expect_eq(file_map_open(&m, bad[i], &e), ERR_FILE);
        cr_expect_null(m.data);
    }
}

/* A pipe without a writer must not hang the reader. */
Test(file, a_fifo_is_refused, .timeout = 10)
{
    struct err e = {0};
    char *text = NULL;
    size_t n;

    cr_assert_eq(mkfifo(path, 0600), 0);
    cr_expect_eq(file_read(&text, &n, path, 100, &e), ERR_FILE);
}

Test(file, mapped)
{
    struct err e = {0};
    struct file_map m;

    cr_assert_eq(file_replace(path, "weights", 7, &e), 0);
    cr_assert_eq(file_map_open(&m, path, &e), 0);
    cr_expect(m.size == 7 && memcmp(m.data, "weights", 7) == 0);
    file_map_close(&m);
    cr_expect(!m.data && m.size == 0);
    file_map_close(&m);
    cr_assert_eq(file_replace(path, "", 0, &e), 0);
    cr_assert_eq(file_map_open(&m, path, &e), 0);
    cr_expect(!m.data && m.size == 0);
    file_map_close(&m);
}

/* A write that fails leaves the old file, and no temporary one. */
Test(file, a_failed_replacement_changes_nothing)
{
    struct err e = {0};
    char below[128];

    cr_assert_eq(file_replace(path, "old", 3, &e), 0);
    snprintf(below, sizeof below, "%s/none/f", dir);
    cr_expect_eq(file_replace(below, "new", 3, &e), ERR_IO);
    cr_expect_eq(strncmp(e.text, below, strlen(below)), 0, "%s", e.text);
    cr_expect_eq(entries(), 1);
    cr_expect_eq(file_replace(dir, "new", 3, &e), ERR_IO); /* a directory is there */
    cr_expect_eq(entries(), 1);
}

Test(file, a_full_disk_is_an_error)
{
    struct err e = {0};
    const int fd = open("/dev/full", O_WRONLY);

    cr_assert_geq(fd, 0);
    cr_expect_eq(file_write_all(fd, "x", 1, "out", &e), ERR_IO);
    cr_expect_str_eq(e.text, "out: No space left on device");
    cr_expect_eq(file_write_all(fd, "x", 0, "out", &e), 0);
    close(fd);
}

Test(file, exists_and_join)
{
    struct err e = {0};
    char *s = file_join(dir, "f");

    cr_expect_str_eq(s, path);
    cr_expect_eq(file_exists(s), 0);
    cr_assert_eq(file_replace(s, "x", 1, &e), 0);
    cr_expect_eq(file_exists(s), 1);
    cr_expect_eq(file_exists(dir), 1);
    free(s);
}
