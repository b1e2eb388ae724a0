"""A scripted agent in `turnwise/SWE-v0`: it greps, reproduces the issue, tries small changes, tests and submits.

It knows nothing of the gold patch. It does what many a person does with a small bug: run the script of the issue, look
at the function that it names, and change one thing at a time until the script and the visible tests agree. It solves a
good part of the bundled tasks, fails on the rest, and shows what each turn earned.

    python examples/swe_scripted.py --tasks 5
    python examples/swe_scripted.py --sandbox docker --split test
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gymnasium as gym

import turnwise  # noqa: F401  (registers the ids)
from turnwise.envs import ToolCall

TRY_CHANGES = r'''
import ast, contextlib, io, itertools, json, os, re, signal, subprocess, sys, time

order = json.loads(sys.argv[1])
SWAPS = [(" + ", " - "), (" - ", " + "), (" * ", " / "), (" // ", " / "), (" < ", " <= "), (" <= ", " < "),
         (" > ", " >= "), (" >= ", " > "), (" == ", " != "), (" != ", " == "), (" and ", " or "), (" or ", " and "),
         (" is None", " is not None"), (" is not None", " is None"), (" not in ", " in "), (" in ", " not in "),
         ("if not ", "if "), ("if ", "if not "), ("True", "False"), ("False", "True"), ("min(", "max("),
         ("max(", "min("), ("<", ">"), (">", "<"), ("continue", "break"), ("break", "continue")]


def variants(line):
    for old, new in SWAPS:
        for at in (m.start() for m in re.finditer(re.escape(old), line)):
            yield line[:at] + new + line[at + len(old):]
    for m in re.finditer(r"(?<![\w.])\d+(?![\w.])", line):
        for number in (int(m[0]) + 1, int(m[0]) - 1):
            yield line[:m.start()] + str(number) + line[m.end():]
    for m in re.finditer(r"\(([^()]+(?:\([^()]*\)[^()]*)*)\)", line):
        parts = [part.strip() for part in m[1].split(",")]
        for i, j in itertools.combinations(range(len(parts)), 2):
            swapped = [parts[j] if k == i else parts[i] if k == j else part for k, part in enumerate(parts)]
            yield line[:m.start(1)] + ", ".join(swapped) + line[m.end(1):]
    for m in re.finditer(r"(?<= )[\w.\[\]()]+ [-+*%] ([\w.\[\]()]+)", line):
        yield line[:m.start()] + m[1] + line[m.end():]


def outcome(code):
    """What a snippet prints, or the error that it ends with."""
    for name in [name for name in sys.modules if name.split(".")[0] in order["packages"]]:
        del sys.modules[name]
    printed = io.StringIO()
    signal.setitimer(signal.ITIMER_REAL, 0.5, 0.5)
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "issue", "exec"), {"__name__": "issue"})
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return printed.getvalue().strip() or "no error"


def stop(*_):
    raise TimeoutError


signal.signal(signal.SIGALRM, stop)
tried, deadline = 0, time.monotonic() + 40
for path in order["paths"]:
    lines = open(path).read().split("\n")
    for number, line in enumerate(lines):
        for variant in variants(line) if time.monotonic() < deadline else ():
            text = "\n".join([*lines[:number], variant, *lines[number + 1:]])
            try:
                ast.parse(text)
            except SyntaxError:
                continue
            tried += 1
            open(path, "w").write(text)
            if outcome(order["code"]) == order["expected"]:
                tests = subprocess.run([sys.executable, "-m", "pytest", "-qx", *order["tests"]], capture_output=True)
                if tests.returncode == 0:
                    print(json.dumps({"path": path, "line": number + 1, "old": line, "new": variant, "tried": tried}))
                    open(path, "w").write("\n".join(lines))
                    sys.exit()
    open(path, "w").write("\n".join(lines))
print(json.dumps({"tried": tried}))
'''


@dataclass(frozen=True)
class Example:
    """A snippet of an issue, and what it should print."""

    code: str
    expected: str

    @property
    def names(self) -> list[str]:
        """What it imports."""
        return [name for names in re.findall(r"import (.+)", self.code) for name in re.findall(r"\w+", names)]

    @property
    def modules(self) -> list[str]:
        """From where."""
        return re.findall(r"from ([\w.]+) import", self.code)


def examples_of(issue: str) -> list[Example]:
    """Every snippet whose expected output stands behind it on one line."""
    found = re.findall(r"```python\n(.*?)```\s+Expected: `([^\n]*)`", issue, flags=re.DOTALL)
    return [Example(code, expected) for code, expected in found]


def act(issue: str) -> Iterator[Any]:
    """The calls of an episode; each `yield` gives back what the environment said."""
    tests = re.search(r"python -m pytest -q (.*)", issue)
    for example in examples_of(issue):
        names = "|".join(example.names)
        shown = yield ToolCall("bash", {"command": rf"grep -rnE --include=*.py '(def|class) ({names})\b' . | head"})
        definitions = re.findall(r"^\./(\S+?):(\d+):", shown, flags=re.MULTILINE)
        paths = [path for path, _ in definitions if module_of(path).endswith(tuple(example.modules))]
        if not paths:
            continue
        line = next(int(line) for path, line in definitions if path == paths[0])
        yield ToolCall("view", {"path": paths[0], "start": line, "end": line + 40})
        order = {
            "code": example.code,
            "expected": example.expected,
            "paths": list(dict.fromkeys(paths)),
            "packages": [module.split(".")[0] for module in example.modules],
            "tests": tests.group(1).split() if tests else [],
        }
        arguments = json.dumps(order).replace("'", "'\\''")
        shown = yield ToolCall("bash", {"command": f"python - '{arguments}' <<'END'\n{TRY_CHANGES}\nEND"})
        answer = next((json.loads(text) for text in shown.splitlines() if text.startswith("{")), {})
        if "path" in answer:
            yield from make(answer)
    yield ToolCall("bash", {"command": f"python -m pytest -q {tests.group(1) if tests else ''}"})
    yield ToolCall("submit", {})


def module_of(path: str) -> str:
    """`src/pkg/core.py` -> `src.pkg.core`."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def make(change: dict[str, Any]) -> Iterator[Any]:
    """The edit of one line, by `sed` where the line is there more than once."""
    shown = yield ToolCall("edit", {"path": change["path"], "old": change["old"] + "\n", "new": change["new"] + "\n"})
    if "times" in shown:
        command = f"python - <<'END'\np = {change['path']!r}\nlines = open(p).read().split('\\n')\n"
        command += f"lines[{change['line'] - 1}] = {change['new']!r}\nopen(p, 'w').write('\\n'.join(lines))\nEND"
        yield ToolCall("bash", {"command": command})


def play(env: gym.Env[Any, Any], task_id: str) -> dict[str, Any]:
    """One episode, told turn by turn; the last info."""
    observation, info = env.reset(seed=0, options={"task_id": task_id})
    print(f"\n{task_id}: {observation.splitlines()[0]}")
    calls = act(observation)
    call, over = next(calls), False
    while not over:
        observation, reward, terminated, truncated, info = env.step(call)
        over = terminated or truncated
        last = observation.strip().splitlines()[-2:]
        print(f"  {info['turn']:2}  {call.name:6} reward {reward:g}  {' | '.join(last)[:90]}")
        if not over:
            call = calls.send(observation)
    terms = {name: value for name, value in info["reward_terms"].items() if name != "outcome"}
    print(f"      {info['stop_reason']}: " + ", ".join(f"{name} {value:g}" for name, value in terms.items()))
    return dict(info)


def main() -> None:
    """Play some tasks and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=5, help="how many tasks of the split")
    parser.add_argument("--split", default="all", help="train, val, test, panel or all")
    parser.add_argument("--sandbox", default="auto", help="auto, docker, bubblewrap or process")
    options = parser.parse_args()
    env = gym.make("turnwise/SWE-v0", split=options.split, sandbox=options.sandbox, disable_env_checker=True)
    infos = [play(env, task_id) for task_id in env.unwrapped.tasks[: options.tasks]]  # type: ignore[attr-defined]
    env.close()
    rates = {
        rate: sum(info["reward_terms"].get(term, 0.0) for info in infos) / len(infos)
        for term, rate in env.unwrapped.milestones.items()  # type: ignore[attr-defined]
    }
    print(f"\n{len(infos)} tasks: " + ", ".join(f"{name} {value:.0%}" for name, value in rates.items()))


if __name__ == "__main__":
    main()
