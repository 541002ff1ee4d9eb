/* Any bytes as cagsr-reward's --labels table, and as an id to look up in it; 0xff between
 * the two.  The laws: every score is found under its id, and its z is a number. */
#include "../../tools/cagsr-reward/labels.c"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct labels *l = NULL;
    struct err e = {0};
    size_t n;
    const unsigned char *table = fuzz_part(&data, &size, &n);
    const char *path = fuzz_file("labels.tsv", table, n);
    double z;

    if (fuzz_said(labels_read(&l, path, &e), &e) >= 0) {
        char *id =
            malloc(size + 1); /* an id from a record: no NUL behind, some inside */

        memcpy(id, data, size);
        (void)labels_find(l, (struct rec_str){id, size}, 0, &z);
        free(id);
        for (size_t i = 0; i < l->n; i++) {
            const struct rec_str own = {l->label[i].id, strlen(l->label[i].id)};

            fuzz_law(labels_find(l, own, l->label[i].cand, &z) && isfinite(z));
        }
        fuzz_law(labels_unused(l) == 0);
    }
    labels_free(l);
    return 0;
}
