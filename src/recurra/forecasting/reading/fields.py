"""What the fields of a column mean: numbers and times. Signs and orders are decided once for a whole column."""

from __future__ import annotations

import contextlib
import re
from typing import Any

import numpy as np

from recurra._checks import expected
from recurra.errors import DataError

# Texts of one shape differ in their digits alone. A column has few shapes, and what is found of one text (that it is a
# number, where its year stands) holds for all of that shape.
SHAPE = str.maketrans("123456789", "000000000")
MISSING = {"", "na", "n/a", "#n/a", "<na>", "nan", "nat", "null", "none", "-", "?"}


def is_missing(value: Any) -> bool:
    """Returns whether a field holds nothing: None, NaN, pandas's NA and NaT, or a text that says so."""
    return value.strip().lower() in MISSING if isinstance(value, str) else is_empty(value)


def is_empty(value: Any) -> bool:
    """Returns whether a field holds nothing at all: texts such as "NA" are something."""
    if isinstance(value, str):
        return not value.strip()
    if isinstance(value, float):
        return bool(np.isnan(value))
    return value is None or type(value).__name__ in ("NAType", "NaTType")


# Numbers ------------------------------------------------------------------------------------------------------------

_POINT = re.compile(r"[+-]?(\d{1,3}(,\d{3})+(\.\d*)?|\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?inf(inity)?", re.IGNORECASE)
_BETWEEN = " \u00a0\u2009\u202f'’"  # between thousands, beside points and commas
_SPACES = re.compile(rf"(?<=\d)[{_BETWEEN}](?=\d{{3}}(\D|$))")
_SPACES_TO_SHOW = str.maketrans(dict.fromkeys("\u3000\u00a0\u2009\u202f", " "))
_SWAPPED = str.maketrans(",.", ".,")
# Wide letters, as Korean and Japanese keyboards write them, special spaces, and the minus sign.
USUAL = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)} | str.maketrans(
    "￡￥￦−\u3000\u00a0\u2009\u202f", "£¥₩-    "
)
_MARKS = "$€£¥₩₹%원\\"  # a backslash is a won sign or a yen sign in cp949 and its like
_MARK = rf"[{re.escape(_MARKS)}]"
_MARKED = re.compile(rf"([+-]?)({_MARK}?)(\(?)({_MARK}?)([+-]?)([\d.,].*?)({_MARK}?)(\)?)({_MARK}?)")
_LOOSE = re.compile(rf"(?<={_MARK})\s+|(?<=[(+-])\s+|\s+(?={_MARK})")
_NO_NUMBER = (TypeError, ValueError, OverflowError)  # what `float` raises


def unmarked(value: Any) -> tuple[Any, str]:
    """Returns a text of a number without its sign of money or percent, and that sign; parentheses are a minus.

    >>> unmarked("-$1,234.5"), unmarked("(1.234,5 €)"), unmarked("7"), unmarked("$ many")
    (('-1,234.5', '$'), ('-1.234,5', '€'), ('7', ''), ('$ many', ''))
    """
    if not isinstance(value, str):
        return value, ""
    text = value.translate(USUAL) if not value.isascii() else value
    match = _MARKED.fullmatch(_LOOSE.sub("", text.strip()))
    if match is None:
        return value, ""
    sign, before, opened, inner, inner_sign, body, after, closed, last = match.groups()
    signs, marks = sign + inner_sign, before + inner + after + last
    if len(signs) > 1 or len(marks) > 1 or bool(opened) != bool(closed) or (opened and signs):
        return value, ""
    return ("-" if opened else signs) + body, marks


def shown(text: str) -> str:
    """Returns a text in quotes as it looks: `repr` alone spells special spaces out."""
    return repr(text.translate(_SPACES_TO_SHOW))


def without_marks(values: list[Any], who: str) -> tuple[list[Any], str | None]:
    """Returns a column of numbers without signs of money and percent, and one field that had one, as an example.

    The example is None where nothing changed; see `unmarked`.

    Raises:
        DataError: If they are not all of one unit.
    """
    letters = "".join(value for value in values if isinstance(value, str))
    if letters.isascii() and not any(mark in letters for mark in _MARKS + "("):
        return values, None
    plain, marks = zip(*map(unmarked, values), strict=True)
    units: dict[str, str] = {}
    for value, text, mark in zip(values, plain, marks, strict=True):
        if mark not in units and is_number(text):
            units[mark] = str(value)
    if len(units) > 1:
        one, other = list(units.values())[:2]
        raise DataError(expected(who, "numbers of one unit", f"{one!r} and {other!r}"))
    turned = (value for value in values if isinstance(value, str) and "(" in value and is_number(unmarked(value)[0]))
    return list(plain), next(turned, None) or next((one for mark, one in units.items() if mark), None)


def decimal_sign(values: list[Any], otherwise: str = ".", who: str = "a column") -> str:
    """Returns the decimal sign of a column of texts, "." or ",".

    Args:
        values: The column; fields that are no texts say nothing.
        otherwise: The sign where a comma could be either, as in "1,234".
        who: What the column is called in errors.

    Raises:
        DataError: If some fields are written with the one and some with the other.

    >>> decimal_sign(["1.234", "1.234,5"]), decimal_sign(["1,234", "1,234,567"]), decimal_sign(["0,125"])
    (',', '.', ',')
    """
    texts = [value for value in values if isinstance(value, str) and ("," in value or "." in value)]
    if not any("," in text or text.count(".") > 1 for text in texts):
        return "."
    certain: dict[str, str] = {}
    doubtful: dict[str, str] = {}
    kinds: dict[tuple[str, bool], str] = {}
    for text in texts:
        kinds.setdefault((text.translate(SHAPE), text.strip(" +-").startswith("0")), text)
    for text in kinds.values():
        text = _SPACES.sub("", text.strip())
        with_point, with_comma = _POINT.fullmatch(text), _POINT.fullmatch(text.translate(_SWAPPED))
        if with_point and with_comma and not re.match(r"[+-]?0[.,]", text):
            doubtful.setdefault("," if "," in text else ".", text)
        elif with_point and with_comma:  # no thousands begin with a zero
            certain.setdefault("," if "," in text else ".", text)
        elif with_point or with_comma:
            certain.setdefault("." if with_point else ",", text)
    if len(certain or doubtful) == 2:
        one, other = (certain or doubtful).values()
        raise DataError(expected(who, "one decimal sign", f"{one!r} and {other!r}", "use one of them"))
    if certain:
        return next(iter(certain))
    return otherwise if doubtful.get(",") else "."


def number(value: Any, sign: str) -> float | None:
    """Returns the number that a field holds, None if it is none: 1234.5, 1,234.5 or, with "," as the sign, 1.234,5."""
    if not isinstance(value, str):
        try:
            return float(value)
        except _NO_NUMBER:
            return None
    text = _SPACES.sub("", value.strip())
    text = text.translate(_SWAPPED) if sign == "," else text
    return float(text.replace(",", "")) if _POINT.fullmatch(text) else None


def is_number(value: Any) -> bool:
    """Returns whether a field holds a number, with one decimal sign or the other."""
    return not is_missing(value) and any(number(value, sign) is not None for sign in ".,")


def numbers(values: list[Any], sign: str) -> tuple[np.ndarray, int | None]:
    """Returns the numbers that fields hold, NaN where nothing is: float64 (n,).

    Beside them comes the place of the first field that holds something else; the numbers are of no use then.

    >>> numbers(["1,5", ""], ",")[0].tolist(), numbers(["1,5", "many"], ",")[1]
    ([1.5, nan], 1)
    """
    with contextlib.suppress(*_NO_NUMBER):
        return _all_at_once(values, sign), None
    result = np.full(len(values), np.nan)
    there = [i for i, value in enumerate(values) if not is_missing(value)]
    known = [values[i] for i in there]
    with contextlib.suppress(*_NO_NUMBER):
        result[there] = _all_at_once(known, sign)
        return result, None
    for i, value in zip(there, known, strict=True):
        found = number(value, sign)
        if found is None:
            return result, i
        result[i] = found
    return result, None


def _all_at_once(values: list[Any], sign: str) -> np.ndarray:
    """Raises one of `_NO_NUMBER` if one of the values is none."""
    texts = [value for value in values if isinstance(value, str)]
    if "\n".join(texts).encode(errors="replace").translate(None, b"0123456789.+-eE\n") or sign == ",":
        shapes = {text.translate(SHAPE): text for text in texts}
        if any(number(text, sign) is None for text in shapes.values()):
            raise ValueError("no number")
        plain = str.maketrans(sign, ".", _BETWEEN + sign.translate(_SWAPPED))
        values = [value.translate(plain) if isinstance(value, str) else value for value in values]
    return np.fromiter(map(float, values), np.float64, len(values))
