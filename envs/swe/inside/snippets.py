"""Runs short pieces of code against a project, each in a process of its own, and says what they came to."""

# mypy: ignore-errors

import base64
import json
import os
import signal
import subprocess
import sys

_VALUE_CHARACTERS = 4000
_MESSAGE_CHARACTERS = 600


def main(order: "dict") -> None:
    """Carry out the order and print JSON.

    For each snippet: `values`, as `repr` shows them; `plain`, whether `print` shows the same; `error`, [type, message]
    or null.

    Args:
        order: `root`; `files` (path -> base64), to be written first; `import_paths`; `snippets`, each with `code` to be
            run and `expressions` to be evaluated after it; `seconds` for each; `memory_bytes`; `env`; `program`.
    """
    for path, data in order.pop("files").items():
        with open(os.path.join(order["root"], path), "wb") as file:
            file.write(base64.b64decode(data))
    boot = "import sys, json; _order = json.loads(sys.stdin.readline()); exec(_order['program']); play(_order)"
    # Not isolated (-I), which would ignore PYTHONHASHSEED; -s and no current folder on the path, all the same.
    boot = "import sys; sys.path[:] = [p for p in sys.path if p]; " + boot
    command = [sys.executable, "-s", "-B", "-W", "ignore", "-c", boot]
    given = json.dumps(order).encode() + b"\n"
    done = subprocess.run(command, input=given, stdout=subprocess.PIPE, cwd=order["root"], env=dict(order["env"]))
    sys.stdout.write(done.stdout.decode())


def play(order: "dict") -> None:
    """Run all snippets and print what they came to."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (order["memory_bytes"], order["memory_bytes"]))
    sys.path[:0] = [os.path.normpath(os.path.join(order["root"], path)) for path in order["import_paths"]]
    answers = os.fdopen(os.dup(1), "w")
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    json.dump([_apart(snippet, order["seconds"]) for snippet in order["snippets"]], answers)
    answers.flush()
    os._exit(0)


def _apart(snippet: "dict", seconds: float) -> "dict":
    """What a snippet comes to in a process of its own, which is killed when its time is over."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        with os.fdopen(writing, "w") as pipe:
            json.dump(_evaluate(snippet), pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return json.loads(text) if text else {"values": [], "plain": [], "error": ["Timeout", ""]}


def _evaluate(snippet: "dict") -> "dict":
    space = {"__name__": "snippet"}
    values, plain = [], []
    try:
        exec(compile(snippet["code"], "<snippet>", "exec"), space)
        for expression in snippet["expressions"]:
            value = eval(compile("(" + expression + "\n)", "<snippet>", "eval"), space)
            values.append(repr(value)[:_VALUE_CHARACTERS])
            plain.append(str(value) == repr(value))
    except BaseException as error:  # whatever a snippet raises is what is asked for
        try:
            message = str(error)[:_MESSAGE_CHARACTERS]
        except Exception:  # a broken __str__ may raise anything
            message = ""
        return {"values": values, "plain": plain, "error": [type(error).__name__, message]}
    return {"values": values, "plain": plain, "error": None}
