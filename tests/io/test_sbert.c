/* Directories of sentence-transformers: what is read, and what is refused by file and key. */
#include "../support/files.h"

#include "io/sbert.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

/* Files of a directory; NULL: it is not there. */
struct files {
    const char *modules, *pooling, *bert, *tokenizer, *sentence;
};

static void make(const char *dir, const char *name, const char *text)
{
    if (text)
        file_make(path_in(dir, name), text, strlen(text));
}

static char *make_dir(const struct files *f)
{
    char *dir = scratch_make();

    cr_assert_eq(mkdir(path_in(dir, "1_Pooling"), 0777), 0);
    make(dir, "modules.json", f->modules);
    make(dir, "1_Pooling/config.json", f->pooling);
    make(dir, "sentence_bert_config.json", f->bert);
    make(dir, "tokenizer_config.json", f->tokenizer);
    make(dir, "config_sentence_transformers.json", f->sentence);
    return dir;
}

#define TRANSFORMER                                                                    \
    "{\"path\":\"\",\"type\":\"sentence_transformers.models.Transformer\"}"
#define POOLING                                                                        \
    "{\"path\":\"1_Pooling\",\"type\":\"sentence_transformers.models.Pooling\"}"
#define NORMALIZE                                                                      \
    "{\"path\":\"2_Normalize\",\"type\":\"sentence_transformers.models.Normalize\"}"
#define DENSE "{\"path\":\"2_Dense\",\"type\":\"sentence_transformers.models.Dense\"}"
#define MODULES "[" TRANSFORMER "," POOLING "]"
#define NEWER                                                                          \
    "[{\"path\":\"\",\"type\":"                                                        \
    "\"sentence_transformers.base.modules.transformer.Transformer\"},"                 \
    "{\"path\":\"1_Pooling\",\"type\":"                                                \
    "\"sentence_transformers.sentence_transformer.modules.pooling.Pooling\"}]"

static const struct taken {
    struct files files;
    enum sbert_pool pool;
    size_t max_tokens;
} taken[] = {
    {{0}, SBERT_MEAN, SIZE_MAX},
    {{MODULES}, SBERT_MEAN, SIZE_MAX},
    {{NEWER, "{\"pooling_mode\":\"cls\"}"}, SBERT_CLS, SIZE_MAX},
    {{"[" TRANSFORMER "," POOLING "," NORMALIZE "]", "{}"}, SBERT_MEAN, SIZE_MAX},
    {{MODULES, "{\"pooling_mode_cls_token\":true,\"pooling_mode_mean_tokens\":false}"},
     SBERT_CLS,
     SIZE_MAX},
    {{MODULES, "{\"pooling_mode\":\"max\",\"pooling_mode_cls_token\":true}"},
     SBERT_MAX,
     SIZE_MAX},
    {{.pooling = "{\"pooling_mode\":\"cls\"}"}, SBERT_MEAN, SIZE_MAX},
    {{.bert = "{\"max_seq_length\":256,\"do_lower_case\":false}",
      .tokenizer = "{\"model_max_length\":512}"},
     SBERT_MEAN,
     256},
    {{.bert = "{\"max_seq_length\":null}", .tokenizer = "{\"model_max_length\":512}"},
     SBERT_MEAN,
     512},
    {{.tokenizer = "{\"model_max_length\":1000000000000000019884624838656}"},
     SBERT_MEAN,
     SIZE_MAX},
    {{.bert = "{\"do_lower_case\":true}", .tokenizer = "{\"do_lower_case\":true}"},
     SBERT_MEAN,
     SIZE_MAX},
    {{.sentence = "{\"default_prompt_name\":null,\"prompts\":{\"query\":\"q: \"}}"},
     SBERT_MEAN,
     SIZE_MAX},
    {{.sentence = "{\"default_prompt_name\":\"a\",\"prompts\":{\"a\":\"\"}}"},
     SBERT_MEAN,
     SIZE_MAX},
};

Test(sbert, taken)
{
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        char *dir = make_dir(&taken[i].files);
        struct sbert s;
        struct err e = {0};

        cr_assert_geq(sbert_read(&s, dir, &e), 0, "%zu: %s", i, e.text);
        cr_expect_eq(s.pool, taken[i].pool, "%zu", i);
        cr_expect_eq(s.max_tokens, taken[i].max_tokens, "%zu", i);
        cr_expect_str_eq(s.model, dir, "%zu", i);
        sbert_release(&s);
        scratch_remove(dir);
    }
}

static const struct refused {
    struct files files;
    const char *sentence; /* behind the directory's name */
} refused[] = {
    {{"{}"}, "modules.json: a list of at least two stages expected"},
    {{"[" TRANSFORMER "]"}, "modules.json: a list of at least two stages expected"},
    {{"[3,4]"}, "modules.json: no 'type', a string expected"},
    {{"[" POOLING "," TRANSFORMER "]"},
     "modules.json: 'sentence_transformers.models.Pooling' is stage 0; Transformer, "
     "Pooling and perhaps Normalize are supported"},
    {{"[" TRANSFORMER "," POOLING "," DENSE "]"},
     "modules.json: 'sentence_transformers.models.Dense' is stage 2; Transformer, "
     "Pooling and perhaps Normalize are supported"},
    {{"[" TRANSFORMER "," POOLING "," NORMALIZE "," NORMALIZE "]"},
     "modules.json: 'sentence_transformers.models.Normalize' is stage 3; Transformer, "
     "Pooling and perhaps Normalize are supported"},
    {{"[{\"path\":\"../x\",\"type\":\"Transformer\"}," POOLING "]"},
     "modules.json: 'path' is '../x', a directory beside it expected"},
    {{"[{\"path\":\"/x\",\"type\":\"Transformer\"}," POOLING "]"},
     "modules.json: 'path' is '/x', a directory beside it expected"},
    {{MODULES, "[]"}, "1_Pooling/config.json: not an object"},
    {{MODULES, "{\"pooling_mode\":\"best\"}"},
     "1_Pooling/config.json: 'pooling_mode' is not one of mean, cls, max, "
     "mean_sqrt_len_tokens, weightedmean, lasttoken"},
    {{MODULES, "{\"pooling_mode\":[\"mean\",\"max\"]}"},
     "1_Pooling/config.json: 'pooling_mode' is not one of mean, cls, max, "
     "mean_sqrt_len_tokens, weightedmean, lasttoken"},
    {{MODULES, "{\"pooling_mode_cls_token\":true,\"pooling_mode_max_tokens\":true}"},
     "1_Pooling/config.json: 'pooling_mode_max_tokens' beside "
     "'pooling_mode_cls_token': "
     "one way of pooling is supported, not several joined"},
    {{MODULES, "{\"pooling_mode_cls_token\":1}"},
     "1_Pooling/config.json: 'pooling_mode_cls_token' is not true or false"},
    {{.bert = "{\"max_seq_length\":0}"},
     "sentence_bert_config.json: 'max_seq_length' is 0, expected 1 to 1073741824"},
    {{.tokenizer = "{\"model_max_length\":0.5}"},
     "tokenizer_config.json: 'model_max_length' is not at least 1"},
    {{.bert = "{\"do_lower_case\":true}", .tokenizer = "{\"do_lower_case\":false}"},
     "sentence_bert_config.json: 'do_lower_case' is true, which is supported where the "
     "tokenizer does it"},
    {{.sentence = "{\"default_prompt_name\":\"q\",\"prompts\":{\"q\":\"query: \"}}"},
     "config_sentence_transformers.json: 'default_prompt_name' is 'q': a prompt in "
     "front of every text is not supported"},
    {{.sentence = "{\"default_prompt_name\":\"q\",\"prompts\":{\"q\":7}}"},
     "config_sentence_transformers.json: 'q' is not a string"},
};

Test(sbert, refused)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char *dir = make_dir(&refused[i].files);
        struct sbert s;
        struct err e = {0};

        cr_expect_eq(sbert_read(&s, dir, &e), ERR_FILE, "%zu", i);
        cr_expect_str_eq(e.text, path_in(dir, refused[i].sentence));
        cr_expect_null(s.model);
        sbert_release(&s);
        scratch_remove(dir);
    }
}

/* The encoder may lie in a directory of its own, and its limit with it. */
Test(sbert, stages_in_directories)
{
    static const char modules[] =
        "[{\"path\":\"0_Transformer\",\"type\":\"Transformer\"}," POOLING "]";
    char *dir = make_dir(&(struct files){modules, .bert = "{\"max_seq_length\":7}"});
    struct sbert s;
    struct err e = {0};

    cr_assert_eq(mkdir(path_in(dir, "0_Transformer"), 0777), 0);
    make(dir, "0_Transformer/sentence_bert_config.json", "{\"max_seq_length\":99}");
    cr_assert_geq(sbert_read(&s, dir, &e), 0, "%s", e.text);
    cr_expect_str_eq(s.model, path_in(dir, "0_Transformer"));
    cr_expect_eq(s.max_tokens, 99);
    sbert_release(&s);
    scratch_remove(dir);
}
