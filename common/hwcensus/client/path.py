"""Paths of the API, of names that anybody may have given."""

from urllib.parse import quote

from hwcensus.errors import UsageError


def path_to(*parts: str) -> str:
    """The path of what these lead to, each one part of it, whatever it has in it. Raises UsageError for what is no
    text."""
    try:
        return "/v1/" + "/".join(quote(part, safe="") for part in parts)
    except UnicodeEncodeError as error:
        raise UsageError(f"{'/'.join(parts)!r} cannot be sent: {error.reason}; check names") from error
