"""A small formula language: numbers, names, `+ - * / % ^`, comparisons, `and or not`, and calls.

>>> evaluate("2 * (price - 1)", {"price": 4})
6
"""

from __future__ import annotations

from typing import NamedTuple

_TWO = ("<=", ">=", "==", "!=")
_ONE = "+-*/%^(),<>"
_WORDS = ("and", "or", "not")


class FormulaError(ValueError):
    """A formula cannot be read or evaluated.

    Args:
        message: What is wrong.
        position: Index of the character at which it shows.
    """

    def __init__(self, message, position):
        super().__init__(f"{message} (at character {position + 1})")
        self.position = position


class Token(NamedTuple):
    """A piece of a formula: `number`, `text`, `name`, `word`, `sign`, or `end`."""

    kind: str
    value: object
    position: int


def tokenize(source):
    """The tokens of a formula; the last one is of the kind `end`. What follows a `#` is a comment."""
    tokens = []
    at = 0
    while at < len(source):
        character = source[at]
        if character.isspace():
            at += 1
        elif character == "#":
            newline = source.find("\n", at)
            at = len(source) if newline < 0 else newline + 1
        elif character.isdigit() or (character == "." and source[at + 1 : at + 2].isdigit()):
            token, at = _number(source, at)
            tokens.append(token)
        elif character in "\"'":
            token, at = _text(source, at)
            tokens.append(token)
        elif character.isalpha() or character == "_":
            end = at
            while end < len(source) and (source[end].isalnum() or source[end] == "_"):
                end += 1
            name = source[at:end]
            tokens.append(Token("word" if name in _WORDS else "name", name, at))
            at = end
        elif source[at : at + 2] in _TWO:
            tokens.append(Token("sign", source[at : at + 2], at))
            at += 2
        elif character in _ONE:
            tokens.append(Token("sign", character, at))
            at += 1
        else:
            raise FormulaError(f"unknown character {character!r}", at)
    tokens.append(Token("end", "", len(source)))
    return tokens


def _number(source, start):
    end = start
    dots = 0
    while end < len(source) and (source[end].isdigit() or source[end] in "._"):
        dots += source[end] == "."
        end += 1
    text = source[start:end]
    if dots > 1 or text.endswith("_"):
        raise FormulaError(f"{text!r} is no number", start)
    value = float(text) if dots else int(text)
    return Token("number", value, start), end


def _text(source, start):
    quote = source[start]
    parts = []
    at = start + 1
    while at < len(source):
        character = source[at]
        if character == quote:
            return Token("text", "".join(parts), start), at + 1
        if character == "\\" and at + 1 < len(source):
            at += 1
            character = {"n": "\n", "t": "\t"}.get(source[at], source[at])
        parts.append(character)
        at += 1
    raise FormulaError("the text does not end", start)


def evaluate(source, names=None, functions=None):
    """The value of a formula.

    From loose to tight: `or`, `and`, `not`, comparisons (which may be chained, as in `0 < x <= 1`), `+ -`, `* / %`, the
    sign, and `^`, which binds to the right.

    Args:
        source: The formula.
        names: What its names stand for.
        functions: What can be called, beside `min`, `max`, `abs`, `round` and `len`.

    Raises:
        FormulaError: It cannot be read, it names something unknown, or it divides by zero.
    """
    return _Reader(tokenize(source), names or {}, functions or {}).read()


class _Reader:
    """Evaluates while it reads, each level of precedence in a method of its own."""

    def __init__(self, tokens, names, functions):
        self._tokens, self._at = tokens, 0
        self._names = names
        self._functions = {"min": min, "max": max, "abs": abs, "round": round, "len": len, **functions}

    def read(self):
        value = self._either()
        if self._next.kind != "end":
            raise FormulaError(f"unexpected {self._next.value!r}", self._next.position)
        return value

    @property
    def _next(self):
        return self._tokens[self._at]

    def _take(self, kind, *values):
        """The next token where it is one of these, else None."""
        token = self._next
        if token.kind != kind or (values and token.value not in values):
            return None
        self._at += 1
        return token

    def _either(self):
        value = self._both()
        while self._take("word", "or"):
            right = self._both()
            value = value or right
        return value

    def _both(self):
        value = self._negated()
        while self._take("word", "and"):
            right = self._negated()
            value = value and right
        return value

    def _negated(self):
        if self._take("word", "not"):
            return not self._negated()
        return self._compared()

    def _compared(self):
        left = self._sum()
        result = None
        while sign := self._take("sign", "<", "<=", ">", ">=", "==", "!="):
            right = self._sum()
            holds = _compare(left, sign.value, right)
            result = holds if result is None else result and holds
            left = right
        return left if result is None else result

    def _sum(self):
        value = self._product()
        while sign := self._take("sign", "+", "-"):
            right = self._product()
            value = value + right if sign.value == "+" else value - right
        return value

    def _product(self):
        value = self._signed()
        while sign := self._take("sign", "*", "/", "%"):
            right = self._signed()
            if sign.value == "*":
                value = value * right
            elif right == 0:
                raise FormulaError("division by zero", sign.position)
            else:
                value = value / right if sign.value == "/" else value % right
        return value

    def _signed(self):
        if self._take("sign", "-"):
            return -self._signed()
        return self._power()

    def _power(self):
        base = self._atom()
        if self._take("sign", "^"):
            return base ** self._signed()
        return base

    def _atom(self):
        token = self._next
        if self._take("number") or self._take("text"):
            return token.value
        if self._take("name"):
            return self._call(token) if self._take("sign", "(") else self._look_up(token)
        if self._take("sign", "("):
            value = self._either()
            self._close(token)
            return value
        what = "the formula ends too early" if token.kind == "end" else f"unexpected {token.value!r}"
        raise FormulaError(what, token.position)

    def _look_up(self, token):
        if token.value not in self._names:
            raise FormulaError(f"unknown name {token.value!r}", token.position)
        return self._names[token.value]

    def _call(self, token):
        function = self._functions.get(token.value)
        if function is None:
            raise FormulaError(f"unknown function {token.value!r}", token.position)
        arguments = []
        if not self._take("sign", ")"):
            arguments.append(self._either())
            while self._take("sign", ","):
                arguments.append(self._either())
            self._close(token)
        return function(*arguments)

    def _close(self, opened):
        if not self._take("sign", ")"):
            raise FormulaError("a bracket is not closed", opened.position)


def _compare(left, sign, right):
    if sign == "==":
        return left == right
    if sign == "!=":
        return left != right
    if sign == "<":
        return left < right
    if sign == "<=":
        return left <= right
    return left > right if sign == ">" else left >= right
