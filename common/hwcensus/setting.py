"""What a setting is: the fields of a configuration's definition, and what is known of each.

`hwcensus.config` reads values for them, and is what programs import; this module reads nothing.
"""

import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")

PREFIX = "HWCENSUS_"


def setting(default: T, help: str, *, secret: bool = False, choices: Sequence[str] | None = None) -> T:
    """A field that holds one value. `secret` values are never shown; `choices` are the only texts allowed."""
    value: T = field(default=default, metadata={"help": help, "secret": secret, "choices": choices})
    return value


def section(kind: Callable[[], T]) -> T:
    """A field that holds further settings: `kafka: KafkaSettings = section(KafkaSettings)`."""
    value: T = field(default_factory=kind)
    return value


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting of a definition, as documentation, flags and refusals need it."""

    path: tuple[str, ...]  # ("kafka", "ca_file")
    kind: type  # str, int, float, bool, Path, or tuple for tuple[str, ...]
    optional: bool
    default: object
    help: str
    secret: bool
    choices: tuple[str, ...] | None

    @property
    def dotted(self) -> str:
        return ".".join(self.path)

    @property
    def variable(self) -> str:
        return PREFIX + "_".join(self.path).upper()

    @property
    def flag(self) -> str:
        return "--" + "-".join(self.path).replace("_", "-")

    @property
    def expected(self) -> str:
        """What a value must be, for people."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        names = {str: "a string", int: "a whole number", float: "a number", bool: "true or false", Path: "a path"}
        return names.get(self.kind, "a list of strings")


def settings_of(kind: type, at: tuple[str, ...] = ()) -> Iterator[Setting]:
    """Every setting of a definition, in its order, those of its sections included."""
    hints = get_type_hints(kind)
    for item in fields(kind):
        hint: object = hints[item.name]
        path = (*at, item.name)
        if isinstance(hint, type) and is_dataclass(hint):
            yield from settings_of(hint, path)
            continue
        plain, optional = _plain(hint)
        choices: Sequence[str] | None = item.metadata["choices"]
        yield Setting(
            path=path,
            kind=plain,
            optional=optional,
            default=item.default,
            help=item.metadata["help"],
            secret=item.metadata["secret"],
            choices=tuple(choices) if choices else None,
        )


def _plain(hint: object) -> tuple[type, bool]:
    """The type without `| None`, and whether that was there."""
    if get_origin(hint) in (Union, types.UnionType):
        (only,) = (part for part in get_args(hint) if part is not type(None))
        return _plain(only)[0], True
    kind = tuple if get_origin(hint) is tuple else hint
    if kind not in (str, int, float, bool, Path, tuple):
        raise TypeError(f"a setting cannot have the type {hint}")
    assert isinstance(kind, type)
    return kind, False
