"""What this host allows to be made, taken away, detached and given back: the host has the last word.

A TOML file of its own, `/etc/hwcensus/policy.toml`, of `[[allow]]` tables: a class, actions on it, and which devices.
Without the file nothing is allowed but NPIV vports; a file says all, so that an empty one allows nothing.
Who sent a command is not asked here: see `guard.py`.
"""

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Self

from hwcensus.creatable import CREATABLE
from hwcensus.errors import ConfigError
from hwcensus.guarded import read_guarded
from hwcensus_agent.commands.subject import Subject
from hwcensus_agent.settings import AgentSettings

CREATE, DESTROY, DETACH, REATTACH = "create", "destroy", "detach", "reattach"
#: The kernel deals the name of a vport (hostN), so that it is allowed by its WWNs; all others by their names.
VPORT = "vport"

#: Class → what may be done to its devices.
ACTIONS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(CREATABLE, (CREATE, DESTROY)),
    "pci": (DETACH, REATTACH),
    "usb": (DETACH, REATTACH),
}
#: Class of what is made of other interfaces → the key that says of which; creation documents call them so too.
LOWERS: Mapping[str, str] = {"bridge": "ports", "bond": "ports", "vlan": "lowers"}
#: What a rule may say, of a vport and of the others.
_BY_WWN, _BY_NAME = ("class", "actions", "parents", "wwpns"), ("class", "actions", "names")
_KEYS = tuple(dict.fromkeys((*_BY_NAME, *_BY_WWN, *LOWERS.values())))
#: WWNs have 16 digits; a pattern needs no more than a star between each two.
_WWN_PATTERN = re.compile(r"[0-9a-f*?]{1,33}")


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why something is not done."""

    code: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One `[[allow]]`: these actions on devices of this class with such names, under such parents, with such WWPNs,
    made of such interfaces.

    All are shell patterns, and each has to fit. Without `lowers` no interface may be taken.
    """

    class_: str
    actions: tuple[str, ...]
    names: tuple[str, ...] = ("*",)
    parents: tuple[str, ...] = ("*",)
    wwpns: tuple[str, ...] = ("*",)
    lowers: tuple[str, ...] = ()
    where: str = "the default"

    def fits(self, subject: Subject) -> bool:
        asked = [(subject.name, self.names), (subject.parent or "", self.parents), (subject.wwpn or "", self.wwpns)]
        asked += [(lower, self.lowers) for lower in subject.lowers]
        return all(any(fnmatchcase(text, pattern) for pattern in patterns) for text, patterns in asked)

    def limits(self, action: str) -> str:
        """What has to fit for this action, for people."""
        if self.class_ == VPORT:
            return f"WWPNs {', '.join(self.wwpns)} under parents {', '.join(self.parents)}"
        names = f"names {', '.join(self.names)}"
        if action != CREATE or self.class_ not in LOWERS:
            return names
        key = LOWERS[self.class_]
        return f"{names} of {key} {', '.join(self.lowers)}" if self.lowers else f"{names} of no {key}"


#: What holds where there is no file: no executor makes a vport under a parent that does not report `max_npiv_vports`.
DEFAULT = Rule(class_=VPORT, actions=(CREATE, DESTROY))


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The rules of one host; `source` names the file, for texts."""

    rules: tuple[Rule, ...] = ()
    source: str = "(none)"

    @classmethod
    def of(cls, settings: AgentSettings) -> Self:
        """The policy of the agent with these settings. Raises as `load` does."""
        if settings.census.hal_address:  # executors act on the machine that they run on
            return cls(source="of an agent that tells of another machine than its own")
        return cls.load(settings.commands.policy)

    @classmethod
    def load(cls, path: Path) -> Self:
        """The policy in `path`; the default where there is no such file.

        Raises ConfigError for a file that cannot be read or that everybody may write, an unknown key, class or action.
        """
        try:
            content = tomllib.loads(read_guarded(path).decode())
        except FileNotFoundError:
            return cls(rules=(DEFAULT,), source=f"the default, there is no {path}")
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"{path}: {error}") from error
        _known(content, ("allow",), f"{path}")
        rules = content.get("allow", [])
        if not isinstance(rules, list):
            raise ConfigError(f"{path}: write [[allow]], with two brackets")
        return cls(rules=tuple(_rule(rule, f"{path}: allow {n}") for n, rule in enumerate(rules, 1)), source=str(path))

    def allows(self, action: str, class_: str, subject: Subject) -> Refusal | None:
        """None where a rule allows it, else what is missing."""
        if self.rule(action, class_, subject) is not None:
            return None
        fitting = list(self._about(action, class_))
        if fitting:
            only = "; ".join(rule.limits(action) for rule in fitting)
            text = f"this host's policy ({self.source}) lets {class_} {action} only {only}, not {told(class_, subject)}"
        else:
            text = f'this host\'s policy ({self.source}) has no [[allow]] with class = "{class_}" and action "{action}"'
        return Refusal(code="not-allowed", text=text)

    def rule(self, action: str, class_: str, subject: Subject) -> Rule | None:
        """The first that allows it."""
        return next((rule for rule in self._about(action, class_) if rule.fits(subject)), None)

    def creatable(self) -> tuple[str, ...]:
        """The classes of which something may be created: what `hello` says."""
        return tuple(sorted({rule.class_ for rule in self.rules if CREATE in rule.actions}))

    def _about(self, action: str, class_: str) -> Iterator[Rule]:
        return (rule for rule in self.rules if rule.class_ == class_ and action in rule.actions)


def _rule(table: object, where: str) -> Rule:
    if not isinstance(table, dict):
        raise ConfigError(f"{where}: must be a table")
    _known(table, _KEYS, where)
    class_ = table.get("class")
    if not isinstance(class_, str):
        raise ConfigError(f"{where}: class must be a string")
    _known([class_], ACTIONS, f"{where}: class")
    actions = _strings(table, "actions", where)
    _known(actions, ACTIONS[class_], f"{where}: actions of {class_}")
    by_name = (*_BY_NAME, LOWERS[class_]) if class_ in LOWERS else _BY_NAME
    _known(table, _BY_WWN if class_ == VPORT else by_name, f"{where}: {class_}")
    if class_ == VPORT:
        parents, wwpns = (_wwns(table, key, where) for key in ("parents", "wwpns"))
        return Rule(class_=class_, actions=actions, parents=parents, wwpns=wwpns, where=where)
    names, lowers = _strings(table, "names", where), _lowers(table, class_, actions, where)
    return Rule(class_=class_, actions=actions, names=names, lowers=lowers, where=where)


def _lowers(table: dict[str, object], class_: str, actions: tuple[str, ...], where: str) -> tuple[str, ...]:
    """None where the key is not given; a VLAN is always on top of one, so that its rule would allow nothing."""
    key = LOWERS.get(class_, "")
    is_needed = class_ == "vlan" and CREATE in actions
    return _strings(table, key, where) if key in table or is_needed else ()


def told(class_: str, subject: Subject) -> str:
    """What was asked about, for people."""
    return subject.as_port if class_ == VPORT else subject.as_device


def _wwns(table: dict[str, object], key: str, where: str) -> tuple[str, ...]:
    """Prefixes of WWNs, or patterns, in any of the ways that people write WWNs in; any where the key is not given."""
    if key not in table:
        return ("*",)
    patterns = [text.lower().removeprefix("0x").replace(":", "") for text in _strings(table, key, where)]
    for pattern in patterns:
        if not _WWN_PATTERN.fullmatch(pattern):
            raise ConfigError(f"{where}: {key}: {pattern!r} is no beginning of a WWN (hex digits, ':', '*' and '?')")
    return tuple(pattern if set(pattern) & set("*?") or len(pattern) == 16 else f"{pattern}*" for pattern in patterns)


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
