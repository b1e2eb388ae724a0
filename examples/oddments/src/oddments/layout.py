"""Plain text: wrapped, justified, shortened, and laid out in columns."""

from __future__ import annotations


def wrap(text, width=72, indent="", hanging=None):
    """Break text into lines of at most `width` characters, between words where that is possible.

    Args:
        text: Paragraphs, separated by empty lines; other line breaks count as spaces.
        width: Most characters of a line, with its indentation.
        indent: What the first line of each paragraph begins with.
        hanging: What its other lines begin with; default: the same.

    Returns:
        The lines; an empty one between paragraphs.
    """
    if hanging is None:
        hanging = indent
    if width <= max(len(indent), len(hanging)):
        raise ValueError(f"a width of {width} leaves no room beside the indentation")
    lines = []
    for paragraph in text.strip().split("\n\n"):
        if lines:
            lines.append("")
        lines += _wrap_words(paragraph.split(), width, indent, hanging)
    return lines


def _wrap_words(words, width, indent, hanging):
    lines, line = [], indent
    empty = True
    for word in words:
        while True:
            needed = len(word) if empty else len(word) + 1
            if len(line) + needed <= width:
                line += word if empty else " " + word
                empty = False
                break
            if empty:
                room = width - len(line)
                line, word = line + word[:room], word[room:]
            lines.append(line)
            line, empty = hanging, True
            if not word:
                break
    if not empty:
        lines.append(line)
    return lines


def justify(line, width):
    """Spread the words of a line over the whole width; the wider gaps come first.

    A line of one word, or one that is too long, stays as it is.
    """
    words = line.split()
    if len(words) < 2:
        return line
    spaces = width - sum(len(word) for word in words)
    gaps = len(words) - 1
    if spaces < gaps:
        return line
    each, extra = divmod(spaces, gaps)
    result = words[0]
    for number, word in enumerate(words[1:]):
        result += " " * (each + (1 if number < extra else 0)) + word
    return result


def shorten(text, width, marker="…", side="right"):
    """Cut text to a width, with a marker where something is missing.

    Args:
        text: One line.
        width: Most characters, with the marker.
        marker: Stands for what is cut out.
        side: `right`, `left` or `middle`: where to cut.
    """
    if len(text) <= width:
        return text
    room = width - len(marker)
    if room < 0:
        raise ValueError(f"the marker alone is longer than {width}")
    if side == "right":
        return text[:room] + marker
    if side == "left":
        return marker + text[len(text) - room :]
    if side == "middle":
        head = (room + 1) // 2
        tail = room - head
        return text[:head] + marker + (text[-tail:] if tail else "")
    raise ValueError(f"side must be right, left or middle, got {side!r}")


def table(rows, align="", gap=2, header=False):
    """Rows of cells as lines of text, in columns as wide as their widest cell.

    Args:
        rows: Sequences of cells; short rows are filled up with empty ones.
        align: For each column `<`, `>` or `^`; columns beyond it are aligned to the left.
        gap: Spaces between columns.
        header: Whether the first row is underlined.
    """
    cells = [[str(cell) for cell in row] for row in rows]
    if not cells:
        return []
    columns = max(len(row) for row in cells)
    cells = [row + [""] * (columns - len(row)) for row in cells]
    widths = [max(len(row[column]) for row in cells) for column in range(columns)]
    lines = [_row(row, widths, align, gap) for row in cells]
    if header:
        lines.insert(1, _row(["-" * width for width in widths], widths, align, gap))
    return lines


def _row(row, widths, align, gap):
    padded = []
    for column, (cell, width) in enumerate(zip(row, widths, strict=True)):
        how = align[column] if column < len(align) else "<"
        if how == ">":
            padded.append(cell.rjust(width))
        elif how == "^":
            padded.append(cell.center(width))
        else:
            padded.append(cell.ljust(width))
    return (" " * gap).join(padded).rstrip()


def number_lines(lines, start=1, skip_empty=False):
    """Lines with their numbers in front, aligned to the right.

    Args:
        lines: What to number.
        start: The first number.
        skip_empty: Whether empty lines get no number and do not count.
    """
    lines = list(lines)
    counted = [line for line in lines if line.strip()] if skip_empty else lines
    width = len(str(start + len(counted) - 1))
    result, number = [], start
    for line in lines:
        if skip_empty and not line.strip():
            result.append("")
            continue
        result.append(f"{number:>{width}} {line}")
        number += 1
    return result
