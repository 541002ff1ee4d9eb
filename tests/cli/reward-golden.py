# Golden cases through the tool: JSON lines out (with the flags each needs), answers compared.
import json, math, os, subprocess, sys

golden, tmp = sys.argv[1], sys.argv[2]
cases = json.load(open(golden + "/expected.json"))["cases"]
star = json.load(open(golden + "/star.json"))["cases"]
POOR = 2e-5  # attention is float32 in a record


def sample(i, c, ref=None):
    T, P = len(c["response_ids"]), c["P"]
    a = c.get("attn_layers", c.get("attn"))
    shape = [T, P]
    if "attn_layers" in c:
        shape = [len(a), len(a[0]), T, P]
    flat = json.dumps({"$nd": shape, "type": "<f4", "data": a})
    r = {"kind": "sample", "id": f"c{i}", "cand": 0, "n": 1, "prompt_ids": c["history_ids"],
         "ids": c["response_ids"], "finish": "eos" if c["eos"] else "length",
         "support": {"$bin": __import__("base64").b64encode(bytes(c["support"])).decode()},
         "salient": c["salient"], "attn": {"kind": "self", "rows": json.loads(flat)}}
    if ref is not None:
        r["ref"] = ref
    return r


def run(r, flags):
    p = subprocess.run(["cagsr-cat", "-s"], input=json.dumps(r).encode(), stdout=subprocess.PIPE, check=True)
    q = subprocess.run(["cagsr-reward", "-q"] + flags, input=p.stdout, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    o = subprocess.run(["cagsr-cat", "-p", "--allow-truncated", "-q"], input=q.stdout, stdout=subprocess.PIPE)
    lines = [json.loads(x) for x in o.stdout.splitlines()]
    return q.returncode, (lines[0] if lines else None), q.stderr.decode()


def usable(c):
    # head weights are cagsr-attn's; a history that is not the prompt has no record
    return c.get("head_weights") is None and len(c["history_ids"]) == c["P"]


def near(what, got, want):
    global bad
    if got is None or abs(got - want) > POOR * max(1, abs(want)) * 20:
        bad += 1
        print("differs:", what, got, want)


bad = done = 0
for i, c in enumerate(cases):
    if not usable(c):
        continue
    done += 1
    p, e = c["params"], c["expected"]
    w = ["-w", f"+coverage={p['alpha']},focus={p['beta']},repetition={-p['gamma']},copy={-p['eta']}",
         "--copy-free", str(p["c0"]), "--t-min", str(p["T_min"])]
    f7 = ["--f7", "--kappa", str(p["kappa"]), "--h-min", str(p["h_min"]), "--zeta", str(p["zeta"])] + w
    for name, flags, want in (("f7", f7, e.get("R")), ("literal", ["--literal"] + w, e.get("literal", {}).get("R"))):
        rc, r, err = run(sample(i, c), flags)
        if "error" in e:
            if rc != 5 or r["kind"] != "error":
                bad += 1
                print("not refused:", i, rc, r, err)
            continue
        if rc:
            bad += 1
            print("failed:", i, name, rc, err)
            continue
        near(f"{name} {i}", r["reward"], want)
        if name == "f7":
            near(f"cov {i}", r["rewards"]["coverage"], e["cov"])
            near(f"foc {i}", r["rewards"]["focus"], e["foc"])
for s in star:
    c = cases[s["case"]]
    if not usable(c):
        continue
    done += 1
    p, e = s["params"], s["expected"]
    flags = ["-w", f"+coverage={1 / p['tau_c']!r},focus={1 / p['tau_f']!r},coherence={p['w_l']},repetition={-p['w_rep']},"
             f"copy={-p['w_copy']},no_end={-p['no_eos']},short={-p['short']}", "--rep-free", str(p["rep0"]),
             "--copy-free", str(p["copy0"]), "--h-min", str(p["h_min"]), "--t-min", str(p["t_min"])]
    default = s["case"] % 5 != 4
    rc, r, err = run(sample(s["case"], c, s["logp_ref"]), [] if default else flags)
    if "error" in e:
        if rc != 5 or r["kind"] != "error":
            bad += 1
            print("not refused:", s["case"], rc, r)
        continue
    if rc:
        bad += 1
        print("failed:", s["case"], rc, err)
        continue
    near(f"f12 {s['case']}", r["reward"], e["reward"])
    for k in ("coverage", "focus", "coherence", "repetition", "copy"):
        near(f"{k} {s['case']}", r["rewards"][k], e[k])
print("cases off:", bad)
sys.exit(bad > 0 or done < 10)
