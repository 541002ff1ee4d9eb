/*
 * Any bytes as a JSON line.  The law: what is taken is a record, and said again and read
 * again it is the same bytes.
 */
#include "rec/buf.h"
#include "rec/json.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct rec_buf bytes = {0}, text = {0}, again = {0};
    struct rec r = {0};
    struct err e = {0};

    if (rec_json_parse(&bytes, (const char *)data, size, &e) == 0 &&
        rec_parse(&r, bytes.p, bytes.n, &e) == 0) {
        rec_json_line(&text, &r, REC_JSON_EXACT);
        if (rec_json_parse(&again, (char *)text.p, text.n, &e) < 0) {
            if (!strstr(e.text, "nested"))
                abort();
        } else if (again.n != bytes.n || memcmp(again.p, bytes.p, bytes.n) != 0) {
            abort();
        }
    }
    rec_release(&r);
    rec_buf_release(&bytes);
    rec_buf_release(&text);
    rec_buf_release(&again);
    return 0;
}
