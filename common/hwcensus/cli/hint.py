"""What to do about an error, for those whose message does not say it."""

from hwcensus.errors import HwcensusError, NotFound, Refused, Unreachable, UsageError

_BY_CODE = {
    "unknown-host": "`hwcensus hosts` lists them",
    "unknown-device": "`hwcensus list --host HOST` lists them",
    "unknown-command": "`hwcensus command list` lists them",
    "host-in-conflict": "settle that with `hwcensus-collector host accept` first",
}
_BY_KIND: tuple[tuple[type[HwcensusError], str], ...] = (
    (UsageError, "see `hwcensus COMMAND --help`"),
    (NotFound, "check the name"),
    (Refused, "nothing was changed"),
    (Unreachable, "check --url, or start one with `hwcensus up`"),
)


def with_hint(error: HwcensusError) -> str:
    """The message, which after a semicolon says what to do."""
    if ";" in error.message:
        return error.message
    by_kind = next((hint for kind, hint in _BY_KIND if isinstance(error, kind)), "see the collector's log")
    return f"{error.message}; {_BY_CODE.get(error.code, by_kind)}"
