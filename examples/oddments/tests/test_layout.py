"""Plain text."""

import pytest
from oddments.layout import justify, number_lines, shorten, table, wrap


def test_wrap_breaks_between_words():
    assert wrap("the quick brown fox jumps", 11) == ["the quick", "brown fox", "jumps"]


def test_wrap_fills_a_line_to_its_last_character():
    assert wrap("ab cd ef", 5) == ["ab cd", "ef"]


def test_wrap_keeps_paragraphs_apart():
    assert wrap("one two\nthree\n\nfour", 20) == ["one two three", "", "four"]


def test_wrap_indents_the_first_line_and_the_others():
    assert wrap("aa bb cc", 6, indent="- ", hanging="  ") == ["- aa", "  bb", "  cc"]


def test_wrap_hangs_as_it_indents_by_default():
    assert wrap("aa bb", 4, indent="> ") == ["> aa", "> bb"]


def test_wrap_breaks_a_word_that_fits_nowhere():
    assert wrap("abcdefgh ij", 3) == ["abc", "def", "gh", "ij"]


def test_wrap_breaks_a_word_of_exactly_the_width():
    assert wrap("abc def", 3) == ["abc", "def"]


def test_wrap_of_nothing():
    assert wrap("", 10) == []


def test_wrap_needs_room():
    with pytest.raises(ValueError, match="leaves no room"):
        wrap("text", 4, indent="    ")


@pytest.mark.parametrize(
    ("width", "expected"), [(9, "a  bb ccc"), (10, "a  bb  ccc"), (12, "a   bb   ccc"), (8, "a bb ccc")]
)
def test_justify_spreads_the_spaces(width, expected):
    assert justify("a bb ccc", width) == expected


def test_justify_leaves_a_single_word():
    assert justify("word", 10) == "word"


def test_justify_leaves_a_line_that_is_too_long():
    assert justify("two words", 5) == "two words"


def test_shorten_leaves_short_text():
    assert shorten("12345", 5) == "12345"


def test_shorten_on_the_right():
    assert shorten("abcdefgh", 5) == "abcd…"


def test_shorten_on_the_left():
    assert shorten("abcdefgh", 5, side="left") == "…efgh"


@pytest.mark.parametrize(("width", "expected"), [(5, "ab…gh"), (6, "abc…gh"), (2, "a…"), (1, "…")])
def test_shorten_in_the_middle(width, expected):
    assert shorten("abcdefgh", width, side="middle") == expected


def test_shorten_with_a_long_marker():
    assert shorten("abcdefgh", 6, marker="...") == "abc..."
    with pytest.raises(ValueError, match="longer than 2"):
        shorten("abcdefgh", 2, marker="...")


def test_shorten_on_an_unknown_side():
    with pytest.raises(ValueError, match="side must be"):
        shorten("abcdefgh", 3, side="top")


def test_table_aligns_to_the_left():
    assert table([["a", "bb"], ["ccc", "d"]]) == ["a    bb", "ccc  d"]


def test_table_aligns_each_column():
    rows = [["name", "n", "x"], ["b", 100, "yyy"]]
    assert table(rows, align="<>^") == ["name    n   x", "b     100  yyy"]


def test_table_fills_up_short_rows():
    assert table([["a", "b", "c"], ["d"]], gap=1) == ["a b c", "d"]


def test_table_underlines_its_header():
    assert table([["ab", "c"], ["d", "efg"]], header=True) == ["ab  c", "--  ---", "d   efg"]


def test_table_of_nothing():
    assert table([]) == []


def test_number_lines_aligns_the_numbers():
    lines = number_lines("abcdefghij")
    assert lines[0] == " 1 a"
    assert lines[9] == "10 j"


def test_number_lines_from_a_start():
    assert number_lines(["x", "y"], start=9) == [" 9 x", "10 y"]


def test_number_lines_can_skip_empty_ones():
    assert number_lines(["x", "", "y"], skip_empty=True) == ["1 x", "", "2 y"]
    assert number_lines(["x", "", "y"]) == ["1 x", "2 ", "3 y"]
