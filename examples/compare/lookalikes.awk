# Which answers lookalikes.sh sets against each other: lines of a prompt and its right answers,
# tabs between, in; lines of numbers out, counted from 0:
#
#     prompt, its own answer; prompt and answer of the look-alike; those of one at random
#
# Of a prompt's right answers the one that mentions least of the prompt is its own, and of all
# other prompts' answers the one that mentions most of it is the look-alike (of equals the
# first).  A prompt is left out whose own answer does not mention less than the look-alike.
BEGIN {
    FS = "\t"
    k = split("a an the and or are is was were be has have had his her its their our your this that " \
        "these those it he she we you i they them what which who when where why how of in on at to " \
        "by with from for not but as into about also", part, " ")
    for (i = 1; i <= k; i++) stop[part[i]] = 1
    srand(seed)
}

# The content words of a text into list[1..], each once; their number.
function contents(text, list,    n, w, seen) {
    n = 0
    text = tolower(text)
    gsub(/\\[nrt]/, " ", text)
    while (match(text, /[a-z0-9]+/)) {
        w = substr(text, RSTART, RLENGTH)
        text = substr(text, RSTART + RLENGTH)
        if (w in stop || w in seen) continue
        seen[w] = 1
        list[++n] = w
    }
    return n
}

{
    prompt[NR] = $1
    answers[NR] = NF - 1
    for (j = 2; j <= NF; j++) {
        k = contents($j, list)
        for (i = 1; i <= k; i++) having[list[i]] = having[list[i]] " " NR ":" j - 2
    }
}

END {
    for (p = 1; p <= NR; p++) {
        split("", count)
        k = contents(prompt[p], list)
        for (i = 1; i <= k; i++) {
            n = split(having[list[i]], at, " ")
            for (j = 1; j <= n; j++) count[at[j]]++
        }
        own = 0
        for (j = 1; j < answers[p]; j++) if (count[p ":" j] + 0 < count[p ":" own] + 0) own = j
        like = ""
        for (at_ in count) {
            split(at_, where, ":")
            if (where[1] != p && (like == "" || count[at_] > count[like] ||
                (count[at_] == count[like] && before(where[1], where[2])))) {
                like = at_; like_p = where[1]; like_j = where[2]
            }
        }
        if (like == "" || count[p ":" own] + 0 >= count[like]) continue
        do other = 1 + int(NR * rand()); while (other == p)
        print p - 1, own, like_p - 1, like_j, other - 1, 0
    }
}

function before(q, j) { return q + 0 < like_p + 0 || (q + 0 == like_p + 0 && j + 0 < like_j + 0) }
