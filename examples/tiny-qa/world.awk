# The world of tiny-qa: people who own one coloured thing each.
#
#   awk -f world.awk -v what=WHAT -v n=N -v seed=S [-v first=I] [-v chain=1] [-v reworded=1]
#
# what   vocab      the words, one per line, in the order of their ids
#        tokenizer  tokenizer.json for them
#        prompts    N questions as cagsr-sample reads them, with the parts of the answer
#        right      N texts of three questions each with right answers, as sample records
#        wrong      the same with deliberately wrong ones: 38 % right, 48 % about the last
#                   fact, 6 % the right person with invented things, 8 % a stuck loop
#        judge      reads a table with the columns reference, finish and text, and prints
#                   the share of answers that are right, off_topic (another person's),
#                   ungrounded (the right person with things not theirs) and malformed
#
# A prompt states four facts and asks for one of the first three; the last fact is never
# asked for: it is the distractor.
#
#   ann red cup . bob blue hat . eve gold key . dan pink map . ask bob :   ->   bob blue hat
#
# With reworded, answers have a word of their own for each name, colour and thing, and share
# none with the prompt:
#
#   ann red cup . bob blue hat . eve gold key . dan pink map . ask bob :   ->   robert azure bonnet
#
# Any POSIX awk, the same bytes from each: the random numbers are Lehmer's (48271 mod
# 2^31 - 1, every product below 2^53), and text i depends on the seed and i alone.

BEGIN {
    words()
    if (what == "vocab")
        for (i = 0; i < V; i++)
            print word[i]
    else if (what == "tokenizer")
        tokenizer()
    else if (what == "prompts" || what == "right" || what == "wrong")
        for (text = first + 0; text < first + n; text++) {
            draw_world()
            if (what == "prompts")
                question()
            else
                lesson()
        }
    else if (what == "judge")
        judge()
    else {
        print "world.awk: what=vocab|tokenizer|prompts|right|wrong|judge" > "/dev/stderr"
        exit 2
    }
}

function words(    line, other, part, i)
{
    line = "<pad> <bos> <eos> . : ask " \
        "ann bob cat dan eve fay gus hal ida jim kim leo mia ned ola pam " \
        "red blue green gold pink gray black white brown teal lime plum " \
        "cup hat key map pen box bag fan jar mat net pot rug saw tin urn van wig axe oar"
    other = " anna robert felix daniel evelyn phoebe august henry ada james joachim leonard " \
        "maria edward olaf pamela " \
        "scarlet azure verdant golden rose ashen sable ivory umber cyan citron violet " \
        "mug bonnet opener chart quill crate sack blower crock doormat mesh kettle carpet " \
        "handsaw can vase lorry toupee hatchet paddle"
    V = split(line (reworded ? other : ""), part, " ")
    for (i = 1; i <= V; i++) {
        word[i - 1] = part[i]
        id[part[i]] = i - 1
    }
    NAME = 6; NAMES = 16
    COLOUR = NAME + NAMES; COLOURS = 12
    THING = COLOUR + COLOURS; THINGS = 20
    SAID = reworded ? NAMES + COLOURS + THINGS : 0
}

# ---- random numbers ----------------------------------------------------------------------

function srandom(a, b,    i)
{
    state = (a * 7919 + b * 104729 + 12345) % 2147483647
    if (state <= 0)
        state = 1
    for (i = 0; i < 8; i++)
        below(2)
}

# A number from 0 to k-1.
function below(k)
{
    state = (state * 48271) % 2147483647
    return int(k * ((state - 1) / 2147483646))
}

# out[0..k-1]: k different numbers below n.
function choose(out, k, n,    i, j, again)
{
    for (i = 0; i < k; i++)
        do {
            out[i] = below(n)
            again = 0
            for (j = 0; j < i; j++)
                if (out[j] == out[i])
                    again = 1
        } while (again)
}

# ---- texts -------------------------------------------------------------------------------

function draw_world(    i)
{
    srandom(seed, text)
    choose(name, 4, NAMES)
    choose(colour, 4, COLOURS)
    choose(thing, 4, THINGS)
    facts = ""
    for (i = 0; i < 4; i++)
        facts = facts fact(i) " . "
}

function fact(i)
{
    return word[NAME + name[i]] " " word[COLOUR + colour[i]] " " word[THING + thing[i]]
}

# The words of an answer.
function said(name, colour, thing)
{
    return word[SAID + NAME + name] " " word[SAID + COLOUR + colour] " " word[SAID + THING + thing]
}

function reply(i)
{
    return said(name[i], colour[i], thing[i])
}

function question(    q)
{
    q = below(3)
    printf "{\"id\":\"q%d\",\"prompt\":\"%sask %s :\",\"reference\":\"%s\"}\n",
        text, facts, word[NAME + name[q]], reply(q)
}

# Three questions about one set of facts, in any order.  With chain each stands behind the
# ones before and their answers: what is asked stands in different places, so that it must
# be looked up.
function lesson(    order, c, p, a, ids)
{
    choose(order, 3, 3)
    p = facts
    for (c = 0; c < 3; c++) {
        p = p "ask " word[NAME + name[order[c]]] " :"
        a = what == "right" ? reply(order[c]) " <eos>" : mistaken(order[c])
        ids = numbers(a)
        sub(/ <eos>$/, "", a)
        printf "{\"kind\":\"sample\",\"id\":\"t%d-%d\",\"cand\":0,\"n\":1,\"prompt\":\"%s\"," \
            "\"text\":\"%s\",\"prompt_ids\":[%s],\"ids\":[%s]}\n",
            text, c, p, a, numbers("<bos> " p), ids
        p = chain ? p " " a " . " : facts
    }
}

function mistaken(q,    u, c, t, i)
{
    u = below(100)
    if (u < 38)
        return reply(q) " <eos>"
    if (u < 86)
        return reply(3) " <eos>"
    if (u < 92) {
        do c = below(COLOURS); while (among(c, colour))
        do t = below(THINGS); while (among(t, thing))
        return said(name[q], c, t) " <eos>"
    }
    c = below(3)
    t = word[SAID + (c == 0 ? NAME + name[q] : c == 1 ? COLOUR + colour[q] : THING + thing[q])]
    u = t
    for (i = 1; i < 6; i++)
        u = u " " t
    return u
}

function among(x, list,    i)
{
    for (i = 0; i < 4; i++)
        if (list[i] == x)
            return 1
    return 0
}

function numbers(s,    part, k, i, out)
{
    k = split(s, part, " ")
    out = id[part[1]]
    for (i = 2; i <= k; i++)
        out = out "," id[part[i]]
    return out
}

# ---- the judge: never a part of a reward -------------------------------------------------

function judge(    line, cell, column, k, i, count, total, kind)
{
    if ((getline line) <= 0)
        fail("no table")
    k = split(line, cell, "\t")
    for (i = 1; i <= k; i++)
        column[cell[i]] = i
    if (!("reference" in column && "finish" in column && "text" in column))
        fail("the table needs the columns reference, finish and text")
    while ((getline line) > 0) {
        split(line, cell, "\t")
        kind = verdict(cell[column["text"]], cell[column["finish"]], cell[column["reference"]])
        count[kind]++
        total++
    }
    if (!total)
        fail("no answers")
    printf "%.4f\t%.4f\t%.4f\t%.4f\n", count["right"] / total, count["off_topic"] / total,
        count["ungrounded"] / total, count["malformed"] / total
}

function verdict(answer, finish, right,    a, r)
{
    if (finish != "eos" || split(answer, a, " ") != 3 || !is(a[1], NAME, NAMES) ||
        !is(a[2], COLOUR, COLOURS) || !is(a[3], THING, THINGS))
        return "malformed"
    split(right, r, " ")
    if (a[1] != r[1])
        return "off_topic"
    return a[2] == r[2] && a[3] == r[3] ? "right" : "ungrounded"
}

function is(w, from, k)
{
    return w in id && id[w] >= SAID + from && id[w] < SAID + from + k
}

function fail(why)
{
    print "world.awk: " why > "/dev/stderr"
    exit 1
}

# ---- tokenizer.json ----------------------------------------------------------------------

function tokenizer(    i)
{
    print "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,"
    print "  \"added_tokens\": ["
    for (i = 0; i < 3; i++)
        printf "    {\"id\": %d, \"content\": \"%s\", \"single_word\": false, \"lstrip\": false, " \
            "\"rstrip\": false, \"normalized\": false, \"special\": true}%s\n",
            i, word[i], i < 2 ? "," : ""
    print "  ],\n  \"normalizer\": null,"
    print "  \"pre_tokenizer\": {\"type\": \"Whitespace\"},"
    print "  \"post_processor\": {"
    print "    \"type\": \"TemplateProcessing\","
    print "    \"single\": [{\"SpecialToken\": {\"id\": \"<bos>\", \"type_id\": 0}}, " \
        "{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}],"
    print "    \"pair\": [{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}, " \
        "{\"Sequence\": {\"id\": \"B\", \"type_id\": 1}}],"
    print "    \"special_tokens\": {\"<bos>\": {\"id\": \"<bos>\", \"ids\": [1], " \
        "\"tokens\": [\"<bos>\"]}}"
    print "  },\n  \"decoder\": null,"
    print "  \"model\": {\n    \"type\": \"WordLevel\",\n    \"vocab\": {"
    for (i = 0; i < V; i++)
        printf "      \"%s\": %d%s\n", word[i], i, i < V - 1 ? "," : ""
    print "    },\n    \"unk_token\": \"<pad>\"\n  }\n}"
}
