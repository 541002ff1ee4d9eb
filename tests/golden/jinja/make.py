#!/usr/bin/env python3
"""Writes vectors.jsonl: small random templates and what jinja2 makes of them.

    python3 make.py [SEED [NUMBER]] > vectors.jsonl

The environment is that of transformers (immutable sandbox, trim_blocks, lstrip_blocks, loop
controls, its tojson).  Line 1 has the variables, every other one a template with "out", or
"error": 1 where jinja2 raises.  Texts of "user" are the user's and have no ASCII character;
templates and all other variables have ASCII only: so every byte of an output says whose it
is.  Templates whose output shows a blank of the user's escaped, an address, or an integer beyond 64 bits, are left out.
"""
import json
import random
import re
import sys

from jinja2 import TemplateAssertionError
from transformers.utils.chat_template_utils import _compile_jinja_template

VARS = {
    "s": "Hello, World", "pad": "  two words \n", "empty": "", "multi": "one\ntwo\n\nthree\n",
    "num": "42", "flt": "3.50", "mixed": "aB cD-eF <g> &'\"", "csv": "a,b,,c",
    "n": 7, "z": 0, "neg": -3, "f": 2.5, "big": 1e16, "small": 0.00001, "yes": True, "no": False, "nil": None,
    "li": [3, 1, 2, 1], "ls": ["b", "A", "c", "a"], "le": [], "lm": [1, "x", None, 2.0, True, [1, 2]],
    "d": {"b": 2, "a": 1, "C": 3}, "dn": {"k": {"x": [10, 20]}, "items": 5, "e": {}},
    "ld": [{"role": "user", "n": 2, "t": "x"}, {"role": "tool", "n": 1}, {"role": "user", "n": 3, "t": ""}],
    "user": {"a": "\u03b1\u03b2\u03b3 \u03b4\u03b5".replace(" ", "\u3000"), "b": "\u65e5\u672c\u8a9e\U0001f389", "list": ["\u03c9\u03c8", "\u03a9"], "pad": "\u2003\u03b6\u03b7\u3000"},
}
R = random.Random()
pick = R.choice

STR_METHODS = [".upper()", ".lower()", ".title()", ".capitalize()", ".strip()", ".lstrip()", ".rstrip()", ".swapcase()",
               ".strip('a ')", ".lstrip('H ')", ".rstrip('\\nd')", ".replace('o', '0')", ".replace('', '-')", ".replace('l', 'LL', 1)",
               ".split()|join('/')", ".split(',')|list", ".split(' ', 1)", ".rsplit(' ', 1)", ".splitlines()", ".splitlines(true)",
               ".removeprefix('He')", ".removesuffix('ld')", ".center(17)", ".ljust(15)", ".rjust(15, '*')", ".zfill(6)",
               ".partition('o')", ".rpartition('o')", ".join(['x', 'y', 'z'])", ".casefold()"]
STR_ASK = [".startswith('He')", ".endswith(('d', 'x'))", ".find('o')", ".rfind('o')", ".count('l')", ".isdigit()", ".isalpha()",
           ".isspace()", ".islower()", ".isupper()", ".isalnum()", ".find('o', 5)", ".index('o')", ".startswith('l', 2)", ".isnumeric()"]
STR_FILTERS = ["|upper", "|lower", "|title", "|capitalize", "|trim", "|trim('d')", "|replace('o', '0')", "|replace('l', 'L', 2)", "|reverse",
               "|indent", "|indent(2, true)", "|indent(width=3, blank=true)", "|string", "|center(20)", "|truncate(9)", "|truncate(7, true, '#')",
               "|list|join('.')", "|safe", "|e", "|escape", "|first", "|last", "|default('dflt')", "|d('dflt', true)", "|tojson", "|format(1, 2)"]
STR_COUNT = ["|length", "|count", "|wordcount", "|int", "|int(9)", "|float", "|int(base=16)"]
LIST_FILTERS = ["|list", "|reverse|list", "|sort", "|sort(reverse=true)", "|unique|list", "|batch(2)|list", "|batch(3, 'f')|list", "|slice(2)|list",
                "|map('string')|list", "|map('upper')|list", "|select|list", "|reject('none')|list", "|select('string')|list", "|select('gt', 1)|list", "|tojson",
                "|reject('in', [1, 'a'])|list", "|sort(case_sensitive=true)"]
LIST_ONE = ["|length", "|first", "|last", "|min", "|max", "|sum", "|join(', ')", "|join", "|string", "|tojson(indent=1)", "|random|default(1)|string|length > 9"]
DICT_LIST = ["|list", ".keys()|list", ".values()|list", ".items()|list", "|items|list", "|dictsort", "|dictsort(true)", "|dictsort(by='value')", "|dictsort(reverse=true)", "|length"]
TESTS = ["defined", "undefined", "none", "string", "number", "integer", "float", "mapping", "iterable", "sequence", "boolean", "true", "false",
         "odd", "even", "divisibleby 3", "divisibleby(2)", "eq 7", "equalto('x')", "ne 1", "gt 2", "ge 7", "lt 3", "le 0", "in [1, 7]", "sameas none",
         "lower", "upper", "callable", "escaped", "==(7)" if False else "eq(2.5)", "not none", "not defined", "not string", "greaterthan 1"]


def text(depth=0):
    if depth > 2 or R.random() < .35:
        return pick(["s", "pad", "empty", "multi", "mixed", "csv", "num", "user.a", "user['b']", "user.pad", "user.list[0]", "ls[1]", "'lit'", '"q\\"t"', "'a\\tb\\n'",
                     "ld[0].role", "ld[0]['t']", "d|first", "'%s-%d' % (s, n)", "'%5.2f|%-4s|%x' % (f, num, n)", "'{}:{:>4}'.format(n, s)", "'{a}{b!r}'.format(a=s, b=user.b)", "'a' 'b'"])
    a = text(depth + 1)
    return pick([lambda: a + pick(STR_METHODS), lambda: a + pick(STR_FILTERS), lambda: f"({a} ~ {any_(depth + 1)})", lambda: f"({a} + {text(depth + 1)})",
                 lambda: f"{wrap(a)}[{slice_()}]", lambda: f"({a} * {pick(['2', '0', '-1', 'n'])})", lambda: f"({a} if {cond(depth + 1)} else {text(depth + 1)})",
                 lambda: f"{wrap(a)}[{pick(['0', '-1', '3', '99'])}]", lambda: f"({a} or {text(depth + 1)})", lambda: f"{list_(depth + 1)}|join({text(depth + 1)})"])()


def wrap(e):
    return e if re.fullmatch(r"\w+", e) else f"({e})"


def slice_():
    return pick(["1:", ":2", "-3:", ":-1", "::2", "::-1", "1:4", "5:1:-1", "2:2", "-2:1", ":", "::-2", "10:", "1:-1:3", "none:2"])


def number(depth=0):
    if depth > 2 or R.random() < .4:
        return pick(["n", "z", "neg", "f", "1", "2", "10", "3.0", "0.5", "1e3", "li[0]", "d.a", "d['b']", "ld[1].n", "yes", "big", "small", "dn.k.x[1]", "dn['items']", "1_000", "0x1F"])
    a, b = number(depth + 1), number(depth + 1)
    return pick([lambda: f"({a} {pick('+ - * / // %'.split())} {b})", lambda: f"({a} ** {pick(['2', '0', '-1', '3'])})", lambda: f"-{wrap(a)}", lambda: f"{wrap(a)}|abs", lambda: f"{wrap(a)}|round", lambda: f"{wrap(a)}|round(1)",
                 lambda: f"{wrap(a)}|round(1, 'floor')", lambda: f"{wrap(a)}|round(method='ceil')", lambda: f"{wrap(a)}|int", lambda: f"{wrap(a)}|float", lambda: text(depth + 1) + pick(STR_COUNT),
                 lambda: wrap(text(depth + 1)) + pick(STR_ASK), lambda: list_(depth + 1) + pick(["|length", "|sum", "|first", "|max", "|min", ".index(1)", ".count(1)"]), lambda: f"+{wrap(a)}"])()


def list_(depth=0):
    if depth > 2 or R.random() < .45:
        return pick(["li", "ls", "le", "lm", "[1, 2, 3]", "['x', s]", "range(4)", "range(1, 8, 3)", "range(5, 0, -2)", "(1, 2)", "('a',)", "ld|map(attribute='role')|list", "d.keys()",
                     "ld|selectattr('t')|list", "ld|selectattr('role', 'equalto', 'user')|list", "ld|rejectattr('t', 'defined')|list", "ld|map(attribute='t', default='-')|list", "user.list",
                     "d.items()", "d|dictsort", "ld|sort(attribute='n')", "ld|sort(attribute='role,n', reverse=true)|map(attribute='n')|list", "ld|sum('n')", "ld|groupby('role')" if False else "ld"])
    a = list_(depth + 1)
    return pick([lambda: wrap(a) + pick(LIST_FILTERS), lambda: f"{wrap(a)}[{slice_()}]", lambda: f"({a} + {list_(depth + 1)})", lambda: f"[{any_(depth + 1)}, {any_(depth + 1)}]",
                 lambda: pick(["d", "dn", "{}", "{'p': s, 1: n}"]) + pick(DICT_LIST), lambda: f"({a} * 2)", lambda: wrap(text(depth + 1)) + "|list"])()


def dict_(depth=0):
    return pick([lambda: "d", lambda: "dn", lambda: "{}", lambda: f"{{'k': {any_(depth + 1)}, 'l': {any_(depth + 1)}}}", lambda: f"dict(a={any_(depth + 1)}, b=2)", lambda: "dict([('x', 1)])",
                 lambda: "dict(d, z=1)", lambda: "{1: 'a', 1.0: 'b', 'c': [true, none]}", lambda: "user"])()


def cond(depth=0):
    if depth > 2:
        return pick(["yes", "no", "nil", "empty", "le", "n", "undef", "z"])
    a, b = any_(depth + 1), any_(depth + 1)
    return pick([lambda: f"{wrap(a)} is {pick(TESTS)}", lambda: f"{a} {pick(['==', '!='])} {b}", lambda: f"{number(depth + 1)} {pick(['<', '<=', '>', '>='])} {number(depth + 1)}",
                 lambda: f"{number(depth + 1)} < {number(depth + 1)} <= {number(depth + 1)}", lambda: f"{text(depth + 1)} {pick(['in', 'not in', '<', '=='])} {text(depth + 1)}", lambda: f"{a} in {list_(depth + 1)}",
                 lambda: f"({cond(depth + 1)} {pick(['and', 'or'])} {cond(depth + 1)})", lambda: f"not {wrap(a)}", lambda: f"{text(depth + 1)} in {dict_()}", lambda: a])()


def any_(depth=0):
    return pick([text, text, number, list_, dict_, cond, lambda d: pick(["undef", "undef.x", "d.nope", "nil", "undef|default('u')", "d.get('a')", "d.get('q', 'w')", "dn.k.y", "li[9]", "s.nope", "nil.x", "yes and s", "empty or nil",
                 "d.items", "d.update", "joiner('|')()", "cycler(1, 2).next()", "namespace(a=1).a", "s is string", "lm|tojson", "dn|tojson(indent=2)", "user|tojson", "user|tojson(ensure_ascii=false, sort_keys=true)", "lm", "dn", "ld", "ld[0]",
                 "d|tojson(separators=(',', ':'))", "'x' if no", "user.list|string"])])(depth)


def lead():
    return pick(["", "", "", " ", "\n", "  \n", "\n  ", "text ", "a\n\n  ", "\t"])


def tag(body):
    return "{%" + pick(["", "", "-", "+"]) + " " + body + " " + pick(["", "", "-", "+"]) + "%}"


def out(e):
    return "{{" + pick(["", "", "-"]) + " " + e + " " + pick(["", "", "-"]) + "}}"


def statement(depth=0):
    body = lambda: "".join(statement(depth + 1) for _ in range(R.randint(1, 2))) if depth < 2 else lead() + out(any_(2))
    kind = R.randint(0, 19)
    if kind < 6:
        return lead() + out(any_()) + lead()
    if kind < 8:
        return lead() + tag("if " + cond()) + body() + (tag("elif " + cond(1)) + body() if R.random() < .3 else "") + (tag("else") + body() if R.random() < .5 else "") + tag("endif") + lead()
    if kind < 11:
        loop = pick(["{{ loop.index }}", "{{ loop.index0 }}{{ loop.first }}", "{{ loop.last }}", "{{ loop.revindex }}/{{ loop.length }}", "{{ loop.previtem }}", "{{ loop.nextitem|default('end') }}", "{{ loop.cycle('a', 'b') }}",
                     "{% if loop.index == 2 %}{% break %}{% endif %}", "{% if loop.first %}{% continue %}{% endif %}", "{{ loop.changed(x) }}", "{% set acc = (acc or 0) + 1 %}{{ acc }}", "{{ loop.revindex0 }}{{ loop.depth }}", ""])
        head = pick([lambda: "for x in " + list_(1), lambda: "for x in " + text(1), lambda: "for x in li if x " + pick(["> 1", "is odd", "in [1, 2]"]), lambda: "for k, v in d.items()", lambda: "for k, v in d|dictsort", lambda: "for x in " + dict_(1), lambda: "for x in undef", lambda: "for x in le",
                     lambda: "for (a, b) in [(1, 2), (3, 4)]", lambda: "for x in range(3)"])()
        return lead() + tag(head) + pick(["{{ x }}", "{{ k }}={{ v }}", "{{ a }}{{ b }}", "{{ x }},"]) + loop + (body() if R.random() < .3 else "") + (tag("else") + body() if R.random() < .3 else "") + tag("endfor") + lead()
    if kind < 13:
        return tag("set v1 = " + any_()) + lead() + out(pick(["v1", "v1|string|upper", "v1 is defined", "v1|tojson"])) + lead()
    if kind == 13:
        return tag("set v2" + pick(["", " | upper", "|trim|length"])) + body() + tag("endset") + out("v2")
    if kind == 14:
        return tag("macro m1(p, q=" + any_(1) + ", r='dr')") + "[{{ p }}|{{ q }}|{{ r }}" + pick(["", "{{ varargs }}", "{{ kwargs }}", "{{ caller() }}", "{{ caller is defined }}"]) + "]" + tag("endmacro") + out(
            pick(["m1(1)", "m1(s, r=2)", "m1(q=1, p=user.a)", "m1()", "m1(1, 2, 3)", "m1(1, 2, 3, 4)", "m1(*li)", "m1(**{'p': 1})", "m1(1, x=2)"])) + (tag("call m1(n)") + body() + tag("endcall") if R.random() < .5 else "")
    if kind == 15:
        return tag("filter " + pick(["upper", "trim", "replace('e', '3')", "indent(2)", "title|length", "e"])) + body() + tag("endfilter")
    if kind == 16:
        return tag("with w = " + any_(1) + ", y = 2") + out("w ~ y") + body() + tag("endwith") + out("w")
    if kind == 17:
        return tag("set ns = namespace(c=0, t='')") + tag("for i in range(3)") + tag("set ns.c = ns.c + i") + tag("set ns.t = ns.t ~ " + text(1)) + tag("endfor") + out("ns.c") + out("ns.t")
    if kind == 18:
        return lead() + pick(["{# c #}", "{#- c -#}", "{# {{ x }} #}\n", "{% raw %} {{ x }} {% endraw %}", "{%- raw -%} {% if %} {%- endraw -%}", "{% generation %}" + out(text()) + "{% endgeneration %}", "{#+ c +#}\n"]) + lead()
    return pick(["{% set a, b = 1, s %}{{ b }}{{ a }}", "{% set x = [1, 2] %}{{ x.append(3) }}", "{{ raise_exception('no') }}", "{% for x in li %}{% set v9 = x %}{% endfor %}{{ v9 }}", "{{ li | map('nofilter') | list }}", "{{ s is notest }}",
                 "{{ range(200000) }}", "{{ {}.x.y }}", "{% if undef %}a{% endif %}", "{{ n / z }}", "{{ s[1:3].upper() }}", "{{ li.0 }}", "{{ -n|abs }}", "{{ 2**3**2 }}", "{{ 1 < 2 == true }}", "{{ not n == 7 }}", "{{ '%' }}}", "{{ s|upper()|lower }}",
                 "{{ (1, 2)|string }}{{ () }}", "{{ 1 if yes }}{{ 1 if no }}", "{{ 7 // -2 }}{{ 7 % -2 }}{{ -7 // 2 }}{{ 7.5 // 2 }}", "{{ [1,2] == (1,2) }}{{ 1 == 1.0 }}{{ true == 1 }}", "{{ 'a' < 'B' }}{{ [1, 2] < [1, 3] }}"])


def make(seed, number_):
    R.seed(seed)
    print(json.dumps({"vars": VARS}))
    seen = set()
    errors = 0
    while len(seen) < number_:
        t = "".join(statement() for _ in range(R.randint(1, 2)))
        if t in seen or len(t) > 700:
            continue
        try:
            got = {"out": _compile_jinja_template(t).render(**VARS)}
        except TemplateAssertionError:
            continue  # a filter that is not known: jinja2 refuses more than it needs to
        except Exception:
            got = {"error": 1}
        o = got.get("out", "")
        if re.search(r"\\u(2003|3000)|0x[0-9a-f]{8}|<(built-in|generator|function|bound|class|jinja2|Macro|Cycler|Loop|Block|zip|transformers)|&lt;(generator|built|jinja2|trans|macro)|\d{19}|GENERATOR|LISTREVERSE|list_reverse|dict_reversekey|reverseiter", o, re.I) or len(o) > 2000:
            continue
        if "error" in got:
            if errors * 5 > len(seen):
                continue
            errors += 1
        seen.add(t)
        print(json.dumps({"template": t, **got}, ensure_ascii=True))


if __name__ == "__main__":
    make(int(sys.argv[1]) if len(sys.argv) > 1 else 1, int(sys.argv[2]) if len(sys.argv) > 2 else 3000)
