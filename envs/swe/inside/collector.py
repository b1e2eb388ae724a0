"""Reads back what an agent made of the files that count, without following a link and within bounds."""

import base64
import hashlib
import json
import os
import stat
import sys
from typing import Any


def main(order: "dict[str, Any]") -> None:
    """Print JSON: `changed` (path -> base64), `gone` (paths), and `left_out` ([path, why] each).

    Args:
        order: `root`; `sources`, files and folders below it; `known` (path -> 16 hex digits of its contents), what was
            there at first; `skip`, names of folders not to go into; `file_bytes`, `total_bytes` and `entries`, limits.
    """
    found = {}  # type: dict[str, bool]
    left_out = []  # type: list[list[Any]]
    seen = [0]
    for source in order["sources"]:
        _walk(order, source, found, left_out, seen)
    changed, total = {}, 0
    for path in sorted(found):
        data = _read(os.path.join(order["root"], path), order["file_bytes"])
        if isinstance(data, str):
            left_out.append([path, data])
        elif hashlib.sha256(data).hexdigest()[:16] != order["known"].get(path):
            total += len(data)
            if total > order["total_bytes"]:
                left_out.append([path, "the changes are too large together"])
            else:
                changed[path] = base64.b64encode(data).decode()
    gone = sorted(path for path in order["known"] if path not in found)
    sys.stdout.write(json.dumps({"changed": changed, "gone": gone, "left_out": left_out[:1000]}))


def _walk(
    order: "dict[str, Any]", path: str, found: "dict[str, bool]", left_out: "list[list[Any]]", seen: "list[int]"
) -> None:
    """Add the regular files at and below a path to `found`."""
    seen[0] += 1
    if seen[0] > order["entries"]:
        if seen[0] == order["entries"] + 1:
            left_out.append([path, "there are too many files"])
        return
    where = os.path.join(order["root"], path)
    try:
        mode = os.lstat(where).st_mode
        if stat.S_ISREG(mode):
            if os.path.realpath(where) == os.path.join(os.path.realpath(order["root"]), path):
                found[path] = True
            else:
                left_out.append([path, "it lies behind a link"])
        elif stat.S_ISDIR(mode):
            for name in sorted(os.listdir(where)):
                if name not in order["skip"]:
                    _walk(order, name if path == "." else path + "/" + name, found, left_out, seen)
        else:
            left_out.append([path, "it is a link" if stat.S_ISLNK(mode) else "it is no regular file"])
    except FileNotFoundError:
        return
    except OSError as error:
        left_out.append([path, error.strerror])


def _read(where: str, limit: int) -> "bytes | str":
    """A file's contents, or why they cannot be had."""
    try:
        stream = os.open(where, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(stream, "rb") as file:
            if os.fstat(stream).st_size > limit:
                return f"it is larger than {limit:,} bytes"
            return file.read(limit)
    except OSError as error:
        return str(error.strerror)
