// The page of cagsr-view.  The run lies in script elements of type application/json: `index`
// (all prompts, and the colours of components) and g0, g1, ... (a prompt with its candidates,
// best first), which are parsed when they are looked at.  Text of models is only ever set as
// textContent.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const LEVELS = 90;
  const index = JSON.parse($("index").textContent);

  // ---- small things ----------------------------------------------------------------------
  const make = (tag, className, text) => {
    const x = document.createElement(tag);
    if (className) x.className = className;
    if (text !== undefined) x.textContent = text;
    return x;
  };
  const percent = (x) => (100 * x).toPrecision(2).replace(/e\+?(-?\d+)/, "e$1") + " %";
  const signed = (x) => (x < 0 ? "\u2212" : "+") + Math.abs(x).toFixed(3);
  const number = (x) => (x === null ? "none" : signed(x));
  const shown = (token) => token.replace(/\n/g, "\u23ce") || "\u00b7";

  // ---- what is looked at -----------------------------------------------------------------
  let group = null;  // the prompt
  let number_of_group = -1;
  let cand = null;   // one of its candidates
  let held = null;   // the step that a click holds
  let over = null;   // the step under the pointer or the focus
  const planes = new WeakMap(); // candidate -> decoded planes by name

  // ---- attention -------------------------------------------------------------------------
  const code = (c) => {
    c -= c > 92 ? 1 : 0;
    c -= c > 60 ? 1 : 0;
    return c - 35;
  };

  // Adds plane k of a candidate, times w, to A (T, P).
  const add_plane = (A, c, k, w) => {
    const P = group.p.length, n = c.t.length * P, from = k * n;
    for (let i = 0; i < n; i++) {
      const q = code(c.a.charCodeAt(from + i)) / (LEVELS - 1);
      A[i] += w * 1e-3 * c.max[k * P + (i % P)] * q * q;
    }
  };

  // The chosen layer and head, or the mean of all.
  const plane_of = (c) => {
    const name = $("layer").value + "/" + $("head").value;
    if (!planes.has(c)) planes.set(c, new Map());
    const known = planes.get(c);
    if (!known.has(name)) {
      const A = new Float32Array(c.t.length * group.p.length);
      const l = $("layer").value === "" ? [...Array(c.L).keys()] : [+$("layer").value];
      const h = $("head").value === "" ? [...Array(c.H).keys()] : [+$("head").value];
      for (const x of l)
        for (const y of h) add_plane(A, c, x * c.H + y, 1 / (l.length * h.length));
      known.set(name, A);
    }
    return known.get(name);
  };

  const counts = (j) => group.support[j] === "1";

  // Row t (P), masked and renormalised as the boxes say.
  const row_of = (c, t) => {
    const P = group.p.length, row = plane_of(c).slice(t * P, (t + 1) * P);
    const mask = $("mask").checked, share = $("share").checked;
    let mass = 0;
    for (let j = 0; j < P; j++) {
      if (mask && !counts(j)) row[j] = 0;
      mass += row[j];
    }
    if (share) for (let j = 0; j < P; j++) row[j] = mass >= 1e-6 ? row[j] / mass : 0;
    return row;
  };

  // What the answer read (P): one step, or over all that count.
  const weights_of = (c, t) => {
    if (t !== null) return row_of(c, t);
    const best = $("over").value === "best", w = new Float32Array(group.p.length);
    for (let s = best && c.steps > 1 ? 1 : 0; s < c.steps; s++)
      row_of(c, s).forEach((x, j) => { w[j] = best ? Math.max(w[j], x) : w[j] + x / c.steps; });
    return w;
  };

  // ---- the prompt, shaded ----------------------------------------------------------------
  const step = () => (over !== null ? over : held);

  const say = (w, t) => {
    const top = [...w.keys()].filter((j) => w[j] > 0 && (!hidden(j)))
      .sort((a, b) => w[b] - w[a]).slice(0, 5)
      .map((j) => "\u201c" + shown(group.p[j].trim()) + "\u201d " + percent(w[j]));
    const what = t === null
      ? ($("over").value === "best" ? "Most that any step read: " : "Mean of the steps: ")
      : "Step " + t + " of " + cand.t.length + ", \u201c" + shown(cand.t[t]) + "\u201d, read: ";
    $("said").textContent = cand.a ? what + (top.join(", ") || "nothing") :
      "These records have no attention: cagsr-attn adds it.";
  };

  const hidden = (j) => group.user[j] !== "1" && !$("whole").checked;

  const shade = () => {
    const t = step();
    if (!cand.a) {
      say(new Float32Array(group.p.length), t);
      return;
    }
    const w = weights_of(cand, t), spans = $("prompt").children;
    let top = 0;
    for (let j = 0; j < w.length; j++) if (!hidden(j)) top = Math.max(top, w[j]);
    for (let j = 0; j < w.length; j++) {
      const x = top > 0 ? w[j] / top : 0;
      spans[j].style.setProperty("--w", x < 0.03 ? "0" : x.toFixed(3));
      spans[j].title = percent(w[j]);
    }
    say(w, t);
  };

  const hide_template = () => {
    [...$("prompt").children].forEach((x, j) => { x.hidden = hidden(j); });
  };

  const draw_prompt = () => {
    const words = words_of(cand), word = new Map();
    words.forEach((x, g) => x[1].forEach((j) => word.set(j, cand.read[g] && cand.read[g][2])));
    $("prompt").replaceChildren(...group.p.map((text, j) => {
      const x = make("span", counts(j) ? "" : "out", text);
      if (word.has(j)) x.classList.add("word");
      if (word.get(j)) x.classList.add("hardly");
      return x;
    }));
    hide_template();
  };

  // ---- the answer ------------------------------------------------------------------------
  const inside = (spans, t) => spans.some(([from, to]) => t >= from && t < to);

  const mark_step = () => {
    const t = step();
    [...$("answer").children].forEach((x, i) => {
      x.classList.toggle("now", i === t);
      if (i === t) x.setAttribute("aria-current", "step");
      else x.removeAttribute("aria-current");
    });
    shade();
  };

  const draw_answer = () => {
    $("answer").replaceChildren(...cand.t.map((text, t) => {
      const x = make("span", "", text);
      if (inside(cand.repeated, t)) x.classList.add("repeated");
      if (inside(cand.copied, t)) x.classList.add("copied");
      x.tabIndex = t === 0 ? 0 : -1; // one stop for the tabulator, arrows inside
      x.dataset.t = t;
      return x;
    }));
  };

  const token_of = (event) => {
    const x = event.target.closest("#answer > span");
    return x ? +x.dataset.t : null;
  };

  const focus_token = (t) => {
    const spans = $("answer").children;
    if (t < 0 || t >= spans.length) return;
    for (const x of spans) x.tabIndex = -1;
    spans[t].tabIndex = 0;
    spans[t].focus();
  };

  const listen_answer = () => {
    const answer = $("answer");
    const set = (t) => { over = t; mark_step(); };
    answer.addEventListener("mouseover", (e) => { if (token_of(e) !== null) set(token_of(e)); });
    answer.addEventListener("mouseleave", () => set(null));
    answer.addEventListener("focusin", (e) => set(token_of(e)));
    answer.addEventListener("focusout", () => set(null));
    answer.addEventListener("click", (e) => {
      const t = token_of(e);
      if (t === null) return;
      held = held === t ? null : t;
      focus_token(t);
      mark_step();
    });
    answer.addEventListener("keydown", (e) => {
      const t = token_of(e), last = cand.t.length - 1;
      const to = { ArrowRight: t + 1, ArrowLeft: t - 1, ArrowDown: t + 10, ArrowUp: t - 10,
        Home: 0, End: last }[e.key];
      if (t === null) return;
      if (to !== undefined) focus_token(Math.max(0, Math.min(last, to)));
      else if (e.key === "Enter" || e.key === " ") held = held === t ? null : t;
      else return;
      e.preventDefault();
      mark_step();
    });
    document.addEventListener("keydown", (e) => {
      if (e.key !== "Escape" || !cand) return;
      held = over = null;
      mark_step();
    });
  };

  // ---- words, spans, the sum -------------------------------------------------------------
  const words_of = (c) => c.words || group.words;

  const light = (positions, at, on) => {
    for (const j of positions) if ($("prompt").children[j]) $("prompt").children[j].classList.toggle("lit", on);
    if ($("answer").children[at]) $("answer").children[at].classList.toggle("lit", on);
  };

  const nothing = () => make("li", "none", "none");

  const draw_words = () => {
    const list = { 0: [], 1: [] };
    words_of(cand).forEach(([name, positions], g) => {
      if (!cand.read[g]) return;
      const [best, at, hardly] = cand.read[g];
      const item = make("li"), x = make("button", "", name + " ");
      x.append(make("small", "", best === null ? "" : percent(best) + " at step " + at));
      for (const [on, off] of [["mouseenter", "mouseleave"], ["focus", "blur"]]) {
        x.addEventListener(on, () => light(positions, at, true));
        x.addEventListener(off, () => light(positions, at, false));
      }
      x.addEventListener("click", () => { held = at; mark_step(); });
      item.append(x);
      list[hardly ? 1 : 0].push(item);
    });
    $("covered").replaceChildren(...(list[0].length ? list[0] : [nothing()]));
    $("uncovered").replaceChildren(...(list[1].length ? list[1] : [nothing()]));
  };

  const draw_spans = (id, spans) => {
    const items = spans.map(([from, to]) => {
      const text = cand.t.slice(from, to).map(shown).join("").trim();
      return make("li", "", "\u201c" + text + "\u201d, tokens " + from + " to " + (to - 1));
    });
    $(id).replaceChildren(...(items.length ? items : [nothing()]));
  };

  const row = (cells, tag) => {
    const x = make("tr");
    cells.forEach((text, i) => {
      const cell = make(i === 0 || tag ? "th" : "td", "", text);
      cell.scope = tag ? "col" : "row";
      if (i > 0 && !tag) cell.removeAttribute("scope");
      x.append(cell);
    });
    return x;
  };

  const share_of = ([, , value, weight]) => (weight === 0 ? 0 : value === null || weight === null ? null : value * weight);
  const weighed = (c) => c.terms.length > 0 && c.terms.every((x) => x[3] !== null);

  const draw_sum = () => {
    const known = weighed(cand);
    const rows = cand.terms.map((term) => {
      const [name, part, value, weight] = term, share = share_of(term);
      const x = row([name, value === null ? "abstained" : +value.toPrecision(4) + "",
        weight === null ? "unknown" : "\u00d7 " + +weight.toPrecision(4),
        share === null ? "" : "= " + signed(share)]);
      const dot = make("i");
      dot.style.background = index.parts[part];
      x.firstChild.prepend(dot);
      return x;
    });
    const total = row(["reward", "", "", number(cand.reward)]);
    $("sum").replaceChildren(row(["component", "value", "weight", "adds"], "head"), ...rows, total);
    $("sum").caption = known || cand.terms.length === 0 ? null :
      make("caption", "", "The weights are not in the stream: cagsr-reward --explain=record writes them.");
  };

  // ---- the ranking -----------------------------------------------------------------------
  // What the bars of a prompt span: [below zero, above zero].
  const extent_of = (cands) => {
    let lo = 0, hi = 0;
    for (const c of cands) {
      const shares = weighed(c) ? c.terms.map(share_of) : [c.reward];
      const sum = (sign) => shares.reduce((s, x) => s + (x * sign > 0 ? x : 0), 0);
      lo = Math.min(lo, sum(-1), c.reward === null ? 0 : c.reward);
      hi = Math.max(hi, sum(1), c.reward === null ? 0 : c.reward);
    }
    return [lo, hi > lo ? hi : lo + 1];
  };

  const bar_of = (c, [lo, hi]) => {
    const bar = make("span", "bar"), at = (v) => 100 * (v - lo) / (hi - lo);
    const put = (className, from, to, color) => {
      const x = make("i", className);
      x.style.left = at(from) + "%";
      if (to !== null) x.style.width = at(to) - at(from) + "%";
      if (color) x.style.background = color;
      bar.append(x);
    };
    let below = 0, above = 0;
    const parts = weighed(c) ? c.terms.map((x) => [x[1], share_of(x)])
      : [[index.parts.length - 1, c.reward]];
    for (const [part, share] of parts) {
      if (!share) continue;
      if (share < 0) put("", below + share, below, index.parts[part]), below += share;
      else put("", above, above + share, index.parts[part]), above += share;
    }
    put("zero", 0, null);
    if (c.reward !== null) put("total", c.reward, null);
    bar.setAttribute("aria-hidden", "true");
    return bar;
  };

  const choose_cand = (i) => {
    cand = group.c[i];
    held = over = null;
    [...$("ranking").querySelectorAll("button")].forEach((x, k) => {
      if (k === i) x.setAttribute("aria-current", "true");
      else x.removeAttribute("aria-current");
    });
    const ended = { eos: "ended", stop: "stopped", length: "cut at the limit" }[cand.finish];
    $("answer-title").textContent = "Answer #" + cand.cand + ", " + cand.t.length + " tokens" +
      (ended ? ", " + ended : "");
    draw_answer();
    draw_prompt();
    draw_words();
    draw_spans("repeated", cand.repeated);
    draw_spans("copied", cand.copied);
    draw_sum();
    shade();
  };

  const draw_legend = () => {
    const names = new Map();
    for (const c of group.c) for (const [name, part, , weight] of c.terms) if (weight) names.set(name, part);
    $("legend").replaceChildren(...[...names].map(([name, part]) => {
      const x = make("span"), dot = make("i");
      dot.style.background = index.parts[part];
      x.append(dot, name);
      return x;
    }));
  };

  const draw_ranking = () => {
    const extent = extent_of(group.c);
    $("ranking").replaceChildren(...group.c.map((c, i) => {
      const item = make("li"), x = make("button");
      x.append(make("span", "", "#" + c.cand), make("span", "number", number(c.reward)),
        bar_of(c, extent), make("span", "begin", c.t.join("").trim().slice(0, 200)));
      x.addEventListener("click", () => choose_cand(i));
      item.append(x);
      return item;
    }));
    draw_legend();
  };

  // ---- prompts ---------------------------------------------------------------------------
  const fill_select = (select, n, first) => {
    const had = select.value;
    select.replaceChildren(new Option("mean", ""));
    for (let i = 0; n > 1 && i < n; i++) select.add(new Option(String(first + i), String(i)));
    select.disabled = n <= 1;
    select.value = [...select.options].some((x) => x.value === had) ? had : "";
  };

  const choose_prompt = (k) => {
    if (k === number_of_group || !index.prompts[k]) return;
    number_of_group = k;
    group = JSON.parse($("g" + k).textContent);
    [...$("prompts").querySelectorAll("button")].forEach((x, i) => {
      if (i === k) x.setAttribute("aria-current", "true");
      else x.removeAttribute("aria-current");
    });
    $("prompt-title").textContent = "Prompt " + group.id;
    const L = Math.min(...group.c.map((c) => c.L || 1)), H = Math.min(...group.c.map((c) => c.H || 1));
    fill_select($("layer"), L, group.first);
    fill_select($("head"), H, 0);
    if (L === 1) $("layer").options[0].text = group.layers ? "mean of " + group.layers : "mean";
    draw_ranking();
    choose_cand(0);
  };

  // Up and down inside a list of buttons.
  const walk_buttons = (list) => {
    list.addEventListener("keydown", (e) => {
      const all = [...list.querySelectorAll("button")].filter((x) => !x.parentNode.hidden);
      const at = all.indexOf(document.activeElement);
      const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[e.key];
      if (to === undefined || !all[to]) return;
      e.preventDefault();
      all[to].focus();
      all[to].click();
    });
  };

  const draw_prompts = () => {
    $("prompts").replaceChildren(...index.prompts.map(([id, text, n, best, mean, from], k) => {
      const item = make("li"), x = make("button");
      x.append(make("b", "", id), make("span", "", text.replace(/\s+/g, " ")),
        make("small", "", best === null ? n + " candidates" :
          n + " candidates, best " + signed(best) + ", mean " + signed(mean)));
      if (from) x.append(make("small", "", from));
      x.addEventListener("click", () => choose_prompt(k));
      item.append(x);
      return item;
    }));
    $("find").addEventListener("input", () => {
      const want = $("find").value.toLowerCase();
      [...$("prompts").children].forEach((x) => {
        x.hidden = !x.textContent.toLowerCase().includes(want);
      });
    });
  };

  // ---- start -----------------------------------------------------------------------------
  const n = index.prompts.reduce((s, x) => s + x[2], 0);
  const counted = (k, what) => k + " " + what + (k === 1 ? "" : "s");
  $("facts").textContent = counted(index.prompts.length, "prompt") + ", " + counted(n, "candidate");
  $("curves").hidden = !$("curves").querySelector("svg");
  $("run").hidden = index.prompts.length === 0;
  draw_prompts();
  listen_answer();
  walk_buttons($("prompts"));
  walk_buttons($("ranking"));
  for (const id of ["layer", "head", "over", "mask", "share", "whole"])
    $(id).addEventListener("change", () => { hide_template(); mark_step(); });
  $("look").addEventListener("submit", (e) => e.preventDefault());
  choose_prompt(0);
})();
