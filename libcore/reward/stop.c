/* English function words, ascending, so that they can be searched; a test holds that. */
#include "reward/words.h"

#include <stdlib.h>
#include <string.h>

static const char *const stop[] = {
    "a",         "about",    "above",      "across",   "after",   "again",
    "against",   "all",      "almost",     "along",    "already", "also",
    "although",  "always",   "am",         "among",    "an",      "and",
    "another",   "any",      "anyone",     "anything", "are",     "aren't",
    "around",    "as",       "at",         "be",       "because", "been",
    "before",    "being",    "below",      "between",  "both",    "but",
    "by",        "can",      "can't",      "cannot",   "could",   "couldn't",
    "d",         "did",      "didn't",     "do",       "does",    "doesn't",
    "doing",     "don't",    "done",       "down",     "during",  "each",
    "either",    "else",     "enough",     "etc",      "even",    "ever",
    "every",     "everyone", "everything", "few",      "for",     "from",
    "further",   "get",      "give",       "got",      "had",     "hadn't",
    "has",       "hasn't",   "have",       "haven't",  "having",  "he",
    "he'd",      "he'll",    "her",        "here",     "hers",    "herself",
    "him",       "himself",  "his",        "how",      "however", "i",
    "i'd",       "i'll",     "i'm",        "i've",     "if",      "in",
    "instead",   "into",     "is",         "isn't",    "it",      "it'd",
    "it'll",     "its",      "itself",     "just",     "least",   "less",
    "let",       "like",     "ll",         "m",        "many",    "may",
    "me",        "might",    "mine",       "more",     "most",    "much",
    "must",      "mustn't",  "my",         "myself",   "near",    "need",
    "neither",   "never",    "no",         "nobody",   "none",    "nor",
    "not",       "nothing",  "now",        "of",       "off",     "often",
    "on",        "once",     "one",        "ones",     "only",    "onto",
    "or",        "other",    "others",     "ought",    "our",     "ours",
    "ourselves", "out",      "over",       "own",      "per",     "please",
    "quite",     "rather",   "re",         "s",        "same",    "shall",
    "shan't",    "she",      "she'd",      "she'll",   "should",  "shouldn't",
    "since",     "so",       "some",       "somebody", "someone", "something",
    "still",     "such",     "t",          "than",     "that",    "that'd",
    "that'll",   "the",      "their",      "theirs",   "them",    "themselves",
    "then",      "there",    "these",      "they",     "they'd",  "they'll",
    "they're",   "they've",  "this",       "those",    "though",  "through",
    "thus",      "till",     "to",         "together", "too",     "toward",
    "towards",   "under",    "unless",     "until",    "up",      "upon",
    "us",        "ve",       "very",       "via",      "was",     "wasn't",
    "we",        "we'd",     "we'll",      "we're",    "we've",   "well",
    "were",      "weren't",  "what",       "whatever", "when",    "whenever",
    "where",     "whether",  "which",      "while",    "who",     "whoever",
    "whom",      "whose",    "why",        "will",     "with",    "within",
    "without",   "won't",    "would",      "wouldn't", "yes",     "yet",
    "you",       "you'd",    "you'll",     "you're",   "you've",  "your",
    "yours",     "yourself", "yourselves",
};

struct key {
    const char *s;
    size_t n;
};

static int compare(const void *a, const void *b)
{
    const struct key *k = a;
    const char *word = *(const char *const *)b;
    const int c = strncmp(k->s, word, k->n);

    return c ? c : word[k->n] ? -1 : 0;
}

int word_is_stop(const char *s, size_t n)
{
    const struct key k = {s, n};

    return bsearch(&k, stop, sizeof stop / sizeof *stop, sizeof *stop, compare) != NULL;
}
