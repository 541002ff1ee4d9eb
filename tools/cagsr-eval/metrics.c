/*
 * The one list of metrics.  cagsr-eval(1) has the same, for people.
 */
#include "eval.h"

#include <string.h>

#define NEEDS_TEXT "text"
#define NEEDS_PROMPT "text and prompt"
#define NEEDS_REFERENCE "text and a reference (--reference names its field)"
#define NEEDS_GROUP "text, of two or more candidates of a prompt"
#define NEEDS_ENCODER "a sentence encoder (--encoder)"
#define NEEDS_MODEL "a frozen model (--model)"

const struct metric_info metric_table[METRICS] = {
    [M_RELEVANCE] = {"relevance", "relevance", 1, .needs = NEEDS_ENCODER},
    [M_RELEVANCE_SHUFFLED] = {"relevance_shuffled", "relevance", 0,
                              .needs = NEEDS_ENCODER " and two prompts"},
    [M_RELEVANCE_GAP] = {"relevance_gap", "relevance", 1,
                         .needs = NEEDS_ENCODER " and two prompts"},
    [M_SIMILARITY] = {"similarity", "relevance", 1,
                      .needs = NEEDS_ENCODER " and a reference"},
    [M_TFIDF] = {"tfidf", "tfidf", 1, .needs = NEEDS_PROMPT},
    [M_TFIDF_SHUFFLED] = {"tfidf_shuffled", "tfidf", 0,
                          .needs = NEEDS_PROMPT ", and two prompts"},
    [M_TFIDF_GAP] = {"tfidf_gap", "tfidf", 1,
                     .needs = NEEDS_PROMPT ", and two prompts"},
    [M_TFIDF_REFERENCE] = {"tfidf_reference", "tfidf", 1, .needs = NEEDS_REFERENCE},
    [M_ROUGE_1] = {"rouge1", "rouge", 1, .needs = NEEDS_REFERENCE},
    [M_ROUGE_2] = {"rouge2", "rouge", 1, .needs = NEEDS_REFERENCE},
    [M_ROUGE_L] = {"rougeL", "rouge", 1, .needs = NEEDS_REFERENCE},
    [M_ROUGE_LSUM] = {"rougeLsum", "rouge", 1, .needs = NEEDS_REFERENCE},
    [M_STEM_1] = {"rouge1_stem", "rouge_stem", 1, .needs = NEEDS_REFERENCE},
    [M_STEM_2] = {"rouge2_stem", "rouge_stem", 1, .needs = NEEDS_REFERENCE},
    [M_STEM_L] = {"rougeL_stem", "rouge_stem", 1, .needs = NEEDS_REFERENCE},
    [M_STEM_LSUM] = {"rougeLsum_stem", "rouge_stem", 1, .needs = NEEDS_REFERENCE},
    [M_EXACT] = {"exact", "answer", 1, .needs = NEEDS_REFERENCE},
    [M_F1] = {"f1", "answer", 1, .needs = NEEDS_REFERENCE},
    [M_GSM8K] = {"gsm8k", "gsm8k", 1, .needs = NEEDS_REFERENCE " with '#### number'"},
    [M_STEPS] = {"steps", "gsm8k", 0, .needs = NEEDS_REFERENCE " with '#### number'"},
    [M_REP_2] = {"rep_2", "repetition", -1, .needs = NEEDS_TEXT},
    [M_REP_3] = {"rep_3", "repetition", -1, .needs = NEEDS_TEXT},
    [M_REP_4] = {"rep_4", "repetition", -1, .needs = NEEDS_TEXT},
    [M_DIVERSITY] = {"diversity", "repetition", 1, .needs = NEEDS_TEXT},
    [M_COPY] = {"copy_4", "copy", -1, .needs = NEEDS_PROMPT},
    [M_DISTINCT_1] = {"distinct_1", "among", 0, OF_GROUP, .needs = NEEDS_GROUP},
    [M_DISTINCT_2] = {"distinct_2", "among", 0, OF_GROUP, .needs = NEEDS_GROUP},
    [M_SELF_BLEU] = {"self_bleu", "among", 0, OF_GROUP, .needs = NEEDS_GROUP},
    [M_CONSISTENCY] = {"consistency", "among", 0, OF_GROUP, .needs = NEEDS_GROUP},
    [M_CONSISTENCY_COSINE] = {"consistency_cosine", "among", 0, OF_GROUP,
                              .needs =
                                  NEEDS_ENCODER ", and two candidates of a prompt"},
    [M_LENGTH] = {"length", "length", 0, .needs = "ids"},
    [M_WORDS] = {"words", "length", 0, .needs = NEEDS_TEXT},
    [M_EOS] = {"finish_eos", "finish", 0, .needs = "finish"},
    [M_STOP] = {"finish_stop", "finish", 0, .needs = "finish"},
    [M_CUT] = {"finish_length", "finish", 0, .needs = "finish"},
    [M_LOGP] = {"logp", "policy", 0, .needs = "logp"},
    [M_REF] = {"ref", "policy", 0, .needs = "ref (cagsr-attn adds it)"},
    [M_ENTROPY] = {"entropy", "policy", 0, .per_token = 1,
                   .needs = "logp and a temperature above 0"},
    [M_KL] = {"kl", "policy", 0, .needs = "logp and ref (cagsr-attn adds it)"},
    [M_KL3] = {"kl_k3", "policy", 0, .needs = "logp and ref (cagsr-attn adds it)"},
    [M_PPL_RESPONSE] = {"ppl_response", "perplexity", 0, OF_SAMPLE, BOOT_EXP, 1,
                        NEEDS_MODEL ", or ref at a temperature of 1 or 0"},
    [M_PPL_REFERENCE] = {"ppl_reference", "perplexity", -1, OF_GROUP, BOOT_EXP, 1,
                         NEEDS_MODEL " and a reference"},
    [M_PPL_FOLLOWUP] = {"ppl_followup", "perplexity", -1, OF_SAMPLE, BOOT_EXP, 1,
                        NEEDS_MODEL " and a follow-up (--followup names its field)"},
    [M_REWARD] = {"reward", "reward", 0, .needs = "reward (cagsr-reward adds it)"},
    [M_JUDGE] = {"judge", "judge", 1, OF_STREAMS,
                 .needs = "--against, text, prompt and a reference"},
};

static int is(const char *name, const char *s, size_t n)
{
    return strlen(name) == n && memcmp(name, s, n) == 0;
}

int metric_named(enum metric m, const char *name, size_t n)
{
    return is(metric_table[m].name, name, n) || is(metric_table[m].family, name, n);
}

static int choose_one(unsigned char *chosen, const char *name, size_t n)
{
    int found = 0;

    for (size_t m = 0; m < METRICS; m++)
        if (metric_named((enum metric)m, name, n))
            chosen[m] = found = 1;
    return found;
}

/* The families by name, for the sentence. */
static void list_families(char *out, size_t size)
{
    size_t at = 0;

    for (size_t m = 0; m < METRICS; m++)
        if (m == 0 || strcmp(metric_table[m].family, metric_table[m - 1].family) != 0)
            at += (size_t)snprintf(out + at, size - at, "%s%s", m ? ", " : "",
                                   metric_table[m].family);
}

int metrics_choose(unsigned char *chosen, const char *list, struct err *e)
{
    char families[512];

    memset(chosen, !list, METRICS);
    while (list && *list) {
        const size_t n = strcspn(list, ",");

        if (!choose_one(chosen, list, n)) {
            list_families(families, sizeof families);
            return err_set(e, ERR_USAGE,
                           "--metrics: '%.*s' is no metric; the families are %s",
                           (int)n, list, families);
        }
        list += n + (list[n] == ',');
    }
    return 0;
}
