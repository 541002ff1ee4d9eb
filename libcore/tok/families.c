#include "tok/families.h"

#include "tok/utf8.h"

#include <stdlib.h>
#include <string.h>

static void lit(struct rendered *r, const char *s)
{
    rendered_put(r, s, strlen(s), 0);
}

static int role_is(const struct chat_message *m, const char *role)
{
    return strcmp(m->role, role) == 0;
}

/* Python's str.strip: what it takes off. */
static int is_white(uint32_t c)
{
    return (c >= 9 && c <= 13) || (c >= 28 && c <= 32) || c == 0x85 || c == 0xa0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
           c == 0x202f || c == 0x205f || c == 0x3000;
}

/* [*from, *to) of s[0..n) without white space at the ends. */
static void strip(const char *s, size_t n, size_t *from, size_t *to)
{
    size_t len;

    for (*from = 0; *from < n && is_white(utf8_get(s + *from, n - *from, &len));)
        *from += len;
    for (*to = n; *to > *from;) {
        size_t b = *to - 1;

        while (b > *from && ((unsigned char)s[b] & 0xc0) == 0x80)
            b--;
        if (!is_white(utf8_get(s + b, *to - b, &len)))
            break;
        *to = b;
    }
}

enum ends { ENDS_KEPT, ENDS_STRIPPED };

/* What a message says. */
static void say(struct rendered *r, const struct chat_message *m, enum ends ends)
{
    size_t from = 0, to = m->n;

    if (ends == ENDS_STRIPPED)
        strip(m->text, m->n, &from, &to);
    rendered_put(r, m->text + from, to - from, role_is(m, "user"));
}

static int alternate(const struct chat_message *m, size_t i, struct err *e)
{
    if (role_is(m, "user") == (i % 2 == 0))
        return 0;
    return err_set(e, ERR_RECORD,
                   "Conversation roles must alternate "
                   "user/assistant/user/assistant/...");
}

/* ---- ChatML -----------------------------------------------------------------------------*/

#define LIT(s) "\\Q" s "\\E"
#define ROLE "{{message['role']}}"
#define CONTENT "{{message['content']}}"

static int render_chatml(struct rendered *r, const struct scene *s, struct err *e)
{
    (void)e;
    if (s->tm->system && !role_is(&s->m[0], "system")) {
        lit(r, "<|im_start|>system\n");
        lit(r, s->tm->system);
        lit(r, "<|im_end|>\n");
    }
    for (size_t i = 0; i < s->n; i++) {
        lit(r, "<|im_start|>");
        lit(r, s->m[i].role);
        lit(r, "\n");
        say(r, &s->m[i], s->tm->trim ? ENDS_STRIPPED : ENDS_KEPT);
        lit(r, "<|im_end|>\n");
    }
    if (s->end == TEMPLATE_ASK || s->tm->always_ask)
        lit(r, "<|im_start|>assistant\n");
    return 0;
}

/* A default system prompt inside the loop, or before it. */
#define CHATML_SYSTEM                                                                  \
    LIT("\"<|im_start|>system\\n")                                                     \
    "(?<system>(?:[^\"\\\\]|\\\\.)*?)" LIT("<|im_end|>\\n\"{%endif%}")
static const char chatml[] = "(?J)(?:" LIT(
    "{%if not add_generation_prompt is defined%}"
    "{%set add_generation_prompt=false%}{%endif%}") ")?"
                                                    "(?:" LIT("{%if "
                                                              "messages[0]['role']!='"
                                                              "system'%}") CHATML_SYSTEM
    ")?" LIT("{%for message in messages%}") "(?:" LIT(
        "{%if loop.first and messages[0]['role']!='system'%}") CHATML_SYSTEM
    ")?" LIT(
        "\"<|im_start|>\"" ROLE
        "\"\\n\"{{message['content']") "(?<trim>\\|trim)"
                                       "?" LIT(
                                           "}}\"<|im_"
                                           "end|>"
                                           "\\n\"{%"
                                           "endfor%}") "(?:(?<ask>" LIT("\"<|im_start|>"
                                                                        "assistant\\n"
                                                                        "\"") ")|" LIT("{%if "
                                                                                       "add_"
                                                                                       "generation_"
                                                                                       "prompt%}\"<|"
                                                                                       "im_start|>"
                                                                                       "assistant\\n\""
                                                                                       "{%endif%}") ")";

/* ---- Llama 2 ----------------------------------------------------------------------------*/

/* The first user turn, which carries the system prompt, stripped as a whole. */
static int llama2_user(struct rendered *r, const struct chat_message *system,
                       const struct chat_message *m, struct err *e)
{
    struct rendered whole = {0};
    size_t from, to;

    if (system) {
        lit(&whole, "<<SYS>>\n");
        rendered_put(&whole, system->text, system->n, 0);
        lit(&whole, "\n<</SYS>>\n\n");
    }
    rendered_put(&whole, m->text, m->n, role_is(m, "user"));
    if (whole.cap == 0 && m->n > 0)
        return err_set(e, ERR_NOMEM, "no memory for a conversation");
    strip(whole.text ? whole.text : "", whole.n, &from, &to);
    for (size_t i = from, k; i < to; i = k) { /* runs of one owner */
        for (k = i; k < to && whole.user[k] == whole.user[i]; k++)
            ;
        rendered_put(r, whole.text + i, k - i, whole.user[i]);
    }
    rendered_release(&whole);
    return 0;
}

static int render_llama2(struct rendered *r, const struct scene *s, struct err *e)
{
    const int has = role_is(&s->m[0], "system");

    for (size_t i = 0; i + (size_t)has < s->n; i++) {
        const struct chat_message *m = &s->m[i + (size_t)has];
        const struct chat_message *system = i == 0 && has ? &s->m[0] : NULL;
        const int user = role_is(m, "user");
        int rc = alternate(m, i, e);

        if (rc < 0)
            return rc;
        if (!user && !role_is(m, "assistant"))
            continue;
        lit(r, user ? s->bos : " ");
        lit(r, user ? "[INST] " : "");
        if ((rc = llama2_user(r, system, m, e)) < 0)
            return rc;
        lit(r, user ? " [/INST]" : " ");
        lit(r, user ? "" : s->eos);
    }
    return 0;
}

#define RAISE_ALTERNATE                                                                \
    "{%if(message['role']=='user')!=(loop.index0%2==0)%}{{raise_exception('"           \
    "Conversation"                                                                     \
    " roles must alternate user/assistant/user/assistant/...')}}{%endif%}"
static const char llama2[] = LIT(
    "{%if messages[0]['role']=='system'%}{%set loop_messages=messages[1:]%}"
    "{%set system_message=messages[0]['content']%}{%else%}"
    "{%set loop_messages=messages%}{%set system_message=false%}{%endif%}"
    "{%for message in loop_messages%}" RAISE_ALTERNATE
    "{%if loop.index0==0 and system_message!=false%}"
    "{%set content='<<SYS>>\\n'+system_message+'\\n<</SYS>>\\n\\n'+"
    "message['content']%}{%else%}{%set content=message['content']%}{%endif%}"
    "{%if message['role']=='user'%}{{bos_token}}\"[INST] \"{{content|trim}}"
    "\" [/INST]\"") "(?:" LIT("{%elif "
                              "message['role']=='system'%}\"<<SYS>>\\n\"{{content|trim}"
                              "}"
                              "\"\\n<</SYS>>\\n\\n\"") ")?" LIT("{%elif "
                                                                "message['role']=='"
                                                                "assistant'%}\" "
                                                                "\"{{content|trim}}\" "
                                                                "\"{{eos_token}}"
                                                                "{%endif%}{%endfor%}");

/* ---- Llama 3 ----------------------------------------------------------------------------*/

static int render_llama3(struct rendered *r, const struct scene *s, struct err *e)
{
    (void)e;
    for (size_t i = 0; i < s->n; i++) {
        if (i == 0)
            lit(r, s->bos);
        lit(r, "<|start_header_id|>");
        lit(r, s->m[i].role);
        lit(r, "<|end_header_id|>\n\n");
        say(r, &s->m[i], ENDS_STRIPPED);
        lit(r, "<|eot_id|>");
    }
    if (s->end == TEMPLATE_ASK || s->tm->always_ask)
        lit(r, "<|start_header_id|>assistant<|end_header_id|>\n\n");
    return 0;
}

#define LLAMA3_ASK "\"<|start_header_id|>assistant<|end_header_id|>\\n\\n\""
static const char llama3[] = LIT(
    "{%set loop_messages=messages%}{%for message in loop_messages%}"
    "{%set content='<|start_header_id|>'+message['role']+'<|end_header_id|>\\n\\n'+"
    "message['content']|trim+'<|eot_id|>'%}"
    "{%if loop.index0==0%}{%set content=bos_token+content%}{%endif%}"
    "{{content}}{%endfor%}") "(?:(?<ask>" LIT(LLAMA3_ASK) ")|" LIT("{%if "
                                                                   "add_generation_"
                                                                   "prompt%}" LLAMA3_ASK
                                                                   "{%endif%}") ")";

/* ---- Mistral ----------------------------------------------------------------------------*/

static int render_mistral(struct rendered *r, const struct scene *s, const char *gap,
                          struct err *e)
{
    lit(r, s->bos);
    for (size_t i = 0; i < s->n; i++) {
        const struct chat_message *m = &s->m[i];
        const int rc = alternate(m, i, e);

        if (rc < 0)
            return rc;
        if (role_is(m, "user")) {
            lit(r, "[INST] ");
            say(r, m, ENDS_KEPT);
            lit(r, " [/INST]");
        } else if (role_is(m, "assistant")) {
            say(r, m, ENDS_KEPT);
            lit(r, s->eos);
            lit(r, gap);
        } else {
            return err_set(e, ERR_RECORD,
                           "Only user and assistant roles are supported!");
        }
    }
    return 0;
}

static int render_mistral_1(struct rendered *r, const struct scene *s, struct err *e)
{
    return render_mistral(r, s, " ", e);
}

static int render_mistral_2(struct rendered *r, const struct scene *s, struct err *e)
{
    return render_mistral(r, s, "", e);
}

#define MISTRAL_HEAD                                                                   \
    LIT("{{bos_token}}{%for message in messages%}" RAISE_ALTERNATE                     \
        "{%if message['role']=='user'%}\"[INST] \"" CONTENT "\" [/INST]\""             \
        "{%elif message['role']=='assistant'%}" CONTENT "{{eos_token}}")
#define MISTRAL_TAIL                                                                   \
    LIT("{%else%}{{raise_exception('Only user and assistant roles are supported!')}}"  \
        "{%endif%}{%endfor%}")
static const char mistral_1[] = MISTRAL_HEAD LIT("\" \"") MISTRAL_TAIL;
static const char mistral_2[] = MISTRAL_HEAD MISTRAL_TAIL;

/* ---- Zephyr -----------------------------------------------------------------------------*/

static int render_zephyr(struct rendered *r, const struct scene *s, struct err *e)
{
    (void)e;
    for (size_t i = 0; i < s->n; i++) {
        const struct chat_message *m = &s->m[i];

        if (!role_is(m, "user") && !role_is(m, "system") && !role_is(m, "assistant"))
            continue;
        lit(r, "<|");
        lit(r, m->role);
        lit(r, "|>\n");
        say(r, m, ENDS_KEPT);
        lit(r, s->eos);
        lit(r, "\n");
    }
    if (s->end == TEMPLATE_ASK)
        lit(r, "<|assistant|>\n");
    return 0;
}

#define ZEPHYR_TURN(role)                                                              \
    "if message['role']=='" role "'%}\"<|" role "|>\\n\"" CONTENT "{{eos_token}}"      \
    "\"\\n\""
static const char zephyr[] =
    LIT("{%for message in messages%}{%" ZEPHYR_TURN("user") "{%el" ZEPHYR_TURN(
        "system") "{%el" ZEPHYR_TURN("assistant") "{%endif%}"
                                                  "{%if loop.last and "
                                                  "add_generation_prompt%}\"<|"
                                                  "assistant|>\\n\"{%endif%}"
                                                  "{%endfor%}");

/* ---- Gemma ------------------------------------------------------------------------------*/

static int render_gemma(struct rendered *r, const struct scene *s, struct err *e)
{
    lit(r, s->bos);
    if (role_is(&s->m[0], "system"))
        return err_set(e, ERR_RECORD, "System role not supported");
    for (size_t i = 0; i < s->n; i++) {
        const struct chat_message *m = &s->m[i];
        const int rc = alternate(m, i, e);

        if (rc < 0)
            return rc;
        lit(r, "<start_of_turn>");
        lit(r, role_is(m, "assistant") ? "model" : m->role);
        lit(r, "\n");
        say(r, m, ENDS_STRIPPED);
        lit(r, "<end_of_turn>\n");
    }
    if (s->end == TEMPLATE_ASK)
        lit(r, "<start_of_turn>model\n");
    return 0;
}

#define SET_ROLE "{%set role='model'%}{%else%}{%set role=message['role']%}{%endif%}"
static const char gemma[] = LIT(
    "{{bos_token}}{%if messages[0]['role']=='system'%}"
    "{{raise_exception('System role not supported')}}{%endif%}"
    "{%for message in messages%}" RAISE_ALTERNATE) "(?:" LIT("{%if(message['role']=='"
                                                             "assistant')%}") "|" LIT("{%if message['role']=='assistant'%}") ")" LIT(SET_ROLE
                                                                                                                                     "\"<start_of_turn>\"{{role}}\"\\n\"{{message['content']|trim}}"
                                                                                                                                     "\"<end_of_turn>\\n\"{%endfor%}"
                                                                                                                                     "{%if add_generation_prompt%}\"<start_of_turn>model\\n\"{%endif%}");

const struct family families[] = {
    {"chatml", chatml, "<|im_end|>", render_chatml},
    {"llama2", llama2, NULL, render_llama2},
    {"llama3", llama3, "<|eot_id|>", render_llama3},
    {"mistral-v0.1", mistral_1, NULL, render_mistral_1},
    {"mistral-v0.2", mistral_2, NULL, render_mistral_2},
    {"zephyr", zephyr, NULL, render_zephyr},
    {"gemma", gemma, "<end_of_turn>", render_gemma},
    {0},
};
