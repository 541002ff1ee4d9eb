/* golden/gguf: every quantised file against its values dequantised by the gguf package,
 * bit for bit. */
#include "../support/files.h"
#include "io/gguf.h"
#include "io/safetensors.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check_tensor(const struct gguf *g, const struct st_entry *want,
                         const char *name)
{
    const struct gguf_tensor *t = gguf_find_tensor(g, name);
    float *got = malloc(want->count * sizeof *got);

    cr_assert(t && got, "%s: no '%s'", g->path, name);
    cr_assert_eq(t->count, want->count);
    cr_assert_eq(t->rank, want->rank);
    cr_assert_eq(memcmp(t->dims, want->dims, t->rank * sizeof *t->dims), 0);
    for (int isa = ISA_PLAIN; isa <= ISA_AVX512; isa++) {
        if (!isa_has((enum isa)isa))
            continue;
        memset(got, 0xff, t->count * sizeof *got);
        quant_widen((enum isa)isa, got, t->data, t->type, t->count);
        for (size_t i = 0; i < t->count; i++)
            cr_assert_eq(memcmp(&got[i], want->data + 4 * i, 4), 0,
                         "%s: '%s' value %zu, %s", g->path, name, i,
                         isa_name((enum isa)isa));
    }
    free(got);
}

/* Files of a type that is not read must say so, and what the type is called. */
static void check_refused(const char *path, const char *type)
{
    struct gguf g;
    struct err e = {0};

    cr_assert_eq(gguf_open(&g, path, &e), ERR_SHAPE, "%s", path);
    cr_expect(strcasestr(e.text, type) && strstr(e.text, "expected F32"), "%s", e.text);
}

Test(quant, golden_bit_for_bit)
{
    struct safetensors st;
    struct err e = {0};
    size_t checked = 0;

    cr_assert_eq(safetensors_open(&st, golden_file("gguf/dequantised.safetensors"), &e),
                 0, "%s", e.text);
    for (size_t i = 0; i < st.n; i++) {
        const char *dot = strchr(st.entries[i].name, '.');
        char file[64], type[32];
        struct gguf g;

        e = (struct err){0};
        snprintf(type, sizeof type, "%.*s", (int)(dot - st.entries[i].name),
                 st.entries[i].name);
        for (char *p = type; *p; p++)
            *p = (char)tolower((unsigned char)*p);
        snprintf(file, sizeof file, "gguf/q_%s.gguf", type);
        if (gguf_open(&g, golden_file(file), &e) == ERR_SHAPE) {
            check_refused(golden_file(file), type);
            continue;
        }
        cr_assert_eq(e.code, 0, "%s", e.text);
        check_tensor(&g, &st.entries[i], dot + 1);
        gguf_close(&g);
        checked++;
    }
    cr_expect_geq(checked, 2 * QUANT_TYPES, "two tensors for each type");
    safetensors_close(&st);
}

Test(quant, blocks_and_bytes)
{
    for (int t = 0; t < QUANT_TYPES; t++) {
        const enum quant_type q = (enum quant_type)t;

        cr_expect_eq(quant_bytes(q, 3 * quant_block(q)), 3 * quant_block_bytes(q));
        cr_expect_not_null(quant_name(q));
    }
    cr_expect_str_eq(quant_gguf_name(10), "Q2_K");
    cr_expect_null(quant_gguf_name(4)); /* removed from the format long ago */
    cr_expect_null(quant_gguf_name(4000000000u));
}

/* golden/quantise: rows of floats and what the gguf package makes of them. */
Test(quant, narrow_bit_for_bit)
{
    static const enum quant_type types[] = {QUANT_F16, QUANT_BF16, QUANT_Q8_0,
                                            QUANT_Q4_0};
    struct safetensors st;
    struct err e = {0};

    cr_assert_eq(
        safetensors_open(&st, "tests/golden/quantise/expected.safetensors", &e), 0,
        "%s", e.text);
    const struct st_entry *x = safetensors_find(&st, "x");
    float *src = malloc(x->count * sizeof *src);
    unsigned char *got = malloc(4 * x->count);
    cr_assert(src && got);
    memcpy(src, x->data, x->count * sizeof *src);
    for (size_t k = 0; k < 4; k++) {
        const struct st_entry *want = safetensors_find(&st, quant_name(types[k]));

        cr_assert_not_null(want);
        cr_assert_eq(quant_bytes(types[k], x->count), want->count);
        cr_expect_eq(quant_narrow(got, src, types[k], x->count), 0);
        for (size_t i = 0; i < want->count; i++)
            cr_assert_eq(got[i], (unsigned char)want->data[i],
                         "%s: byte %zu: %d, not %d", want->name, i, got[i],
                         (unsigned char)want->data[i]);
    }
    free(src);
    free(got);
    safetensors_close(&st);
}

/* What a type cannot hold is counted; quantised once more, values stay as they are. */
Test(quant, narrow_laws)
{
    static const enum quant_type types[] = {QUANT_F32, QUANT_F16, QUANT_BF16,
                                            QUANT_Q8_0, QUANT_Q4_0};

    for (size_t k = 0; k < 5; k++) {
        float x[64], once[64], twice[64];
        unsigned char b[256];

        for (int i = 0; i < 64; i++)
            x[i] = (float)(i * i % 61 - 30) / 7;
        cr_expect_eq(quant_narrow(b, x, types[k], 64), 0);
        quant_widen(ISA_PLAIN, once, b, types[k], 64);
        cr_expect_eq(quant_narrow(b, once, types[k], 64), 0);
        quant_widen(ISA_PLAIN, twice, b, types[k], 64);
        cr_expect_eq(memcmp(once, twice, sizeof once), 0, "%s", quant_name(types[k]));
    }
    float large[32] = {1e9f};
    unsigned char b[64];
    cr_expect_eq(quant_narrow(b, large, QUANT_F16, 32), 1);
    cr_expect_eq(quant_narrow(b, large, QUANT_Q8_0, 32), 1);
    cr_expect_eq(quant_narrow(b, large, QUANT_Q4_0, 32), 1);
    cr_expect(quant_can_narrow(QUANT_Q8_0) && !quant_can_narrow(QUANT_Q4_1));
}
