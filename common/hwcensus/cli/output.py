"""Writes rows in the format that `-o` names. Only data, and only to stdout."""

import csv
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, islice
from typing import TypeVar
from xml.sax.saxutils import quoteattr

from hwcensus.cli.column import Column, plain
from hwcensus.cli.visible import safe_cell, safe_json, safe_xml, visible

T = TypeVar("T")
Object = Mapping[str, object]


def write_rows(
    rows: Iterable[T], columns: Sequence[Column[T]], told: Callable[[T], Object], *, output: str, of: str
) -> None:
    """All rows, as they come; a table waits for the last. `told` gives the object that JSON shows, `of` is its name.

    Nothing is written before the first row is there: an error leaves no head of a list that never came.
    """
    rows = begun(rows)
    if output == "json":
        _write_json_list(told(row) for row in rows)
    elif output == "ndjson":
        for row in rows:
            write_line(told(row))
    elif output == "csv":
        _write_csv(rows, columns)
    elif output == "xml":
        _write_xml(rows, columns, of)
    else:
        from hwcensus.cli.table import write_table  # rich takes 0.1 s to load

        write_table(rows, columns, of)


def begun(rows: Iterable[T]) -> Iterable[T]:
    """The same rows, the first of them asked for already."""
    iterator = iter(rows)
    return chain(list(islice(iterator, 1)), iterator)


def write_object(value: object) -> None:
    """One JSON value, for people and programs."""
    put(safe_json(json.dumps(value, ensure_ascii=False, indent=2)))


def write_line(value: object) -> None:
    """One JSON value on one line, at once."""
    put(safe_json(json.dumps(value, ensure_ascii=False)))
    sys.stdout.flush()


def write_document(xml: str) -> None:
    """A document: byte for byte into a file or pipe; a terminal gets what would steer it as references."""
    put(safe_xml(xml) if sys.stdout.isatty() else xml)


def put(line: str) -> None:
    sys.stdout.write(line + "\n")


def say(message: str) -> None:
    """A message for the person, which is no data."""
    sys.stderr.write(f"hwcensus: {visible(message)}\n")


def _write_json_list(items: Iterable[Object]) -> None:
    """The list grows as the pages come."""
    iterator = iter(items)
    first = next(iterator, None)
    if first is None:
        put("[]")
        return
    put("[")
    ahead = first
    for item in iterator:
        put(f"  {safe_json(json.dumps(ahead, ensure_ascii=False))},")
        ahead = item
    put(f"  {safe_json(json.dumps(ahead, ensure_ascii=False))}")
    put("]")


def _write_csv(rows: Iterable[T], columns: Sequence[Column[T]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([column.title for column in columns])
    for row in rows:
        writer.writerow([_cell(column.value(row)) for column in columns])


def _cell(value: object) -> str:
    """A number stays one, even below zero."""
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else safe_cell(plain(value))


def _write_xml(rows: Iterable[T], columns: Sequence[Column[T]], of: str) -> None:
    put(f"<{of}s>")
    for row in rows:
        given = ((column.title.replace(" ", "_"), plain(column.value(row))) for column in columns)
        attributes = "".join(f" {name}={quoteattr(visible(value))}" for name, value in given if value)
        put(safe_xml(f"  <{of}{attributes}/>"))
    put(f"</{of}s>")
