/*
 * What a prompt, another prompt and the references have to do with an answer.
 */
#ifndef CAGSR_MEASURE_RELATE_H
#define CAGSR_MEASURE_RELATE_H

#include "measure/corpus.h"

/* Every prompt gets another for its partner, by the seed. */
int relate_partners(struct corpus *c, uint64_t seed, struct err *e) MUST_CHECK;

/* The four metrics from `first` on, in the order of the enum: answer against its prompt,
 * against the partner's, the difference, and against the reference it is nearest to.
 * cosine: of two texts by number. */
void relate_texts(struct corpus *c, enum metric first,
                  double (*cosine)(const void *space, size_t a, size_t b),
                  const void *space);

/* Mean cosine of a group's candidates, M_CONSISTENCY_COSINE. */
void relate_among(struct corpus *c,
                  double (*cosine)(const void *space, size_t a, size_t b),
                  const void *space);

/* By tf-idf, idf over prompts and references. */
int relate_tfidf(struct corpus *c, struct err *e) MUST_CHECK;

/* The judge: z(relevance) + z(ROUGE-L) - z(rep-3) - z(copy), over the rows of both sides. */
void relate_judge(struct corpus *c);

#endif
