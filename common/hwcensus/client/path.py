"""Paths of the API, of names that anybody may have given."""

from urllib.parse import quote

from hwcensus.errors import UsageError


def path_to(*parts: str) -> str:
    """The path of what these lead to, each one part of it. Raises UsageError for what no part can be: nothing, the dots
    that lead elsewhere (RFC 3986, 5.2.4), and what is no text."""
    try:
        quoted = [quote(part, safe="") for part in parts]
    except UnicodeEncodeError as error:
        raise UsageError(f"{'/'.join(parts)!r} cannot be sent: {error.reason}; check names") from error
    if {"", ".", ".."}.intersection(parts):
        raise UsageError(f"{'/'.join(parts)!r} names nothing that there can be; check names")
    return "/v1/" + "/".join(quoted)
