/*
 * cagsr-sample: prompts in, candidates with their log-probabilities out.
 */
#include "base/hash.h"
#include "cagsr-sample/given.h"
#include "cagsr-sample/run.h"
#include "cli/cli.h"
#include "io/checkpoint.h"
#include "io/peft.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct opts {
    struct cli_common common;
    struct rec_limits limits;
    struct run_opts run;
    struct cli_list stop;
    int raw, text, dtype;
    const char *system, *shard, *follow, *given;
    size_t lag;
};

#define AT(member) offsetof(struct opts, member)

static const struct cli_option options[] = {
    {"candidates", 'n', CLI_SIZE, AT(run.n), "N", "candidates per prompt (8)", .lo = 1,
     .hi = 65536},
    {"temperature", 't', CLI_DOUBLE, AT(run.sample.temperature), "TEMP",
     "temperature, 0 takes the likeliest token (1)", .hi = 100},
    {"top-k", 0, CLI_SIZE, AT(run.sample.top_k), "K",
     "draw from the K likeliest tokens (0: all)"},
    {"top-p", 0, CLI_DOUBLE, AT(run.sample.top_p), "P",
     "draw from the likeliest tokens that reach probability P (1)", .lo = 1e-9,
     .hi = 1},
    {"min-p", 0, CLI_DOUBLE, AT(run.sample.min_p), "P",
     "draw from tokens at least P times as likely as the likeliest (0)", .hi = 1},
    {"max-tokens", 0, CLI_SIZE, AT(run.max_tokens), "T",
     "end a response after T tokens (128)", .lo = 1, .hi = 1 << 24},
    {"stop", 0, CLI_LIST, AT(stop), "STR", "end a response at STR; may be repeated"},
    {"ignore-eos", 0, CLI_FLAG, AT(run.ignore_eos), NULL, "go on after end tokens"},
    {"raw", 0, CLI_FLAG, AT(raw), NULL, "prompts as they are, no chat template"},
    {"system", 0, CLI_STRING, AT(system), "STR",
     "system prompt of conversations that have none"},
    {"text", 0, CLI_FLAG, AT(text), NULL, "read plain text, a prompt a line"},
    {"attn", 0, CLI_OPTARG, AT(run.attn), "LAYERS",
     "capture attention: upper (default), all, last, A:B"},
    {"batch", 0, CLI_SIZE, AT(run.rows), "ROWS", "candidates that step together (32)",
     .lo = 1, .hi = 4096},
    {"dtype", 0, CLI_CHOICE, AT(dtype), "TYPE",
     "type that the model's matrices are rounded to: f32 or bf16 (f32)",
     .choices = kern_dtype_names},
    {"given", 0, CLI_STRING, AT(given), "FIELD",
     "draw nothing: the answers stand in the records' FIELD"},
    {"shard", 0, CLI_STRING, AT(shard), "I/K",
     "of every K prompts only number I, from 1"},
    {"skip-long", 0, CLI_FLAG, AT(run.skip_long), NULL,
     "pass over prompts that the model cannot take, with an error record"},
    {"follow", 0, CLI_STRING, AT(follow), "DIR",
     "sample with the newest version in DIR (cagsr-update --publish)"},
    {"lag", 0, CLI_SIZE, AT(lag), "K", "batches the update may be behind (0)"},
    {"batch-prompts", 0, CLI_SIZE, AT(run.prompts), "N",
     "prompts in a batch when following (8)", .lo = 1, .hi = 1 << 20},
    REC_LIMITS_OPTIONS(struct opts, limits),
    {0},
};

static const struct cli_tool tool = {
    .name = "cagsr-sample",
    .synopsis = "[-m model] [-n N] [-t temp] [--max-tokens T] [--raw] [--text] "
                "[--attn[=layers]] [--follow dir] [--given field] [-o file] [file ...]",
    .summary = "draw responses to prompts from a language model",
    .common =
        CLI_MODEL | CLI_OUTPUT | CLI_THREADS | CLI_SEEDED | CLI_PROGRESS | CLI_FORCE,
    .options = options,
    .max_files = SIZE_MAX,
};

/* What main holds, in the order in which it is made. */
struct parts {
    struct cli_output out;
    struct par *par;
    struct kern *kern;
    char *first;         /* the first version, when following */
    char hash[HASH_HEX]; /* of the model, for the header */
    struct tok *tok;
    struct chat chat;
    struct source *source;
    struct rec_writer *writer;
    struct run run;
};

/* "I/K", 1 <= I <= K. */
static int parse_shard(struct source_opts *s, const char *text, struct err *e)
{
    char *rest = NULL;
    unsigned long long i, k = 0;

    s->shards = 1;
    if (!text)
        return 0;
    i = strtoull(text, &rest, 10);
    if (*rest == '/' && rest > text && rest[1] >= '0' && rest[1] <= '9')
        k = strtoull(rest + 1, &rest, 10);
    if (*rest || i < 1 || i > k || text[0] == '-')
        return err_set(e, ERR_USAGE, "--shard is '%s', I/K with 1 <= I <= K expected",
                       text);
    s->shard = (size_t)i - 1;
    s->shards = (size_t)k;
    return 0;
}

static int take_stops(struct stops *s, const struct cli_list *list,
                      const struct tok *tok, struct err *e)
{
    *s = (struct stops){.text = list->item, .n = list->n};
    for (size_t i = 0; i < list->n; i++) {
        const size_t n = strlen(list->item[i]);

        if (n == 0 || !rec_utf8_valid(list->item[i], n))
            return err_set(e, ERR_USAGE, "--stop wants UTF-8 text");
        s->longest = n > s->longest ? n : s->longest;
    }
    if (list->n && !tok_has_text(tok))
        return err_set(e, ERR_USAGE, "--stop needs a tokenizer, the model brings none");
    return 0;
}

/* The tokenizer's model: -m, or the first version that appears. */
static int open_text(struct parts *p, const struct opts *o, const struct follow *f,
                     struct err *e)
{
    const char *path = o->common.model, *adapter = f ? NULL : o->common.adapter;
    struct peft_paths at;
    int rc = 0;

    if (f) {
        rc = follow_wait(f, 0, &p->run.version, &p->first, e);
        path = p->first;
    }
    if (f && rc == 0)
        return err_set(e, ERR_FILE, "%s: the publisher has ended already", f->dir);
    if (rc < 0 || (rc = peft_paths_find(&at, path, adapter, e)) < 0)
        return rc;
    rc = tok_open(&p->tok, at.text, e);
    peft_paths_release(&at);
    if (rc < 0)
        return rc;
    return chat_open(&p->chat, p->tok, o->raw ? CHAT_RAW : CHAT_TEMPLATE, o->system, e);
}

static int open_in(struct parts *p, const struct opts *o, struct err *e)
{
    struct source_opts s = {
        .form = o->text ? SOURCE_TEXT : SOURCE_RECORDS,
        .files = o->common.files,
        .nfiles = o->common.nfiles,
        .limits = o->limits,
    };
    const int rc = parse_shard(&s, o->shard, e);

    return rc < 0 ? rc : source_new(&p->source, &s, &p->chat, e);
}

static int open_out(struct parts *p, const struct opts *o, struct err *e)
{
    struct rec_pg pg = {
        .name = tool.name,
        .version = CAGSR_VERSION,
        .command_line = o->common.command_line,
    };

    if (p->run.model) {
        hash_hex(p->hash, p->run.model->hash);
        pg.model = p->hash;
        pg.dtype = kern_dtype_names[o->dtype];
        pg.kernel = kern_name(p->kern);
    }
    return rec_writer_new(&p->writer, p->out.fd, source_reader(p->source), &pg,
                          &o->limits, e);
}

/* What cannot go together. */
static int check(const struct opts *o, struct err *e)
{
    if (o->given && (o->follow || o->run.attn || o->stop.n))
        return err_set(
            e, ERR_USAGE,
            "--given draws nothing, --follow, --attn and --stop ask for that");
    if (o->given && o->text)
        return err_set(e, ERR_USAGE,
                       "--given needs records, a line of --text has no answer");
    return 0;
}

static int open_model(struct parts *p, const struct opts *o, const struct follow *f,
                      struct err *e)
{
    const struct kern_opts k = {.dtype = (enum kern_dtype)o->dtype};
    int rc;

    if ((rc = par_new(&p->par, o->common.threads, e)) < 0 ||
        (rc = kern_new(&p->kern, p->par, &k, e)) < 0)
        return rc;
    p->run.kern = p->kern;
    return run_open_model(&p->run, f ? p->first : o->common.model,
                          f ? NULL : o->common.adapter, e);
}

static int open_all(struct parts *p, const struct opts *o, const struct follow *f,
                    struct err *e)
{
    struct run *r = &p->run;
    int rc;

    r->o = o->run;
    r->o.seed = o->common.seed;
    r->tool = &tool;
    r->common = &o->common;
    r->chat = &p->chat;
    if ((rc = check(o, e)) < 0 || (rc = open_text(p, o, f, e)) < 0 ||
        (rc = take_stops(&r->emit.stops, &o->stop, p->tok, e)) < 0 ||
        (rc = open_in(p, o, e)) < 0 ||
        (rc = o->given ? 0 : open_model(p, o, f, e)) < 0 ||
        (rc = open_out(p, o, e)) < 0)
        return rc;
    r->source = p->source;
    r->out = p->writer;
    r->emit.out = p->writer;
    r->emit.tok = p->tok;
    r->emit.seed = r->o.seed;
    r->emit.temperature = r->o.sample.temperature;
    return 0;
}

static int run(struct parts *p, const struct opts *o, const struct follow *f,
               struct err *e)
{
    return o->given ? given_all(&p->run.emit, p->source, &p->chat, o->given, &tool,
                                &o->common, e)
                    : run_all(&p->run, f, e);
}

static void close_all(struct parts *p)
{
    run_release(&p->run);
    rec_writer_free(p->writer);
    source_free(p->source);
    chat_close(&p->chat);
    tok_close(p->tok);
    kern_free(p->kern);
    par_free(p->par);
    free(p->first);
}

int main(int argc, char **argv)
{
    struct opts o = {
        .run = {.n = 8,
                .rows = 32,
                .max_tokens = 128,
                .sample = {.temperature = 1, .top_p = 1},
                .prompts = 8},
    };
    struct parts p = {0};
    struct err e = {0};

    cli_parse(&tool, &o, argc, argv);
    int rc = cli_output_open(&p.out, &o.common, &e);
    const struct follow f = {.dir = o.follow, .lag = o.lag, .out = p.out.fd};
    const struct follow *following = o.follow ? &f : NULL;

    if (rc == 0)
        rc = open_all(&p, &o, following, &e);
    if (rc == 0)
        rc = run(&p, &o, following, &e);
    rc = rec_writer_end(p.writer, rc, &e);
    rc = cli_output_close(&p.out, rc, &e);
    close_all(&p);
    return cli_finish(&tool, &o.common, rc, &e);
}
