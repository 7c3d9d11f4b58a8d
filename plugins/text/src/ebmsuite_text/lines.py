"""The user's files of texts: .txt, .jsonl, .csv and .tsv, each also as .gz."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ebmsuite.errors import DataError
from ebmsuite.files import read_text, rows_of

__all__ = ["ENDINGS", "Lines", "lines_of"]

ENDINGS = (".txt", ".jsonl", ".csv", ".tsv")
HEADINGS = ("text", "sentence")
"""The columns or keys that hold the text if none is named."""


class Lines(NamedTuple):
    """The texts of a file. White space between words is one space, so an empty text is ""."""

    numbers: list[int]
    """The number, from 1, of the line on which each text starts."""
    texts: list[str]
    labels: list[str] | None


def lines_of(path: Path, column: str | None = None, label: str | None = None, encoding: str = "utf-8-sig") -> Lines:
    """Read one text per line, JSON object or row.

    A .txt file is split at line feeds only. In the other formats ``column`` is the heading or key of the text, by
    default "text" or else "sentence", and ``label`` that of a class. Raises `DataError`, which names the file and, if
    known, the line, if the file is not readable in this format or has no such column.
    """
    path = Path(path)
    ending = _ending(path)
    lines = rows_of(read_text(path, "texts", encoding))
    if ending == ".txt":
        for wanted in (column, label):
            if wanted is not None:
                raise DataError(f'{path}: a .txt file has no column "{wanted}"; use a .csv, .tsv or .jsonl file')
        return Lines(list(range(1, len(lines) + 1)), [_clean(line) for line in lines], None)
    if ending == ".jsonl":
        return _objects(path, lines, column, label)
    return _table(path, "\n".join(lines), "," if ending == ".csv" else "\t", column, label)


def _clean(text: str) -> str:
    return " ".join(text.split())


def _ending(path: Path) -> str:
    name = path.name.lower().removesuffix(".gz")
    ending = next((e for e in ENDINGS if name.endswith(e)), None)
    if ending is None:
        raise DataError(f"{path}: texts are read from {', '.join(ENDINGS)}, each also as .gz")
    return ending


def _objects(path: Path, lines: Sequence[str], column: str | None, label: str | None) -> Lines:
    found = Lines([], [], None if label is None else [])
    for number, line in enumerate(lines, 1):
        if not line.strip():
            found.numbers.append(number)
            found.texts.append("")
            if found.labels is not None:
                found.labels.append("")
            continue
        try:
            value: Any = json.loads(line)
        except ValueError as error:
            raise DataError(f"{path}, line {number}: not a JSON value ({error})") from error
        except RecursionError as error:
            raise DataError(f"{path}, line {number}: not a JSON object with a text; it is nested too deep") from error
        if isinstance(value, str) and column is None and label is None:
            value = {"text": value}
        if not isinstance(value, dict):
            raise DataError(f"{path}, line {number}: not a JSON object with a text, but {line[:40]!r}")
        key = column or next((h for h in HEADINGS if h in value), HEADINGS[0])
        for wanted in filter(None, (key, label)):
            if wanted not in value:
                raise DataError(f'{path}, line {number}: no key "{wanted}"; there are: {", ".join(value) or "none"}')
        if not isinstance(value[key], str):
            raise DataError(f'{path}, line {number}: the value of "{key}" is not a text')
        found.numbers.append(number)
        found.texts.append(_clean(value[key]))
        if found.labels is not None:
            found.labels.append(_label(value[label]))
    return found


def _label(value: Any) -> str:
    return "" if value is None else _clean(value if isinstance(value, str) else json.dumps(value))


def _table(path: Path, text: str, separator: str, column: str | None, label: str | None) -> Lines:
    limit = csv.field_size_limit(max(len(text), 1))  # the default limit would refuse a long text
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[list[str]] = []
    starts = [1]
    try:
        for row in reader:
            rows.append(row)
            starts.append(reader.line_num + 1)
    except csv.Error as error:
        raise DataError(f"{path}, line {starts[-1]}: not a row of a table ({error})") from error
    finally:
        csv.field_size_limit(limit)
    head = [_clean(cell) for cell in rows[0]]
    at = _column(path, head, column or next((h for h in HEADINGS if h in head), HEADINGS[0]))
    of_label = None if label is None else _column(path, head, label)
    if len(rows) == 1:
        raise DataError(f"{path}: no texts in it, only a heading")
    for number, row in zip(starts[1:], rows[1:], strict=False):
        if row and len(row) != len(head):
            raise DataError(f"{path}, line {number}: {len(row)} columns, the first line has {len(head)}")
    blank = [""] * len(head)
    body = [row or blank for row in rows[1:]]
    labels = None if of_label is None else [_clean(row[of_label]) for row in body]
    return Lines(starts[1 : len(rows)], [_clean(row[at]) for row in body], labels)


def _column(path: Path, head: Sequence[str], wanted: str) -> int:
    if head.count(wanted) == 1:
        return head.index(wanted)
    found = "two columns" if wanted in head else "no column"
    raise DataError(f'{path}: {found} "{wanted}"; the first line has: {", ".join(head)[:200]}')
