"""SWE episodes without a sandbox: `fake_sandboxes`, for tests of agents and loops."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import shlex
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from turnwise.envs.swe.tasks import Project, under
from turnwise.sandboxes import Completed, FakeSandbox, Spec
from turnwise.sandboxes.fake import Reply

Passes = Callable[[str, Mapping[str, bytes]], bool]
"""Whether a test passes, of its id and of all files of the work folder, by their relative paths."""

_COLLECTOR = r"exec \S+ -I -B -c '.*sys\.argv.*"
_REFEREE = r"exec \S+ -I -B -c '.*sys\.stdin.*"


def fake_sandboxes(passes: Passes, commands: Mapping[str, Reply] | None = None) -> Callable[[Spec], FakeSandbox]:
    r"""What `SWEEnv(sandbox=...)` takes: sandboxes in memory, in which files are real and commands are not.

    An episode takes milliseconds. `view` and `edit` work; `bash` knows the commands that it is given; the hidden tests
    do what `passes` says.

    Args:
        passes: See `Passes`; `sources_are_whole` makes one.
        commands: Regular expressions that match a whole command of the agent's -> what it comes to.

    >>> project = Project("p", "1", {"p.py": b"x = 1\n", "test_p.py": b""}, ("p.py",), ("test_p.py",))
    >>> open_sandbox = fake_sandboxes(sources_are_whole(project), {"ls": "p.py\n"})
    >>> open_sandbox(Spec()).run("exec 2>&1; cd /work; ls").stdout
    'p.py\n'
    """
    own: dict[str, Reply] = {_COLLECTOR: _collect, _REFEREE: partial(_referee, passes)}
    of_agent = {rf"exec 2>&1; cd \S+; (?:{pattern})": reply for pattern, reply in (commands or {}).items()}
    return lambda spec: FakeSandbox(spec, {**own, **of_agent, r"exec 2>&1; cd \S+; .*": _not_found})


def sources_are_whole(project: Project) -> Passes:
    """The rule by which a project's own tests pass where its sources are as they should be, and none does elsewhere."""
    sources = {path: data for path, data in project.files.items() if under(path, project.sources)}

    def passes(test: str, files: Mapping[str, bytes]) -> bool:
        path, *_, name = test.split("[")[0].split("::")
        is_own = name.encode() in project.files.get(path, b"")  # no canary is
        return is_own and all(files.get(path) == data for path, data in sources.items())

    return passes


def _not_found(sandbox: FakeSandbox, command: str, stdin: bytes) -> Completed:
    word = command.split("; ", 2)[2].split(maxsplit=1)[0]
    return Completed(127, f"bash: line 1: {word}: command not found\n")


def _collect(sandbox: FakeSandbox, command: str, stdin: bytes) -> str:
    """What the collector would answer."""
    order: dict[str, Any] = json.loads("".join(shlex.split(command)[6:]))
    files = _files(sandbox, order["root"])
    found = {path: data for path, data in files.items() if under(path, order["sources"])}
    known = order["known"]
    changed = {
        path: base64.b64encode(data).decode()
        for path, data in found.items()
        if hashlib.sha256(data).hexdigest()[:16] != known.get(path)
    }
    return json.dumps({"changed": changed, "gone": sorted(known.keys() - found.keys()), "left_out": []})


def _referee(passes: Passes, sandbox: FakeSandbox, command: str, stdin: bytes) -> Completed:
    """What the referee would answer."""
    order: dict[str, Any] = json.loads(stdin)
    files = _files(sandbox, order["root"])
    for path, data in order["files"].items():
        files.pop(path, None)
        if data is not None:
            files[path] = base64.b64decode(data)
    results = [[test, "passed" if passes(test, files) else "failed"] for test in order["tests"]]
    body = json.dumps({"results": results, "ended": True, "timed_out": False, "output": ""})
    signature = hmac.new(order["secret"].encode(), body.encode(), hashlib.sha256).hexdigest()
    return Completed(0, f"{signature} {body}\n")


def _files(sandbox: FakeSandbox, root: str) -> dict[str, bytes]:
    return {path[len(root) + 1 :]: data for path, data in sandbox.files.items() if path.startswith(root + "/")}
