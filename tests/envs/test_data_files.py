from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from turnwise.envs.data_files import DataFileError, iter_lines, parse_json


def objects(path: Path) -> list[dict[str, object]]:
    return [parse_json(line, path, number=number, byte=byte) for number, byte, line in iter_lines(path)]


def test_lines_know_their_number_and_place(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_bytes("one\r\n\n  zwölf \nend".encode())
    assert list(iter_lines(path)) == [(1, 0, b"one"), (3, 8, "zwölf".encode()), (4, 16, b"end")]
    path.write_bytes(gzip.compress(path.read_bytes()))
    assert [number for number, _, _ in iter_lines(path)] == [1, 3, 4]


@pytest.mark.parametrize(("missing", "told"), [(12, "is not UTF-8 text"), (13, "is not valid JSON")])
def test_a_line_cut_in_the_middle_names_line_and_byte(tmp_path: Path, missing: int, told: str) -> None:
    path = tmp_path / "corpus.jsonl"
    lines = [json.dumps({"id": str(n), "contents": "é" * 20}, ensure_ascii=False).encode() + b"\n" for n in range(3)]
    path.write_bytes(b"".join(lines)[:-missing])
    with pytest.raises(DataFileError) as caught:
        objects(path)
    start = len(lines[0]) * 2
    assert caught.value.line == 3 and start < (caught.value.byte or 0) <= path.stat().st_size
    assert f"corpus.jsonl, line 3, byte {caught.value.byte}: {told} (cut off?)" in str(caught.value)
    assert f"the line begins at byte {start}" in str(caught.value)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b'{"a": "\xe9"}', "line 2, byte 18: is not UTF-8 text"),
        (b"[1]", "line 2, byte 11: expected an object, found list"),
        (b'{"a": ' + b"1" * 5000 + b"}", "line 2, byte 11: cannot be taken"),
        (b"[" * 100_000, "line 2, byte 11: cannot be taken"),
    ],
)
def test_bad_lines_are_refused_where_they_are(tmp_path: Path, line: bytes, told: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b'{"a": "b"}\n' + line + b"\n")
    with pytest.raises(DataFileError, match=told.replace("(", r"\(")):
        objects(path)


def test_a_damaged_compressed_file_says_how_far_it_could_be_read(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl.gz"
    text = "".join(f"{n * 7919 % 10007}\n" for n in range(50_000))
    path.write_bytes(gzip.compress(text.encode())[:-2000])
    with pytest.raises(DataFileError, match=r"line \d+, byte \d+: is damaged or cut off") as caught:
        list(iter_lines(path))
    assert (caught.value.line or 0) > 1000


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"none\.jsonl: cannot be read: No such file"):
        list(iter_lines(tmp_path / "none.jsonl"))
    with pytest.raises(DataFileError, match="cannot be read: Is a directory"):
        list(iter_lines(tmp_path))
