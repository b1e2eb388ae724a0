"""Formulas."""

import pytest
from oddments.formulas import FormulaError, Token, evaluate, tokenize


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("7 - 2 - 1", 4),
        ("8 / 4 / 2", 1.0),
        ("7 % 4", 3),
        ("2 ^ 3 ^ 2", 512),
        ("-2 ^ 2", -4),
        ("2 ^ -1", 0.5),
        ("--3", 3),
        ("1_000 + .5", 1000.5),
    ],
)
def test_arithmetic(formula, value):
    assert evaluate(formula) == value


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("1 < 2", True),
        ("2 <= 2", True),
        ("2 < 2", False),
        ("3 > 2", True),
        ("2 >= 3", False),
        ("1 == 1.0", True),
        ("1 != 1", False),
        ("0 < 5 <= 5", True),
        ("0 < 5 < 5", False),
        ("3 > 2 > 2", False),
    ],
)
def test_comparisons(formula, value):
    assert evaluate(formula) is value


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("1 < 2 and 2 < 1", False),
        ("1 < 2 or 2 < 1", True),
        ("not 1 < 2", False),
        ("not not 1", True),
        ("1 or 0 and 0", 1),
        ("0 or 7", 7),
        ("3 and 7", 7),
    ],
)
def test_logic(formula, value):
    assert evaluate(formula) == value


def test_names():
    assert evaluate("2 * (price - 1)", {"price": 4}) == 6


def test_unknown_names_are_told():
    with pytest.raises(FormulaError, match="unknown name 'x'"):
        evaluate("1 + x")


def test_functions():
    assert evaluate("max(1, 2 + 3, 4)") == 5
    assert evaluate("abs(-4) + len('abc')") == 7


def test_own_functions():
    assert evaluate("twice(4)", functions={"twice": lambda value: 2 * value}) == 8
    assert evaluate("now()", functions={"now": lambda: 12}) == 12


def test_unknown_functions_are_told():
    with pytest.raises(FormulaError, match="unknown function 'f'"):
        evaluate("f(1)", {"f": 3})


def test_text():
    assert evaluate("'a' + \"b\"") == "ab"
    assert evaluate(r"'it\'s\n'") == "it's\n"


def test_text_that_does_not_end():
    with pytest.raises(FormulaError, match="does not end"):
        evaluate("'abc")


def test_comments_are_skipped():
    assert evaluate("1 + # one\n 2 # two") == 3


def test_tokens_know_their_position():
    assert tokenize("a >= 10") == [
        Token("name", "a", 0),
        Token("sign", ">=", 2),
        Token("number", 10, 5),
        Token("end", "", 7),
    ]


def test_words_are_no_names():
    assert [token.kind for token in tokenize("not android or_ x1")] == ["word", "name", "name", "name", "end"]


@pytest.mark.parametrize(
    ("formula", "message", "position"),
    [
        ("1 +", "ends too early", 3),
        ("(1 + 2", "bracket is not closed", 0),
        ("max(1, 2", "bracket is not closed", 0),
        ("1 2", "unexpected 2", 2),
        ("* 2", r"unexpected '\*'", 0),
        ("1 ? 2", "unknown character", 2),
        ("1.2.3", "is no number", 0),
        ("1_", "is no number", 0),
        ("4 / (2 - 2)", "division by zero", 2),
        ("4 % 0", "division by zero", 2),
    ],
)
def test_mistakes_are_told_with_their_position(formula, message, position):
    with pytest.raises(FormulaError, match=message) as caught:
        evaluate(formula)
    assert caught.value.position == position


def test_positions_are_told_from_one():
    with pytest.raises(FormulaError, match=r"\(at character 3\)"):
        evaluate("1 ? 2")
