"""Files of tables: CSV, of whatever program and country, and Parquet. Polars is loaded inside functions."""

from __future__ import annotations

import base64
import codecs
import contextlib
import csv
import io
import re
from pathlib import Path
from typing import Any

from recurra._checks import expected
from recurra.errors import DataError, extra_needed
from recurra.forecasting.reading.advice import HEADER_HINT, NAMES_HINT
from recurra.forecasting.reading.fields import is_number, unmarked
from recurra.forecasting.reading.frames import columns_of, refuse_periods
from recurra.forecasting.reading.table import Table, id_text
from recurra.forecasting.reading.times import are_times

LARGEST_BYTES = 2**30
SEPARATORS = ",;\t|"
ROWS_OF_SEPARATOR = 20  # that tell it, the header among them
ZONES_IN_PARQUET = "zones that have a name, such as Asia/Kolkata, or whole hours"
FOREIGN = {  # how files of other kinds begin
    rb"PK\x03\x04": "an Excel or zip file",
    rb"\xd0\xcf\x11\xe0": "an Excel file",
    rb"\x1f\x8b": "a gzip file",
    rb"%PDF": "a PDF file",
    rb"SQLite": "a database",
    rb"ARROW1": "a Feather file",
    rb"\x80[\x02-\x05]": "a pickle of Python",
    rb"\x93NUMPY": "an array of NumPy",
    rb"(\xef\xbb\xbf)?\s*<[!?a-zA-Z]": "a page of HTML or XML",
    rb"(\xef\xbb\xbf)?\s*\[?\s*\{": "JSON",
}


def contents(source: Any) -> tuple[str, bytes]:
    """Returns the name and the bytes of a file."""
    if hasattr(source, "read"):
        name = str(getattr(source, "name", "the file")).strip("<>")  # <stdin>
        data = source.read(LARGEST_BYTES + 1)
        if not isinstance(data, bytes):
            raise TypeError(
                expected("read_panel", "a file opened in binary mode", f"one that gives {type(data).__name__}")
            )
        if len(data) > LARGEST_BYTES:
            raise DataError(expected(name, "at most 1 GiB", "more"))
        return name, data
    path = Path(source)
    if path.is_dir():
        raise DataError(expected("reading", "a file", f"the directory {str(path)!r}"))
    if not path.exists():
        hint = "download it first" if re.match("https?:/", str(source)) else None
        raise DataError(expected("reading", "an existing file", repr(str(source)), hint))
    try:
        size = path.stat().st_size
        if size > LARGEST_BYTES:
            raise DataError(expected(path.name, "at most 1 GiB", f"{size / 2**30:.1f} GiB"))
        return path.name, path.read_bytes()
    except OSError as error:
        raise DataError(f"{path.name} cannot be read: {error.strerror}") from error


def read_file(name: str, data: bytes) -> Table:
    """Returns the table in the bytes of a CSV or Parquet file; DataError if there is none."""
    if not data.strip():
        raise DataError(expected(name, "rows of data", "an empty file"))
    with extra_needed("reading data needs", "polars", "forecast"):
        import polars
    if data[:4] != b"PAR1" and not name.lower().endswith((".parquet", ".pq")):
        return _read_csv(name, data)
    try:
        _check_parquet(name, data)
        frame = polars.read_parquet(io.BytesIO(data))
    except DataError:
        raise
    except (Exception, polars.exceptions.PanicException) as error:  # the second is no Exception
        if re.search("precision must be between 1 and 38|Decimal256", str(error)):  # 1.34 to 1.37 panic
            what, hint = "decimals of at most 38 digits", "write them as float64"
            raise DataError(expected(name, what, "wider ones", hint)) from error
        if isinstance(error, polars.exceptions.PanicException):  # of other zones that it does not know
            got = f"what Polars cannot read ({_one_line(error)})"
            raise DataError(expected(name, ZONES_IN_PARQUET, got)) from error
        raise DataError(expected(name, "a sound Parquet file", _one_line(error))) from error
    if frame.height == 0:
        raise DataError(expected(name, "rows of data", "none"))
    for column, dtype in frame.schema.items():
        if dtype == polars.Binary:  # texts, as some programs write them
            texts = [None if field is None else id_text(field) for field in frame[column]]
            frame = frame.with_columns(polars.Series(column, texts, polars.String))
    return Table(name, columns_of(frame), first_row=2)


def _check_parquet(name: str, data: bytes) -> None:
    """Refuses what Polars does not understand, by the Arrow schema of a Parquet file."""
    import polars

    schema = base64.b64decode(polars.read_parquet_metadata(io.BytesIO(data)).get("ARROW:schema", ""))
    refuse_periods(name, schema.decode(errors="replace"))
    offset = re.search(rb"(?<![ -~])(?:UTC|GMT)?[+-]\d\d:(?!00)\d\d(?![ -~])", schema)
    if offset:  # Polars would print a backtrace
        raise DataError(expected(name, ZONES_IN_PARQUET, offset[0].decode()))


def _read_csv(name: str, data: bytes) -> Table:
    import polars

    foreign = next((kind for start, kind in FOREIGN.items() if re.match(start, data)), None)
    if foreign is not None:
        raise DataError(expected(name, "a CSV or Parquet file", foreign, "save the table as CSV"))
    text, remarks = _decoded(name, data)
    if "\x00" in text:
        raise DataError(expected(name, "text", "a binary file", "give a CSV or Parquet file"))
    named = re.match(r"sep=([,;\t|])\r?\n", text)  # a line for spreadsheets
    text = text[named.end() :] if named else text
    if not text.strip():
        raise DataError(expected(name, "rows of data below the header", "none"))
    if "\n" not in text:
        text = text.replace("\r", "\n")  # as old programs for Macs end lines
    blank = re.match(r"(?:[^\S\n]*\n)*", text)[0]  # type: ignore[index]  # it may be empty
    text = text[len(blank) :]
    separator = named[1] if named else _separator(text)
    first_row = 2 + blank.count("\n") + bool(named)
    try:
        frame = polars.read_csv(
            text.encode(),
            separator=separator,
            infer_schema=False,
            truncate_ragged_lines=_rows_end_in_separators(text, separator),
            quote_char='"',
        )
    except Exception as error:
        what = "a table with the same number of fields in each row"
        raise DataError(expected(name, what, *_what_is_wrong(text, separator, first_row, error))) from error
    if frame.height == 0:
        raise DataError(expected(name, "rows of data below the header", "none"))
    names = [column.strip() or column for column in frame.columns]
    numbered = [re.fullmatch(r"(.+)_duplicated_\d+", column) for column in names]  # by the reader
    twice = next((match[1] for match in numbered if match and match[1] in names), None)
    twice = twice or next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        raise DataError(expected(name, "columns of different names", f"{twice!r} twice"))
    frame.columns = names
    decimal = "," if separator == ";" else "."
    table = Table(name, columns_of(frame), first_row, decimal=decimal, remarks=remarks).without_empty_rows()
    if all(is_number(name) or are_times([name]) for name in names) or any(map(table.is_a_date_above_dates, names)):
        got = ", ".join(map(repr, names[:3]))
        raise DataError(expected(name, "names of columns in the first line", got, NAMES_HINT))
    return table


def _separator(text: str) -> str:
    """Returns what separates fields: it parts most of the first rows as the header, and names may hold the others.

    Where several do, as in "Preis;Menge, kg" above "1,5;2,5", it is the one that leaves numbers and times.
    """
    lines = text.split("\n", ROWS_OF_SEPARATOR)[:ROWS_OF_SEPARATOR]
    header = re.sub(r'"[^"]*"', "", lines[0])
    alike: dict[str, list[list[str]]] = {}
    for separator in SEPARATORS:
        with contextlib.suppress(csv.Error):
            first, *rows = csv.reader(lines, delimiter=separator)
            alike[separator] = [row for row in rows if len(row) == len(first) > 1]
    most = max(map(len, alike.values()), default=0)
    best = [separator for separator, rows in alike.items() if len(rows) == most]
    if not most or len(best) == 1:
        return best[0] if most else max(SEPARATORS, key=header.count)

    def readable(separator: str) -> int:
        return sum(is_number(unmarked(field)[0]) or are_times([field]) for field in alike[separator][0])

    return max(reversed(best), key=readable)  # the comma last, which numbers hold too


def _rows_end_in_separators(text: str, separator: str) -> bool:
    """Whether each row has more fields than the header, which hold nothing: some programs end rows so."""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    with contextlib.suppress(csv.Error):
        width = len(next(rows))
        return all(len(row) > width and not any(map(str.strip, row[width:])) for row in rows if row)
    return False


def _what_is_wrong(text: str, separator: str, first_row: int, error: Exception) -> tuple[str, str | None]:
    """Returns the first row with too many fields or a lone quote, and what to do about it; else the reader's words."""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    with contextlib.suppress(csv.Error):
        width = len(next(rows))
        for row in rows:
            if len(row) > width:
                got = f"{len(row)} in row {first_row - 2 + rows.line_num} and {width} in the header"
                return got, f"{HEADER_HINT}, put fields that hold separators in quotes"
    lone = next((i for i, line in enumerate(text.split("\n")) if line.count('"') % 2), None)
    if lone is not None:
        return f"a quote that stands alone in row {first_row - 1 + lone}", "close it or leave it out"
    return _one_line(error), None


def _decoded(name: str, data: bytes) -> tuple[str, list[str]]:
    """Returns the text of a file and what is worth knowing: UTF-8, UTF-16 with its mark, or else Korean cp949."""
    marked = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if marked else "utf-8-sig"), []
    except UnicodeDecodeError as error:
        text = data.decode("cp949", errors="replace")
        letters = [letter for letter in text if letter >= "\u3040" and letter.isalpha()]  # of Eastern Asia
        # Bytes of other languages seldom mean everyday Korean alone, whose syllables EUC-KR writes in two bytes each:
        # those of Chinese mean Chinese letters too, which Korean files seldom have today.
        syllables = sum("가" <= letter <= "힣" and len(letter.encode("euc-kr")) == 2 for letter in letters)
        foreign = [letter for letter in text if not letter.isascii()]
        units = all("\u2100" <= letter <= "\u2109" or "\u3380" <= letter <= "\u33df" for letter in foreign)  # ℃, ㎥
        korean = units or (letters and 5 * syllables >= 4 * len(letters))
        if "\ufffd" in text or not korean:
            hint = "save it as UTF-8, or give a Parquet file"
            raise DataError(expected(name, "text in UTF-8", f"other bytes at {error.start}", hint)) from error
    return text, ["the file is not UTF-8: it was read as Korean (cp949)"]


def _one_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__
