"""Errors: a code and an exit status per kind, and the docstring as the default message."""

import pytest

from hwcensus import errors


@pytest.mark.parametrize(
    "kind,exit_code",
    [
        (errors.UsageError, 2),
        (errors.ConfigError, 2),
        (errors.NotFound, 3),
        (errors.Refused, 4),
        (errors.Unreachable, 5),
        (errors.InvalidDocument, 4),
        (errors.HwcensusError, 1),
    ],
)
def test_the_exit_status_says_the_kind(kind: type[errors.HwcensusError], exit_code: int) -> None:
    assert kind.exit_code == exit_code


def test_the_docstring_is_the_default_message() -> None:
    assert str(errors.NotFound()) == "there is no such thing"


def test_an_error_carries_its_message_and_facts() -> None:
    error = errors.NotFound("no device net_eth9", nearest="net_eth0")

    assert str(error) == error.message == "no device net_eth9"
    assert error.facts == {"nearest": "net_eth0"}


def test_every_code_is_different() -> None:
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.HwcensusError)
    ]

    assert len({kind.code for kind in kinds}) == len(kinds)
