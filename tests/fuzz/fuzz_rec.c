/*
 * Any bytes as a stream: the reader, the sample view, the way to JSON and back.
 *
 * A crash, a leak or a broken law is a finding.  The law: what a record says as JSON, read
 * back and said again, is the same text.
 */
#include "rec/buf.h"
#include "rec/json.h"
#include "rec/sample.h"
#include "rec/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void there_and_back(const struct rec *r)
{
    struct rec_buf text = {0}, bytes = {0}, again = {0};
    struct rec back = {0};
    struct err e = {0};

    rec_json_line(&text, r, REC_JSON_PLAIN);
    rec_buf_clear(&text);
    rec_json_line(&text, r, REC_JSON_EXACT);
    /* Nesting counts twice in text ($map), so some records are too deep for it. */
    if (rec_json_parse(&bytes, (char *)text.p, text.n, &e) == 0) {
        if (rec_parse(&back, bytes.p, bytes.n, &e) < 0)
            abort();
        rec_json_line(&again, &back, REC_JSON_EXACT);
        if (again.n != text.n || memcmp(again.p, text.p, text.n) != 0)
            abort();
    } else if (!strstr(e.text, "nested")) {
        abort();
    }
    rec_release(&back);
    rec_buf_release(&text);
    rec_buf_release(&bytes);
    rec_buf_release(&again);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    const int fd = memfd_create("input", 0);
    char name[32];
    const char *files[] = {name};
    struct rec_reader *rd = NULL;
    struct sample s = {0};
    struct rec *r;
    struct err e = {0};

    if (fd < 0 || (size && write(fd, data, size) != (ssize_t)size))
        abort();
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    if (rec_reader_new(&rd, files, 1, &(struct rec_limits){.max_record = 1 << 20}, &e) <
        0)
        abort();
    while (rec_reader_next(rd, &r, &e) > 0) {
        double d;

        (void)!sample_read(&s, r, 0, ~0u, &e);
        (void)!sample_component(r, "coverage", &d, &e);
        there_and_back(r);
    }
    sample_release(&s);
    rec_reader_free(rd);
    close(fd);
    return 0;
}
