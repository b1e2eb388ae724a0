from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from turnwise.envs import json_stream
from turnwise.envs.data_files import DataFileError
from turnwise.envs.json_stream import iter_array, iter_array_places, iter_object


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "found 'the end of the file'"),
        ('{"a": 1}', "a JSON array"),
        ('[{"a": 1}', "expected ',' or ']'"),
        ('[{"a": 1} {"a": 2}]', "record 1"),
        ('[{"a": 1}, {"a": }]', "record 1"),
        ('[{"a": 1}] trailing', "the end of the file"),
        ('[{"a": "unclosed}]', "record 0"),
    ],
)
def test_broken_json_is_refused_at_the_record(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "broken.json"
    path.write_text(text)
    with pytest.raises(DataFileError) as caught:
        list(iter_array(path))
    assert str(path) in str(caught.value) and told in str(caught.value)


def test_other_encodings_and_missing_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "latin.json"
    path.write_bytes('["é"]'.encode("latin-1"))
    with pytest.raises(DataFileError, match="UTF-8"):
        list(iter_array(path))
    with pytest.raises(DataFileError, match=r"none\.json: cannot be read"):
        list(iter_object(tmp_path / "none.json"))


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 64])
def test_members_may_straddle_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(json_stream, "_CHUNK", chunk)
    members = [{"text": 'a,b]}{"\\ é 😀', "list": [1, [2, {}]]}, 12345, -1.5e3, "x", None, True, [], {}]
    path = tmp_path / "members.json"
    path.write_text(json.dumps(members, indent=2), encoding="utf-8")
    assert list(iter_array(path)) == members
    path.write_text(json.dumps({str(i): m for i, m in enumerate(members)}), encoding="utf-8")
    assert [member for _, member in iter_object(path)] == members


def test_records_are_read_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "half.json"
    path.write_text(json.dumps([{"n": n, "text": "x" * 1000} for n in range(5000)])[:-2] + "oops")
    stream = iter_array(path)
    assert [next(stream)["n"] for _ in range(4990)] == list(range(4990))
    with pytest.raises(DataFileError, match="record 4999"):
        list(stream)


@pytest.mark.parametrize("chunk", [1, 5, 2**20])
def test_members_know_where_they_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(json_stream, "_CHUNK", chunk)
    path = tmp_path / "places.json"
    path.write_bytes('[\r\n {"name": "é\U0001f600"},\r\n  {"name": 2}, [3]\n]'.encode())
    content = path.read_bytes()
    assert [content[byte:].startswith(start) for (byte, _), start in zip(
        iter_array_places(path), (b'{"name": "\xc3', b'{"name": 2', b"[3]"), strict=True
    )] == [True] * 3  # fmt: skip


def test_a_file_cut_in_the_middle_says_where(tmp_path: Path) -> None:
    path = tmp_path / "cut.json"
    whole = json.dumps([{"text": "é" * 10}, {"text": "second"}], ensure_ascii=False).encode()
    path.write_bytes(whole[:-5])
    with pytest.raises(DataFileError) as caught:
        list(iter_array(path))
    second = whole.index(b'{"text": "second')
    assert (caught.value.record, caught.value.byte) == (1, second)
    assert f"record 1, byte {second}: " in str(caught.value)
    assert f"the file ends at byte {len(whole) - 5}" in str(caught.value)


def test_compressed_files_are_read_and_told_when_cut(tmp_path: Path) -> None:
    path = tmp_path / "members.json.gz"
    members = [{"n": n, "text": f"{n * 7919 % 10007}" * 9} for n in range(2000)]
    path.write_bytes(gzip.compress(json.dumps(members).encode()))
    assert list(iter_array(path)) == members
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataFileError, match=r"members\.json\.gz: is damaged or cut off"):
        list(iter_array(path))


@pytest.mark.parametrize("member", ["[" * 100_000, "1" * 5000])
def test_members_that_python_does_not_take(tmp_path: Path, member: str) -> None:
    path = tmp_path / "deep.json"
    path.write_text(f'["fine", {member}]')
    with pytest.raises(DataFileError, match="record 1, byte 9"):
        list(iter_array(path))
