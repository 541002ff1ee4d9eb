#!/usr/bin/env python3
"""Writes families.jsonl: chat templates of public models and what transformers renders them to.

    python3 make_families.py DIR > families.jsonl

DIR holds the unpacked source packages from PyPI that README.md names.  Line 1 has the
conversations and tools, every other one a template and its cases: "rendered" with "user", the
bytes [from, to) that are the user's (white space left out); or "error" with the template's own
sentence; or neither, where Python fails.  Whose a byte is was found by rendering once more with
every other character of the user's exchanged for one that stands nowhere else; where that
changes anything but these characters there is no "user".
"""
import copy
import datetime
import json
import pathlib
import sys

import jinja2
import transformers.utils.chat_template_utils as utils


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.fromtimestamp(1700000000, datetime.timezone.utc)


utils.datetime = Clock

TEMPLATES = {
    "llama_cpp_python": """Apertus-8B-Instruct Bielik-11B-v3.0-Instruct ByteDance-Seed-OSS
        CohereForAI-c4ai-command-r7b-12-2024-tool_use GLM-4.6 HuggingFaceTB-SmolLM3-3B Kimi-K2-Instruct LFM2-8B-A1B
        MiniMax-M2 Mistral-Small-3.2-24B-Instruct-2506 NVIDIA-Nemotron-Nano-v2
        Qwen-QwQ-32B Qwen-Qwen2.5-7B-Instruct Qwen-Qwen3-0.6B Qwen3-Coder deepseek-ai-DeepSeek-R1-Distill-Llama-8B
        deepseek-ai-DeepSeek-V3.1 GigaChat3-10B-A1.8B Kimi-K3 google-gemma-2-2b-it google-gemma-4-31B-it
        ibm-granite-granite-3.3-2B-Instruct ibm-granite-granite-4.0 llama-cpp-rwkv-world meetkai-functionary-medium-v3.2
        meta-llama-Llama-3.1-8B-Instruct meta-llama-Llama-3.2-3B-Instruct microsoft-Phi-3.5-mini-instruct
        mistralai-Mistral-Nemo-Instruct-2407 openai-gpt-oss-120b upstage-Solar-Open-100B""",
    "trl": "gemma3 qwen3_training gptoss_training idefics3 llava_next smolvlm",
    "axolotl": "aya exaone falcon_h1 jamba llama4 phi_4 alpaca",
}

TOOLS = [
    {"type": "function", "function": {"name": "get_weather", "description": "Get the weather in a city", "parameters": {"type": "object", "properties": {
        "city": {"type": "string", "description": "The city's name, e.g. \"Z\u00fcrich\""}, "unit": {"type": "string", "enum": ["c", "f"], "default": "c"},
        "days": {"type": ["integer", "null"], "minimum": 1}}, "required": ["city"]}}},
    {"type": "function", "function": {"name": "add", "description": "Adds <a> & 'b'", "parameters": {"type": "object", "properties": {
        "a": {"type": "number"}, "b": {"type": "array", "items": {"type": "number"}}, "o": {"type": "object", "properties": {"x": {"type": "boolean"}}, "required": ["x"]}},
        "required": ["a", "b"]}, "return": {"type": "number", "description": "the sum"}}},
]


def says(role, content, **more):
    return {"role": role, "content": content, **more}


def calls(name, arguments, number="abcdef123"):
    return {"type": "function", "id": number, "function": {"name": name, "arguments": arguments}}


def parts(*texts):
    return [{"type": "text", "text": t} for t in texts]


CONVERSATIONS = {
    "plain": {"messages": [says("user", "Hello, who are you?")]},
    "system": {"messages": [says("system", "You are terse.\n"), says("user", "  padded  \n")]},
    "turns": {"messages": [says("user", "1+1?"), says("assistant", "2"), says("user", "and\n\n2+2? <b>&</b>"), says("assistant", "  4 \n"), says("user", "ok")]},
    "words": {"messages": [says("system", "Sei h\u00f6flich. \u65e5\u672c\u8a9e\u3082OK \U0001f389"), says("user", "Gr\u00fc\u00dfe \u2014 \u00e7a va? \u00a0"), says("assistant", "Ja \u2713")]},
    "empty": {"messages": [says("user", "")]},
    "thinks": {"messages": [says("user", "q1"), says("assistant", "<think>\nhm, let me see\n</think>\n\nanswer one"), says("user", "q2"), says("assistant", "answer two", reasoning_content="deep thought")]},
    "no thinking": {"messages": [says("user", "q")], "kwargs": {"enable_thinking": False}},
    "tools": {"messages": [says("system", "Use tools."), says("user", "Weather in Z\u00fcrich?")], "tools": True},
    "tool call": {"messages": [says("user", "Weather in Z\u00fcrich?"), says("assistant", "", tool_calls=[calls("get_weather", {"city": "Z\u00fcrich", "days": 3, "unit": "c"})]),
                               says("tool", "{\"temp\": 7.5}", name="get_weather", tool_call_id="abcdef123"), says("assistant", "7.5 degrees."), says("user", "thanks")], "tools": True},
    "tool calls": {"messages": [says("user", "Two things"), says("assistant", "Let me look.", tool_calls=[calls("get_weather", {"city": "Rome"}, "call00001"), calls("add", {"a": 1, "b": [2, 3.5], "o": {"x": True}}, "call00002")]),
                                says("tool", "sunny", name="get_weather", tool_call_id="call00001"), says("tool", "6.5", name="add", tool_call_id="call00002")], "tools": True},
    "text arguments": {"messages": [says("user", "w?"), says("assistant", None, tool_calls=[calls("get_weather", "{\"city\": \"Rome\"}")]), says("tool", "ok", tool_call_id="abcdef123")], "tools": True},
    "parts": {"messages": [says("user", parts("part one", "part two"))]},
    "all parts": {"messages": [says("system", parts("Sys.")), says("user", parts("hi")), says("assistant", parts("yo")), says("user", parts("bye"))]},
    "not in turn": {"messages": [says("user", "a"), says("user", "b")]},
    "answer first": {"messages": [says("assistant", "I start"), says("user", "b")]},
}
OPEN_ONLY = {"empty", "parts", "all parts", "not in turn", "answer first", "no thinking", "text arguments"}
PRIVATE = 0xF0000


def render(template, talk, ask):
    chat = utils._normalize_chat_messages(copy.deepcopy(talk["messages"]))
    out, _ = utils.render_jinja_template([chat], tools=copy.deepcopy(TOOLS) if talk.get("tools") else None, chat_template=template,
                                         add_generation_prompt=ask, bos_token="<s>", eos_token="</s>", **talk.get("kwargs", {}))
    return out[0]


def exchanged(talk):
    """The conversation with the user's characters exchanged, and the way back."""
    back = {}

    def swap(text):
        out = ""
        for i, c in enumerate(text):
            if c.isspace():
                out += c
            else:
                out += chr(PRIVATE + len(back))
                back[out[-1]] = c
        return out

    talk = copy.deepcopy(talk)
    for m in talk["messages"]:
        if m["role"] == "user":
            m["content"] = swap(m["content"]) if isinstance(m["content"], str) else [{**p, "text": swap(p["text"])} for p in m["content"]]
    return talk, back


def runs(text, back):
    """[from, to) in bytes of the text that comes back, of the characters in `back`."""
    out, at = [], 0
    for c in text:
        n = len(back.get(c, c).encode())
        if c in back:
            if out and out[-1][1] == at:
                out[-1][1] += n
            else:
                out.append([at, at + n])
        elif c.isspace() and out and out[-1][1] == at:
            pass
        at += n
    return out


def case(template, name, ask):
    talk = CONVERSATIONS[name]
    one = {"conversation": name, "add_generation_prompt": ask}
    try:
        one["rendered"] = render(template, talk, ask)
    except jinja2.exceptions.UndefinedError:
        return one
    except jinja2.exceptions.SecurityError:
        return one
    except jinja2.exceptions.TemplateError as e:
        return {**one, "error": str(e)}
    except Exception:
        return one
    other, back = exchanged(talk)
    marked = render(template, other, ask)
    if "".join(back.get(c, c) for c in marked) == one["rendered"]:
        one["user"] = runs(marked, back)
    return one


def main(top):
    print(json.dumps({"conversations": CONVERSATIONS, "tools": TOOLS}))
    for package, names in TEMPLATES.items():
        for name in names.split():
            found = [p for p in pathlib.Path(top).glob(f"{package}-*/**/{name}.jinja")]
            template = found[0].read_text()
            cases = [case(template, c, ask) for c in CONVERSATIONS for ask in (True, False) if ask or c not in OPEN_ONLY]
            print(json.dumps({"name": name, "package": found[0].relative_to(top).parts[0], "template": template, "cases": cases}))


main(sys.argv[1])
