/* Any bytes as adapter_config.json: what is taken answers for every module's rank and
 * scale, and what is written from it is read again. */
#include "base/json.h"
#include "fuzz.h"
#include "io/peft.h"

#include <math.h>

static void ask(const struct peft *p)
{
    static const char *const modules[] = {"model.layers.0.self_attn.q_proj",
                                          "transformer.h.11.mlp.c_fc", "lm_head", ""};
    struct err e = {0};
    double scale;
    size_t r;

    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++)
        if (fuzz_said(peft_module(p, modules[i], &r, &scale, &e), &e) >= 0)
            fuzz_law(r >= 1 && r <= PEFT_RANK_MAX && isfinite(scale));
}

static void write_again(const struct peft *p)
{
    json_t *again = peft_config_again(p->config, "/base");
    char *text = again ? json_dumps(again, JSON_ENCODE_ANY) : NULL;
    struct peft q;
    struct err e = {0};

    fuzz_law(text != NULL);
    fuzz_file(PEFT_CONFIG, text, strlen(text));
    fuzz_law(peft_read(&q, fuzz_dir(), &e) >= 0);
    fuzz_law(q.r == p->r && q.alpha == p->alpha && q.rslora == p->rslora);
    peft_release(&q);
    free(text);
    json_decref(again);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct peft p;
    struct err e = {0};

    fuzz_file(PEFT_CONFIG, data, size);
    if (fuzz_said(peft_read(&p, fuzz_dir(), &e), &e) < 0)
        return 0;
    ask(&p);
    write_again(&p);
    peft_release(&p);
    return 0;
}
