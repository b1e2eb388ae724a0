"""Files that cannot be taken apart say why."""

from __future__ import annotations

import pytest

from turnwise.envs.swe.mutation import Source, UnreadableSourceError, mutate, mutations
from turnwise.envs.swe.mutation.source import Edit


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"# -*- coding: latin-1 -*-\nx = '\xe9'\n", "p.py is not UTF-8: invalid continuation byte at byte 31"),
        (b"x = (\n", "p.py is not Python, line 1"),
        (b"print 'x'\n", "p.py is not Python, line 1"),
        (b"x = 1\0", "p.py is not Python"),
    ],
)
def test_what_cannot_be_read(data: bytes, message: str) -> None:
    with pytest.raises(UnreadableSourceError) as caught:
        Source("p.py", data)
    assert message in str(caught.value)


def test_several_edits_are_made_from_the_end() -> None:
    assert (
        Source("p.py", b"a = b + c").edited([Edit(0, 1, b"long"), Edit(8, 9, b""), Edit(4, 5, b"bb")])
        == b"long = bb + "
    )


def test_a_byte_order_mark_moves_nothing() -> None:
    code = "def f(a):\n    if a < 1:\n        return 0\n    else:\n        return 1\n".encode("utf-8-sig")
    source = Source("p.py", code)
    after = {mutate(source, [mutation]) for mutation in mutations(source)}
    assert code.replace(b"<", b"<=") in after
    assert code.replace(b"    else:\n        return 1\n", b"") in after
