# The page of cagsr-view --html in a real browser: what a model wrote is shown and never run;
# pointer and keys; numbers; layers, heads, mask, shares; a large run.
. "$KIT"
G=$SRC/tests/golden/view
for browser in ${CAGSR_BROWSER:-chromium chromium-browser google-chrome}; do
    ! command -v "$browser" >/dev/null || break
done
command -v "$browser" >/dev/null || skip "no Chromium or Chrome on this machine (apt-get install chromium)"
need python3
in_browser() { timeout 120 python3 "$SRC/tests/cli/browser.py" "$browser" "$1"; }

echo "-- a hostile run: text is text, nothing ran, nothing was fetched"
cat >attack.py <<'END'
import json
bad = ("</script><script>owned=1</script><img src=http://x.test/a onerror=owned=1><!--<script>"
       "\"]}';owned=1//\\u003c `${owned=1}`\u2028</style><svg onload=owned=1>{{owned}}&lt;b&gt;")
def tokens(text):
    parts = [text[i:i + 9] for i in range(0, len(text), 9)]
    at, ends = 0, []
    for p in parts:
        at += len(p.encode())
        ends.append(at)
    return parts, ends
parts, ends = tokens(bad)
n = len(parts)
rows = [[(1 + (t * n + j) % 7) / 1024 for j in range(n)] for t in range(n)]
for cand in range(2):
    print(json.dumps({"kind": "sample", "id": bad, "cand": cand, "prompt": bad, "text": bad,
        "prompt_ids": list(range(n)), "ids": list(range(n)), "prompt_ends": ends, "ends": ends,
        "attn": {"kind": "self", "layers": bad, "heads": "mean", "reduce": "mean", "model": "0",
                 "rows": {"$nd": [n, n], "type": "<f4", "data": rows}},
        "rewards": {bad: 0.5}, "reward": 0.5}))
print(json.dumps({"kind": "metric", "step": 1, bad: 1.0}))
print(json.dumps({"kind": "metric", "step": 2, bad: 2.0}))
END
python3 attack.py >attack.jsonl
cagsr-view -H --title '</title><script>owned=1</script>' -o attack.html attack.jsonl
cat >steps <<'END'
typeof owned
document.querySelectorAll("img, iframe, object, link").length
document.querySelectorAll("script:not([type])").length
document.querySelector("#answer").textContent === JSON.parse(document.querySelector("#g0").textContent).c[0].t.join("")
document.querySelector("#answer").textContent.startsWith("</script><script>owned=1</script><img src=http://x.test/a")
document.querySelector("#prompt").textContent.includes("`${owned=1}`")
document.querySelector("#prompts b").textContent.startsWith("</script>")
document.querySelector("#curves svg").textContent.includes("owned=1")
document.title
!hover #answer span:nth-child(4)
!click #ranking li:nth-child(2) button
!click #prompts button
document.querySelector("#sum").textContent.includes("</script>")
(() => { const s = document.createElement("script"); s.textContent = "owned = 2"; document.body.append(s); return typeof owned; })()
END
in_browser attack.html <steps | sed 's/sha256-[^'"'"']*/HASH/g; s/^\(log: Executing inline script violates\|log: Refused to execute inline script\).*/a script that was put in is refused/'

echo "-- numbers are the records', to the page's precision"
cagsr-reward "$G/run.jsonl" >run.rec
cagsr-view -H -o run.html run.rec "$G/seed1.jsonl"
cat >steps <<'END'
document.title + ": " + document.querySelector("#prompts button").lastChild.textContent
document.querySelector("#facts").textContent
document.querySelector("#said").textContent
[...document.querySelectorAll("#ranking .number")].map(x => x.textContent).join(" ")
document.querySelector("#sum").innerText.replace(/\s+/g, " ")
!hover #answer span:nth-child(2)
document.querySelector("#said").textContent
document.querySelector("#prompt span:nth-child(5)").style.getPropertyValue("--w")
getComputedStyle(document.querySelector("#prompt span:nth-child(5)")).backgroundColor
document.querySelector("#prompt span:nth-child(1)").hidden
!click #mask
!click #whole
!hover #answer span:nth-child(2)
document.querySelector("#said").textContent
document.querySelector("#prompt span:nth-child(1)").hidden
!click #share
!hover #answer span:nth-child(2)
document.querySelector("#said").textContent
document.querySelectorAll("#curves svg text").length > 20
END
in_browser run.html <steps
cagsr-cat -p -F attn.rows run.rec | python3 -c '
import json, sys
row = json.loads(next(sys.stdin))["attn.rows"][1]
print("row 1:", " ".join("%.2g" % (100 * x) for x in row), "of", "%.3g" % (100 * sum(row)))'

echo "-- keys alone: prompts, candidates, tokens, words; layers and heads"
cat >steps <<'END'
document.querySelector("#prompts button").focus()
!key ArrowDown
document.querySelector("#prompt-title").textContent
document.querySelectorAll("#layer option").length + " " + document.querySelectorAll("#head option").length
document.querySelector("#ranking button").focus()
!key ArrowDown
document.querySelector("#answer-title").textContent
document.querySelector("#answer span").focus()
!key ArrowRight
document.querySelector("#said").textContent
document.activeElement.textContent
!key Enter
!key Tab
document.querySelector("#said").textContent
!key Escape
document.querySelector("#said").textContent
(() => { layer.value = "1"; layer.dispatchEvent(new Event("change")); head.value = "2"; head.dispatchEvent(new Event("change")); return said.textContent; })()
[...document.querySelectorAll("#covered li, #uncovered li")].map(x => x.textContent).join("; ")
document.querySelector("#covered button").focus()
[...document.querySelectorAll("#prompt .lit")].map(x => x.textContent).join("|")
END
in_browser run.html <steps
echo "-- dark and light differ"
cat >steps <<'END'
getComputedStyle(document.body).backgroundColor
!dark
getComputedStyle(document.body).backgroundColor
END
in_browser run.html <steps
echo "-- every control has a name"
cat >steps <<'END'
[...document.querySelectorAll("button, select, input")].filter(x => !(x.textContent.trim() && x.tagName === "BUTTON") && !x.labels?.length).length
document.documentElement.lang + " " + document.querySelectorAll("h1").length + " " + document.querySelectorAll("main").length
END
in_browser run.html <steps

echo "-- 200 prompts of 8 candidates, 64 tokens that read 67: under 10 MB, drawn in 5 s"
large_run | cagsr-view -H -o large.html
[ "$(wc -c <large.html)" -lt 10000000 ] && echo "under 10 MB"
cat >steps <<'END'
document.querySelector("#facts").textContent
performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd < 5000
!click #prompts li:nth-child(200) button
document.querySelector("#prompt-title").textContent
(() => { const t = performance.now(); document.querySelector("#ranking li:nth-child(8) button").click(); return performance.now() - t < 500; })()
(() => { const t = performance.now(); const s = document.querySelectorAll("#answer span"); for (const x of s) x.dispatchEvent(new MouseEvent("mouseover", {bubbles: true})); return (performance.now() - t) / s.length < 50; })()
END
in_browser large.html <steps
