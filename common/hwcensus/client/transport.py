"""Requests to the API and what comes back: pages, documents, a stream of events, and problems as errors."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpx

from hwcensus.client.members import Members
from hwcensus.errors import HwcensusError, NotFound, Refused, Unreachable, UsageError

#: Query parameters; those that are None are left out, a list is the same parameter several times.
Query = Mapping[str, str | float | list[str] | None]

_PAGE = 500


@dataclass(frozen=True, kw_only=True)
class ServerEvent:
    """One event of a stream: the id to resume from, its name, its data."""

    id: str
    name: str
    data: str


class Transport:
    """One collector's API. All methods raise HwcensusError: Unreachable, NotFound, Refused, UsageError."""

    def __init__(self, url: str, *, actor: str | None, timeout: float) -> None:
        self.url = _checked(url)
        # The server takes names in ASCII only; another's order is then without one.
        known = actor is not None and actor.isascii() and actor.isprintable()
        headers = {"Accept": "application/json"} | ({"X-Hwcensus-Actor": actor} if actor and known else {})
        # No proxy from the environment: the API is on this machine, and a proxy's is another one.
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=timeout, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, query: Query | None = None) -> Members:
        """A JSON object."""
        return self._members(self._send("GET", path, query))

    def pages(self, path: str, query: Query | None = None) -> Iterator[Members]:
        """The items of a list, page after page, as they are taken."""
        cursor: str | None = None
        while True:
            page = self.get(path, {"limit": _PAGE, **(query or {}), "cursor": cursor})
            yield from page.objects("items")
            cursor = page.optional_text("next")
            if cursor is None:
                return

    def document(self, path: str, query: Query | None = None) -> bytes:
        """XML, without the newline at its end."""
        return self._send("GET", path, query, {"Accept": "application/xml"}).content.rstrip(b"\n")

    def order(
        self, method: str, path: str, query: Query | None = None, *, body: str | None = None, key: str | None = None
    ) -> Members:
        """POST or DELETE; `key` makes a repetition of the same order harmless."""
        headers = {} if body is None else {"Content-Type": "application/xml"}
        if key is not None:
            headers["Idempotency-Key"] = key
        return self._members(self._send(method, path, query, headers, body))

    def events(self, path: str, query: Query, last: str | None) -> Iterator[ServerEvent]:
        """The events of one connection. An event without data only tells the id to resume from. Ends when it breaks."""
        headers = {"Accept": "text/event-stream"} | ({} if last is None else {"Last-Event-ID": last})
        timeout = httpx.Timeout(10.0, read=60.0)  # the server says that it is alive every 15 s
        try:
            with self._http.stream("GET", path, params=_given(query), headers=headers, timeout=timeout) as response:
                if response.is_error:
                    response.read()
                    raise _error_of(response)
                yield from _parse_events(response.iter_lines())
        except (httpx.InvalidURL, UnicodeEncodeError) as error:
            raise UsageError(f"what was given cannot be sent ({_first_line(error)}); check names") from error
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    def _send(
        self,
        method: str,
        path: str,
        query: Query | None,
        headers: Mapping[str, str] | None = None,
        body: str | None = None,
    ) -> httpx.Response:
        try:
            response = self._http.request(method, path, params=_given(query or {}), headers=headers, content=body)
        except (httpx.InvalidURL, httpx.LocalProtocolError, UnicodeEncodeError) as error:
            raise UsageError(f"what was given cannot be sent ({_first_line(error)}); check names and keys") from error
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        if response.is_error:
            raise _error_of(response)
        return response

    def _unreachable(self, error: Exception) -> Unreachable:
        return Unreachable(
            f"no collector answers at {self.url} ({str(error) or type(error).__name__}); start one with `hwcensus up`, "
            "or give its --url"
        )

    def _members(self, response: httpx.Response) -> Members:
        try:
            return Members(response.json())
        except ValueError as error:
            raise _stranger(response) from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:100]


def _checked(url: str) -> str:
    """Raises UsageError."""
    try:
        parts, port = urlsplit(url), urlsplit(url).port
    except ValueError as error:
        raise UsageError(f"{url!r} is no URL ({error}); write http://127.0.0.1:8470") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise UsageError(f"{url!r} is no URL of an API; write http://127.0.0.1:8470")
    return url.rstrip("/")


def _given(query: Query) -> dict[str, str | list[str]]:
    given = ((name, value) for name, value in query.items() if value is not None)
    return {name: value if isinstance(value, list) else str(value) for name, value in given}


def _error_of(response: httpx.Response) -> HwcensusError:
    """The error that a problem (RFC 9457) stands for, with its code and the nearest names."""
    if response.headers.get("content-type") != "application/problem+json":
        return _stranger(response)
    try:
        problem = Members(json.loads(response.content))
        code, detail, nearest = problem.text("code"), problem.text("detail"), ", ".join(problem.texts("nearest"))
    except ValueError:
        return _stranger(response)
    return _kind(response.status_code)(detail, code=code, nearest=nearest)


def _kind(status: int) -> type[HwcensusError]:
    by_status: dict[int, type[HwcensusError]] = {400: UsageError, 404: NotFound, 503: Unreachable}
    return by_status.get(status, Refused if status < 500 else HwcensusError)


def _stranger(response: httpx.Response) -> Unreachable:
    return Unreachable(
        f"{response.url.copy_with(query=None)} answers {response.status_code}, but not as a hwcensus collector does; "
        "check --url",
        code="not-a-collector",
    )


def _parse_events(lines: Iterator[str]) -> Iterator[ServerEvent]:
    """Server-sent events (WHATWG HTML, 9.2.6), as far as our server writes them."""
    data: list[str] = []
    last, name = "", "message"
    for line in lines:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "id":
            last = value
        elif field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif not line:
            yield ServerEvent(id=last, name=name, data="\n".join(data))
            name, data = "message", []
