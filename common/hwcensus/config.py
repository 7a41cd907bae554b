"""Settings: one typed definition, read from a TOML file, the environment and flags, in that order of precedence.

A definition is a frozen dataclass whose fields are made by `setting` (a value) or `section` (a dataclass of more).
Types: str, int, float, bool, Path, tuple[str, ...], and each of these `| None`. Names per setting `kafka.ca_file`:
TOML `[kafka] ca_file = "…"`, environment `HWCENSUS_KAFKA_CA_FILE`, flag `--kafka-ca-file`. Lists are comma-separated
in the environment and in flags.

It does not watch files, and does not know what any setting means: a definition checks that in `__post_init__`.
"""

import argparse
import difflib
import json
import math
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from hwcensus.errors import ConfigError
from hwcensus.parser import ENCODING, FILE, is_text
from hwcensus.setting import PREFIX, Setting, section, setting, settings_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["Setting", "add_flags", "load", "section", "setting", "settings_of", "show"]

S = TypeVar("S", bound="DataclassInstance")

DEFAULT = "default"
WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def add_flags(parser: argparse.ArgumentParser, kind: type) -> None:
    """Give a parser a flag for every setting, `--config FILE` and `--show-config`; `load` takes `vars(namespace)`."""
    parser.add_argument("--config", metavar="FILE", type=FILE, help="read settings from this TOML file")
    parser.add_argument("--show-config", action="store_true", help="print every setting, where it came from, and stop")
    group = parser.add_argument_group("settings")
    for one in settings_of(kind):
        text = one.help.replace("%", "%%")
        if one.kind is bool:
            group.add_argument(one.flag, dest=one.dotted, action="store_const", const="yes", help=text)
            negative = "--no-" + one.flag[2:]
            group.add_argument(negative, dest=one.dotted, action="store_const", const="no", help=argparse.SUPPRESS)
        else:
            metavar = one.path[-1].upper() + (",…" if one.kind is tuple else "")
            # `load` looks at it, as at the environment's.
            group.add_argument(one.flag, dest=one.dotted, metavar=metavar, type=str, help=text)


def load(
    kind: type[S],
    *,
    program: str,
    argv_values: Mapping[str, object],
    environ: Mapping[str, str],
    files: Sequence[Path] | None = None,
) -> tuple[S, dict[str, str]]:
    """The settings in force, and per dotted name where each came from.

    `argv_values` is `vars()` of a namespace whose parser went through `add_flags`. `files` default to `--config`, else
    `/etc/hwcensus/<program>.toml` where that exists; of several, the later wins.

    Raises ConfigError for an unreadable file, an unknown name (with the nearest known one) or a wrong type.
    """
    known = {one.dotted: one for one in settings_of(kind)}
    values: dict[str, object] = {}
    origins = dict.fromkeys(known, DEFAULT)
    sources = (
        *(found for path in _files(program, argv_values, files) for found in _from_file(path, known)),
        *_from_environment(environ, known),
        *_from_flags(argv_values, known),
    )
    for name, value, origin in sources:
        values[name], origins[name] = value, origin
    return _build(kind(), values, ()), origins


def _files(program: str, argv_values: Mapping[str, object], files: Sequence[Path] | None) -> Sequence[Path]:
    if files is not None:
        return files
    if (given := argv_values.get("config")) is not None:
        return [Path(str(given))]
    usual = Path("/etc/hwcensus") / f"{program}.toml"
    return [usual] if usual.exists() else []


def _from_file(path: Path, known: Mapping[str, Setting]) -> Iterator[tuple[str, object, str]]:
    try:
        content: dict[str, object] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}", file=str(path)) from error
    for name, value in _flat(content, known, str(path), ""):
        yield name, _typed(known[name], value, f"{path}: {name}"), str(path)


def _flat(
    table: Mapping[str, object], known: Mapping[str, Setting], where: str, prefix: str
) -> Iterator[tuple[str, object]]:
    for key, value in table.items():
        name = prefix + key
        if name in known:
            yield name, value
        elif not any(other.startswith(name + ".") for other in known):
            sections = {other.rpartition(".")[0] for other in known} - {""}
            raise _unknown(name, (*known, *sections), where)
        elif isinstance(value, dict):
            yield from _flat(value, known, where, name + ".")
        else:
            raise ConfigError(f"{where}: {name} is a section: write [{name}]", file=where, name=name)


def _from_environment(environ: Mapping[str, str], known: Mapping[str, Setting]) -> Iterator[tuple[str, object, str]]:
    variables = {one.variable: name for name, one in known.items()}
    sections = tuple(PREFIX + "_".join(one.path[:-1]).upper() + "_" for one in known.values() if len(one.path) > 1)
    for variable, text in environ.items():
        if variable in variables:
            name = variables[variable]
            yield name, _parsed(known[name], text, variable), variable
        elif variable.startswith(sections):
            raise _unknown(variable, variables, "environment")


def _from_flags(argv_values: Mapping[str, object], known: Mapping[str, Setting]) -> Iterator[tuple[str, object, str]]:
    for name, one in known.items():
        text = argv_values.get(name)
        if isinstance(text, str):
            yield name, _parsed(one, text, one.flag), one.flag


def _unknown(name: str, candidates: Iterable[str], where: str) -> ConfigError:
    near = difflib.get_close_matches(name, list(candidates), n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]}?" if near else ""
    return ConfigError(f"{where}: there is no setting {name}{hint}", name=name, where=where, nearest="".join(near))


def _wrong(one: Setting, where: str) -> ConfigError:
    # The value itself stays out: it may be a secret.
    return ConfigError(f"{where}: must be {one.expected}", name=one.dotted, expected=one.expected)


def _typed(one: Setting, value: object, where: str) -> object:
    """A TOML value as the setting's type."""
    if one.kind is tuple:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise _wrong(one, where)
        return _chosen(one, tuple(value), where)
    if one.kind is float and type(value) is int:
        value = float(value)
    if type(value) is not (str if one.kind is Path else one.kind):
        raise _wrong(one, where)
    return Path(str(value)) if one.kind is Path else _chosen(one, value, where)


def _parsed(one: Setting, text: str, where: str) -> object:
    """A text from the environment or a flag as the setting's type. An empty one unsets what may be unset."""
    if one.optional and not text:
        return None
    if one.kind is not Path and not is_text(text):
        raise ConfigError(f"{where}: must be text in {ENCODING}, your locale's encoding", name=one.dotted)
    if one.kind is tuple:
        return _chosen(one, tuple(filter(None, map(str.strip, text.split(",")))), where)
    try:
        value: object = WORDS[text.strip().lower()] if one.kind is bool else one.kind(text)
    except (ValueError, KeyError) as error:
        raise _wrong(one, where) from error
    return _chosen(one, value, where)


def _chosen(one: Setting, value: object, where: str) -> object:
    items = value if isinstance(value, tuple) else (value,)
    if one.choices and not all(item in one.choices for item in items):
        raise _wrong(one, where)
    if isinstance(value, float) and not math.isfinite(value):
        raise _wrong(one, where)
    return value


def _build(base: S, values: Mapping[str, object], at: tuple[str, ...]) -> S:
    changes: dict[str, object] = {}
    for item in fields(base):
        current: object = getattr(base, item.name)
        name = ".".join((*at, item.name))
        if is_dataclass(current) and not isinstance(current, type):
            changes[item.name] = _build(current, values, (*at, item.name))
        elif name in values:
            changes[item.name] = values[name]
    return replace(base, **changes)


def show(settings: "DataclassInstance", origins: Mapping[str, str]) -> str:
    """The settings as TOML, each line with its origin; secrets are masked."""
    lines: list[str] = []
    # TOML wants the values of a table before its sub-tables: sections in order, shallow ones first.
    ordered = sorted(settings_of(type(settings)), key=lambda one: len(one.path) > 1)
    current: tuple[str, ...] = ()
    for one in ordered:
        if one.path[:-1] != current:
            current = one.path[:-1]
            lines.append(f"\n[{'.'.join(current)}]")
        lines.append(_line(one, _value(settings, one.path), origins.get(one.dotted, DEFAULT)))
    return "\n".join(lines).strip() + "\n"


def _value(settings: object, path: tuple[str, ...]) -> object:
    for part in path:
        settings = getattr(settings, part)
    return settings


def _line(one: Setting, value: object, origin: str) -> str:
    if value is None:
        return f"# {one.path[-1]} is not set"
    if one.secret:
        value = "***" if value else ""
    plain = list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value
    text = re.sub("\x7f", r"\\u007f", json.dumps(plain, ensure_ascii=False))
    return f"{one.path[-1]} = {text}  # {origin}"
