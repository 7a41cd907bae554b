"""Keeps web pages out of an API that has no tokens and listens on loopback.

A page of a stranger, open in the browser of somebody on this machine, can send requests here. So a request must name
loopback as its host (against DNS rebinding), and one that orders something must not come from another origin.
"""

from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from hwcensus_collector.api.problem import problem

_SAFE = ("GET", "HEAD", "OPTIONS")


def is_loopback(host: str) -> bool:
    """Whether a host name or address, without a port, is this machine's own."""
    name = host.strip("[]").lower()
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


class LoopbackGuard:
    """ASGI middleware; it answers by itself what it refuses."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (refusal := _refusal(scope["method"], Headers(scope=scope))) is not None:
            code, detail = refusal
            await problem(421 if code == "foreign-host" else 403, code, detail)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _refusal(method: str, headers: Headers) -> tuple[str, str] | None:
    authority = headers.get("host", "")
    if not is_loopback(_host_of(f"//{authority}")):
        return "foreign-host", f"this API answers to loopback names only, not to {authority!r}; use http://127.0.0.1"
    if method in _SAFE:
        return None
    origin = headers.get("origin")
    if origin is not None and origin != f"http://{authority}":
        return "foreign-origin", f"{method} from pages of {origin!r} is not taken"
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return "foreign-origin", f"{method} from pages of another site is not taken"
    return None


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
