"""SWE-bench instances: the format of Jimenez et al. (2024, arXiv 2310.06770), run in container images that you have.

An image holds the repository at the base commit in /testbed, and a Python that runs its tests in the conda environment
`testbed`, as the published ones do. The repository is copied out of the image once, without its history, which holds
the fix of many an instance. Tests are graded as those of any other task are; an instance whose tests are no pytest
node ids (Django's and SymPy's runners name theirs otherwise) cannot be, and is left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from turnwise.envs.swe.assignments import Assignment, Changes, differing
from turnwise.envs.swe.diffs import apply_diff, changed_paths
from turnwise.envs.swe.repositories import FolderFiles, repository_of
from turnwise.envs.swe.scope import Scope
from turnwise.sandboxes import Sandbox

IMAGE = "swebench/sweb.eval.x86_64.{name}:latest"
"""Name of the published images; `{name}` is the instance's id as they write it."""
TESTBED = "/testbed"
PYTHON = "/opt/miniconda3/envs/testbed/bin/python"

ImageName = str | Callable[[str], str] | None
OpenImage = Callable[[str], Sandbox]


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance, as its fields say.

    Attributes:
        instance_id: For example `sympy__sympy-20590`.
        repo: Owner and name.
        base_commit: Where the repository stands.
        problem_statement: The issue.
        patch: The gold patch, a unified diff.
        test_patch: The diff of the tests, applied for grading only.
        fail_to_pass, pass_to_pass: Test ids.
        version: Of the project.
        hints_text: What was said before the fix; agents do not see it.
    """

    instance_id: str
    repo: str
    base_commit: str
    problem_statement: str
    patch: str
    test_patch: str
    fail_to_pass: tuple[str, ...]
    pass_to_pass: tuple[str, ...]
    version: str = ""
    hints_text: str = ""

    @property
    def tests(self) -> tuple[str, ...]:
        """All test ids."""
        return self.fail_to_pass + self.pass_to_pass


def holds_instances(path: str) -> bool:
    """Whether a file looks like instances rather than a `TaskSet`.

    Raises:
        FileNotFoundError: There is no such file.
    """
    with open(path, encoding="utf-8", errors="replace") as file:
        head = file.read(1 << 16)
    return path.endswith(".jsonl") or head.lstrip().startswith("[") or '"instance_id"' in head


def read_instances(path: str) -> Iterator[Instance]:
    """The instances of a file, one after the other: JSON Lines, or one JSON array.

    Raises:
        ValueError: Something is missing or malformed; the message names the file and the line, or the place in the
            array.
    """
    for where, record in _records(path):
        yield _instance(record, f"{path!r}, {where}")


def _records(path: str) -> Iterator[tuple[str, Any]]:
    with open(path, encoding="utf-8") as file:
        start = file.read(1)
        while start.isspace():
            start = file.read(1)
        file.seek(0)
        if start == "[":
            try:
                records = json.load(file)
            except ValueError as error:
                raise ValueError(f"{path!r}: no JSON: {error}") from error
            yield from ((f"entry {number}", record) for number, record in enumerate(records, 1))
            return
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    record = json.loads(line)
                except ValueError as error:
                    raise ValueError(f"{path!r}, line {number}: no JSON: {error}") from error
                yield f"line {number}", record


_TEXTS = ("instance_id", "repo", "base_commit", "problem_statement", "patch", "test_patch")


def _instance(record: Any, where: str) -> Instance:
    if not isinstance(record, Mapping):
        raise ValueError(f"{where}: an instance is a JSON object, got a {type(record).__name__}")
    texts = {}
    for name in _TEXTS:
        if not isinstance(record.get(name), str):
            raise ValueError(f"{where}: {name} must be a text, got {record.get(name)!r:.80}")
        texts[name] = record[name]
    return Instance(
        **texts,
        fail_to_pass=_test_ids(record, "FAIL_TO_PASS", where),
        pass_to_pass=_test_ids(record, "PASS_TO_PASS", where),
        version=str(record.get("version") or ""),
        hints_text=str(record.get("hints_text") or ""),
    )


def _test_ids(record: Mapping[str, Any], name: str, where: str) -> tuple[str, ...]:
    """A list of test ids, or one in a text, as the published files have it."""
    value = record.get(name)
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise ValueError(f"{where}: {name} holds no JSON: {error}") from error
    if not isinstance(value, list) or not all(isinstance(test, str) for test in value):
        raise ValueError(f"{where}: {name} must be a list of test ids, or one in a text, got {value!r:.80}")
    return tuple(dict.fromkeys(value))


def image_name(instance_id: str, template: ImageName = None) -> str:
    """The image of an instance.

    Args:
        instance_id: Its id.
        template: A format string with `{instance_id}` or `{name}` (as the published images write it), or a function
            of the id. Default: `IMAGE`.

    Raises:
        ValueError: The format string names something else.

    >>> image_name("pallets__flask-4992")
    'swebench/sweb.eval.x86_64.pallets_1776_flask-4992:latest'
    >>> image_name("pallets__flask-4992", "mine/{instance_id}:1")
    'mine/pallets__flask-4992:1'
    """
    if callable(template):
        return template(instance_id)
    name = instance_id.lower().replace("__", "_1776_")
    try:
        return (template or IMAGE).format(instance_id=instance_id, name=name)
    except (KeyError, IndexError, ValueError) as error:
        raise ValueError(
            f"image={template!r} must be a format string with {{instance_id}} or {{name}} alone: {error!r}"
        ) from error


class InstanceTasks:
    """The tasks of a file of instances.

    Args:
        instances: All of them.
        open_image: Opens a sandbox of an image.
        image: See `image_name`.
        python: The interpreter in the images, which has pytest and what the project needs.

    Attributes:
        left_out: Ids of instances whose tests are no pytest node ids.

    Raises:
        ValueError: An id is there twice, or no instance can be graded.
    """

    def __init__(
        self, instances: Sequence[Instance], open_image: OpenImage, image: ImageName = None, python: str = PYTHON
    ) -> None:
        self.left_out = tuple(i.instance_id for i in instances if not all("::" in test for test in i.tests))
        self._instances = {i.instance_id: i for i in instances if i.instance_id not in set(self.left_out)}
        if len(self._instances) + len(self.left_out) != len(instances):
            raise ValueError("an instance_id is there more than once")
        if not self._instances:
            raise ValueError(f"none of the {len(instances)} instances has tests that are pytest node ids")
        self.task_ids = tuple(self._instances)
        self._open_image, self._image, self._python = open_image, image, python
        self.assignment: Callable[[str], Assignment] = lru_cache(maxsize=16)(self._assignment)

    @classmethod
    def load(cls, path: str, open_image: OpenImage, image: ImageName = None, python: str = PYTHON) -> InstanceTasks:
        """Read a file.

        Raises:
            FileNotFoundError: There is none.
            ValueError: It is malformed, or holds nothing that can be graded; the message names the file.
        """
        instances = list(read_instances(path))
        try:
            return cls(instances, open_image, image, python)
        except ValueError as error:
            raise ValueError(f"{path!r}: {error}") from error

    def _assignment(self, task_id: str) -> Assignment:
        instance = self._instances[task_id]
        image = image_name(task_id, self._image)
        folder = repository_of(image, instance.base_commit, TESTBED, self._open_image)
        return _assignment(instance, image, folder, self._python)


def _assignment(instance: Instance, image: str, folder: Path, python: str) -> Assignment:
    files = FolderFiles(folder)
    hidden = _changes(files, instance.test_patch)
    scope = Scope(files, (".",), tuple(hidden))
    whole = {test.split("::")[0] for test in instance.tests}
    sources = {path: hidden[path] if path in hidden else files.get(path) for path in sorted(whole)}
    return Assignment(
        task_id=instance.instance_id,
        issue=instance.problem_statement,
        where=f"{instance.repo} {instance.version}".strip(),
        scope=scope,
        start=files.only(scope.counts),
        folder=lambda: folder,
        hidden=hidden,
        test_files={path: data for path, data in sources.items() if data is not None},
        gold=_changes(files, instance.patch),
        gold_patch=instance.patch,
        fail_to_pass=instance.fail_to_pass,
        pass_to_pass=instance.pass_to_pass,
        image=image,
        python=python,
        installed=True,
        workdir=TESTBED,
    )


def _changes(files: Mapping[str, bytes], diff: str) -> Changes:
    """What a diff does to a tree."""
    before = {path: files[path] for path in changed_paths(diff) if path in files}
    after = apply_diff(before, diff)
    return {path: after.get(path) for path in differing(before, after)}
