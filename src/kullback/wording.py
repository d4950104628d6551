"""How names and numbers are put before people: nothing a data file contains can move the cursor or flood the page."""

from __future__ import annotations

import math
import unicodedata
from typing import Protocol

# Control, format (bidirectional marks, zero-width), surrogate, private and unassigned characters, and the separators
# that a terminal or a spreadsheet takes for a new line. What is left prints where it stands.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
# A base letter carries at most this many combining marks: thousands of them climb over neighbouring lines.
_MOST_MARKS = 2
_FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r")


class Estimated(Protocol):
    """What has a value and an interval."""

    @property
    def value(self) -> float:
        """The number itself."""
        ...

    @property
    def low(self) -> float:
        """The lower end."""
        ...

    @property
    def high(self) -> float:
        """The upper end."""
        ...


def visible(text: str, limit: int = 80) -> str:
    r"""Text from a data file, in one line of at most `limit` characters, hidden characters spelt out.

    >>> visible("a\nb\u202e" + "c" * 100, limit=12)
    'a\\nb\\u202ec…'
    """
    parts: list[str] = []
    room, marks = limit, 0
    for character in text:
        spelt, marks = _spelt(character, marks)
        if len(spelt) > room:
            return _ended(parts, limit)
        parts.append(spelt)
        room -= len(spelt)
    return "".join(parts)


def label(text: str, limit: int = 80) -> str:
    """A name from a data file; one that would not be seen stands in quotation marks.

    >>> label("age"), label(" ")
    ('age', '" "')
    """
    return visible(text, limit) if text.strip() else f'"{visible(text, max(limit - 2, 0))}"'


def file_name(path: object, limit: int = 80) -> str:
    """A path for reading; of a long one the end is kept, where the name stands.

    >>> file_name("/a/very/long/way/table.csv", limit=12)
    '…y/table.csv'
    """
    whole = visible(str(path), 100_000)
    return whole if len(whole) <= limit else "…" + whole[1 - limit :]


def _spelt(character: str, marks: int) -> tuple[str, int]:
    category = unicodedata.category(character)
    if category in ("Mn", "Me"):
        return (character if marks < _MOST_MARKS else ""), marks + 1
    if category not in _HIDDEN:
        return character, 0
    if character in _NAMED:
        return _NAMED[character], 0
    code = ord(character)
    return (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"), 0


def _ended(parts: list[str], limit: int) -> str:
    while parts and sum(len(part) for part in parts) > limit - 1:
        parts.pop()
    return "".join(parts) + "…"


def spreadsheet_safe(text: str) -> str:
    """A cell that no spreadsheet takes for a formula: an apostrophe stands before what would start one.

    >>> spreadsheet_safe("=1+1"), spreadsheet_safe("age")
    ("'=1+1", 'age')
    """
    return "'" + text if text.lstrip(" ").startswith(_FORMULA_PREFIXES) else text


def amount(value: float, digits: int = 3) -> str:
    """A number for reading: `digits` significant ones, no exponent where a plain number is as short.

    >>> print(amount(0.012345), amount(1234567.0), amount(3e-9), amount(math.inf), sep=", ")
    0.0123, 1 230 000, 3e-9, ∞
    """
    if math.isnan(value):
        return "?"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    sign = "−" if value < 0 else ""
    if not -5 < size < 9:
        mantissa, exponent = f"{abs(value):.{digits - 1}e}".split("e")
        return f"{sign}{_bare(mantissa)}e{int(exponent)}"
    rounded = float(f"{abs(value):.{digits}g}")
    return sign + (count(int(rounded)) if size >= digits - 1 else _bare(f"{rounded:.{digits - 1 - size}f}"))


def _bare(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def count(value: int) -> str:
    """A whole number in groups of three.

    >>> print(count(20190))
    20 190
    """
    return f"{value:,}".replace(",", " ")


def memory(size: int) -> str:
    """A number of bytes in the unit that fits.

    >>> print(memory(2 * 1024**3), memory(12), sep=", ")
    2.15 GB, 12 bytes
    """
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= unit:
            return f"{amount(size / unit)} {name}"
    return f"{size} bytes"


def share(value: float) -> str:
    """A share as a percentage; small ones stay above zero.

    >>> print(share(0.1234), share(0.00001), share(1.0), sep=", ")
    12.3 %, <0.1 %, 100 %
    """
    if 0 < value < 0.001:
        return "<0.1 %"
    if 0.999 < value < 1:
        return ">99.9 %"
    return f"{_bare(f'{100 * value:.1f}')} %"


def chance(value: float) -> str:
    """A p- or q-value with two significant digits, never rounded to zero.

    >>> chance(0.0312), chance(0.00001), chance(1.0)
    ('0.031', '<0.0001', '1')
    """
    if value < 0.0001:
        return "<0.0001"
    return amount(value, 2)


def estimate(answer: Estimated) -> str:
    """A value with its interval, all to the decimal place that the width of the interval makes meaningful.

    >>> from kullback.answer import Answer
    >>> estimate(Answer(0.05234, 0.04109, 0.06, level=0.95)), estimate(Answer(math.inf, 0.1, math.inf))
    ('0.052 [0.041, 0.060]', '∞ [0.1, ∞]')
    """
    ends = (answer.value, answer.low, answer.high)
    places = decimals(answer.high - answer.low)
    if not 0 <= places <= 8 or not math.isfinite(answer.value):
        value, low, high = (amount(x) for x in ends)
    else:
        value, low, high = (_to_place(x, places) for x in ends)
    return f"{value} [{low}, {high}]"


def with_unit(number: str, unit: str) -> str:
    """A number with its unit, if it has one.

    >>> with_unit("0.3", "nats"), with_unit("0.3", "")
    ('0.3 nats', '0.3')
    """
    return f"{number} {unit}".rstrip()


def decimals(width: float) -> int:
    """The decimal place of the second digit of an interval's width, where its ends stop meaning anything; else −1.

    >>> decimals(0.019), decimals(19.0), decimals(math.inf)
    (3, 0, -1)
    """
    return 1 - math.floor(math.log10(width)) if 0 < width < math.inf else -1


def _to_place(value: float, places: int) -> str:
    text = f"{abs(value):.{places}f}" if value else "0"
    return f"−{text}" if value < 0 and float(text) else text


def several(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun.

    >>> several(1, "column"), several(3, "category", "categories")
    ('1 column', '3 categories')
    """
    return f"{count(number)} {noun if number == 1 else plural or noun + 's'}"


def cells(text: str) -> int:
    """The width of a text on the terminal: East Asian characters take two cells, combining marks none.

    >>> cells("age"), cells("年齢")
    (3, 4)
    """
    return sum(_cell(character) for character in text)


def _cell(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def fit(text: str, width: int) -> str:
    """The text in exactly `width` cells, shortened by an ellipsis or filled with blanks.

    >>> fit("年齢", 6), fit("年齢", 3)
    ('年齢  ', '年…')
    """
    kept = text if cells(text) <= width else _start(text, width - 1) + "…"
    return kept + " " * (width - cells(kept))


def _start(text: str, width: int) -> str:
    """As much of a text as `width` cells hold."""
    used = 0
    for i, character in enumerate(text):
        used += _cell(character)
        if used > width:
            return text[:i]
    return text


def wrapped(text: str, width: int = 80, hanging: int = 0) -> list[str]:
    """Lines of at most `width` cells, broken at blanks, inside a word only where it is too long for a line of its own.

    >>> wrapped("one two three", 9, hanging=2)
    ['one two', '  three']
    """
    lines: list[str] = []
    line = ""
    for i, word in enumerate(text.split(" ")):
        longer = f"{line} {word}" if i else word
        if line.strip() and cells(longer) > width:
            lines.append(line)
            longer = " " * hanging + word
        while cells(longer) > width:
            lines.append(_start(longer, width))
            longer = " " * hanging + longer[len(lines[-1]) :]
        line = longer
    return [*lines, line]
