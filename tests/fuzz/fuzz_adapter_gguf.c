/* Any bytes as an adapter's GGUF file, for a small model.  The laws: one that is taken has
 * finite numbers, and what is written from it is taken again. */
#include "fuzz.h"
#include "kern/kern.h"
#include "model/adapter.h"

#include <fcntl.h>
#include <math.h>

static struct model *base(void)
{
    static struct par *par;
    static struct kern *kern;
    static struct model *m;
    struct err e = {0};

    if (!m && (par_new(&par, 1, &e) < 0 || kern_new(&kern, par, NULL, &e) < 0 ||
               model_open(&m, "tests/golden/llama-tiny", kern, MODEL_COMPUTE, &e) < 0))
        abort();
    return m;
}

static void write_again(struct model *m)
{
    const char *path = fuzz_file("again.gguf", NULL, 0);
    const int fd = open(path, O_WRONLY | O_TRUNC);
    struct err e = {0};
    const int rc = adapter_write_gguf(m, QUANT_F32, fd, path, &e);

    close(fd);
    if (rc < 0)
        fuzz_law(rc == ERR_NUMERIC && e.text[0]); /* B times its scale */
    else
        fuzz_law(adapter_load(m, path, &e) >= 0);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct model *m = base();
    struct err e = {0};

    if (fuzz_said(adapter_load(m, fuzz_file("a.gguf", data, size), &e), &e) < 0)
        return 0;
    for (size_t i = 0; i < m->adapter->plan.size; i++)
        fuzz_law(isfinite(m->adapter->params[i]));
    write_again(m);
    return 0;
}
