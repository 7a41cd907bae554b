"""Which present device has which identifier of its own, so that a look at some devices knows what others have.

Keys and identifiers only: no device is kept.
"""

from collections.abc import Iterable

from hwcensus.identity import Subject

#: Subsystem, kind, value.
Identifier = tuple[str, str, str]


class Holders:
    """Identifier → keys of the devices that have it."""

    def __init__(self) -> None:
        self._holders: dict[Identifier, set[str]] = {}
        self._identifiers: dict[str, tuple[Identifier, ...]] = {}

    @staticmethod
    def identifiers(subject: Subject) -> tuple[Identifier, ...]:
        return tuple((subject.subsystem, kind, value) for kind, value in subject.own)

    def of(self, identifier: Identifier) -> frozenset[str]:
        return frozenset(self._holders.get(identifier, ()))

    def learn(self, subjects: Iterable[Subject]) -> None:
        for subject in subjects:
            found = self.identifiers(subject)
            if found:
                self._identifiers[subject.path] = found
            for identifier in found:
                self._holders.setdefault(identifier, set()).add(subject.path)

    def forget(self, keys: Iterable[str]) -> None:
        for key in keys:
            for identifier in self._identifiers.pop(key, ()):
                self._holders[identifier].discard(key)

    def clear(self) -> None:
        self._holders.clear()
        self._identifiers.clear()
