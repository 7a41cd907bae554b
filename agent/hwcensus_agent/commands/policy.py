"""What this host allows to be made and taken away: the host has the last word, and says nothing may, by default.

A TOML file of its own: `[[allow]] class = "bridge"; actions = ["create", "destroy"]; names = ["hwc*"]`, names being
shell patterns for the kernel's name of the device. Who sent a command is not asked here: see `guard.py`.
"""

import difflib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Self

from hwcensus.creatable import CREATABLE
from hwcensus.errors import ConfigError

CREATE, DESTROY = "create", "destroy"
_ACTIONS = (CREATE, DESTROY)
_KEYS = ("class", "actions", "names")


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why something is not done."""

    code: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One `[[allow]]`: these actions on devices of this class with such names."""

    class_: str
    actions: tuple[str, ...]
    names: tuple[str, ...]

    def names_it(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self.names)


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The rules of one host; `source` names the file, for texts."""

    rules: tuple[Rule, ...] = ()
    source: str = "(none)"

    @classmethod
    def load(cls, path: Path) -> Self:
        """The policy in `path`; a file that does not exist allows nothing.

        Raises ConfigError for a file that cannot be read, an unknown key, class or action.
        """
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return cls(source=str(path))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"{path}: {error}") from error
        _known(content, ("allow",), f"{path}")
        rules = content.get("allow", [])
        if not isinstance(rules, list):
            raise ConfigError(f"{path}: write [[allow]], with two brackets")
        return cls(rules=tuple(_rule(rule, f"{path}: allow {n}") for n, rule in enumerate(rules, 1)), source=str(path))

    def allows(self, action: str, class_: str, name: str) -> Refusal | None:
        """None where a rule allows it, else what is missing."""
        fitting = [rule for rule in self.rules if rule.class_ == class_ and action in rule.actions]
        if any(rule.names_it(name) for rule in fitting):
            return None
        if fitting:
            patterns = ", ".join(pattern for rule in fitting for pattern in rule.names)
            text = f"this host's policy ({self.source}) lets {class_} {action} only names {patterns}, not {name}"
        else:
            text = f'this host\'s policy ({self.source}) has no [[allow]] with class = "{class_}" and action "{action}"'
        return Refusal(code="not-allowed", text=text)

    def creatable(self) -> tuple[str, ...]:
        """The classes of which something may be created: what `hello` says."""
        return tuple(sorted({rule.class_ for rule in self.rules if CREATE in rule.actions}))


def _rule(table: object, where: str) -> Rule:
    if not isinstance(table, dict):
        raise ConfigError(f"{where}: must be a table")
    _known(table, _KEYS, where)
    class_ = table.get("class")
    if not isinstance(class_, str):
        raise ConfigError(f"{where}: class must be a string")
    _known([class_], CREATABLE, f"{where}: class")
    actions = _strings(table, "actions", where)
    _known(actions, _ACTIONS, f"{where}: actions")
    return Rule(class_=class_, actions=actions, names=_strings(table, "names", where))


def _strings(table: dict[str, object], key: str, where: str) -> tuple[str, ...]:
    value = table.get(key)
    if not isinstance(value, list) or not value or not all(isinstance(item, str) and item for item in value):
        raise ConfigError(f"{where}: {key} must be a list of strings, and not empty")
    return tuple(value)


def _known(given: Iterable[str], known: Iterable[str], where: str) -> None:
    for word in given:
        if word not in known:
            near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(known)}"
            raise ConfigError(f"{where}: {word!r} is unknown{hint}", name=word, where=where, nearest="".join(near))
