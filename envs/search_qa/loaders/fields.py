"""Typed access to the fields of a record in a data file; every complaint names file, place, record and field."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from turnwise.envs.data_files import DataFileError, kind_of


class Record:
    """One JSON object of a data file.

    Args:
        value: What was read.
        path: The file.
        inside: The field that it is in, for example `paragraphs[3]`.
        place: Where: `line` or `record`, and `byte`, as `DataFileError` takes them.

    Raises:
        DataFileError: The value is no object.
    """

    def __init__(self, value: Any, path: Path, inside: str = "", **place: Any) -> None:
        self.path, self.inside, self.place = path, inside, place
        if not isinstance(value, dict):
            raise DataFileError(path, f"expected an object, found {kind_of(value)}", field=inside, **place)
        self.value = value

    def error(self, field: str, problem: str) -> DataFileError:
        """An error at this record."""
        field = f"{self.inside}.{field}" if self.inside else field
        return DataFileError(self.path, problem, field=field, **self.place)

    def has(self, field: str) -> bool:
        """Whether the field is there and not null."""
        return self.value.get(field) is not None

    def text(self, field: str, default: str | None = None) -> str:
        """A text. A number counts as its digits: some files have numbers for ids."""
        value = self.value.get(field)
        if value is None and default is not None:
            return default
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if not isinstance(value, str):
            raise self.error(field, "is missing" if value is None else f"expected text, found {kind_of(value)}")
        return value

    def flag(self, field: str, default: bool) -> bool:
        """True or false."""
        value = self.value.get(field, default)
        if not isinstance(value, bool):
            raise self.error(field, f"expected true or false, found {kind_of(value)}")
        return value

    def texts(self, field: str) -> tuple[str, ...]:
        """A list of texts; one text counts as a list of one, null and absent as none."""
        value = self.value.get(field)
        value = [] if value is None else [value] if isinstance(value, str) else value
        if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
            raise self.error(field, f"expected a list of texts, found {kind_of(value)}")
        return tuple(value)

    def records(self, field: str) -> list[Record]:
        """A list of objects; null and absent count as an empty one."""
        value = self.value.get(field) or []
        if not isinstance(value, list):
            raise self.error(field, f"expected a list, found {kind_of(value)}")
        return [Record(item, self.path, f"{field}[{n}]", **self.place) for n, item in enumerate(value)]

    def rows(self, field: str, columns: int) -> list[Sequence[Any]]:
        """A list of lists of this many entries; null and absent count as an empty one."""
        value = self.value.get(field) or []
        fits = isinstance(value, list) and all(isinstance(row, list) and len(row) == columns for row in value)
        if not fits:
            raise self.error(field, f"expected a list of lists of {columns}")
        return list(value)
