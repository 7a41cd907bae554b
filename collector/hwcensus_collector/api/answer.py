"""What answers look like: one shape for lists, JSON of values, and documents as XML."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from pydantic import BaseModel
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from hwcensus_collector.inventory.cursor import Page
from hwcensus_collector.inventory.refusal import BadParameter, did_you_mean, nearest_names

T = TypeVar("T")


class List(BaseModel, Generic[T]):
    """Every list: some rows, and the cursor that leads on (null at the end)."""

    items: list[T]
    next: str | None


def answer(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Any value as JSON: dataclasses become objects, times RFC 3339."""
    return Response(to_json(value), status, headers, media_type="application/json")


def answer_list(page: Page[T], shown: Callable[[T], object] | None = None) -> Response:
    """A page, its items as `shown` shows them."""
    items = page.items if shown is None else tuple(shown(item) for item in page.items)
    return answer({"items": items, "next": page.next})


def answer_xml(body: bytes, headers: Mapping[str, str] | None = None) -> Response:
    return Response(body + b"\n", 200, headers, media_type="application/xml")


def read_fields(text: str | None, kind: type, usual: tuple[str, ...]) -> tuple[str, ...]:
    """The fields of a dataclass named in `name,key`, else the usual ones. Raises BadParameter (`unknown-field`)."""
    if text is None:
        return usual
    known = tuple(field.name for field in dataclasses.fields(kind))
    wanted = tuple(filter(None, text.split(",")))
    for name in wanted:
        if name not in known:
            near = nearest_names(name, known)
            raise BadParameter(
                f"there is no field {name!r}; there are {', '.join(known)}{did_you_mean(near)}",
                code="unknown-field",
                nearest=near,
            )
    return wanted or usual


def projected(value: object, fields: tuple[str, ...]) -> dict[str, object]:
    """These fields of a value."""
    return {name: getattr(value, name) for name in fields}


def wants_xml(request: Request) -> bool:
    """Whether `Accept` puts XML before JSON; what takes anything gets JSON."""
    weights = {"xml": 0.0, "json": 0.0}
    for part in request.headers.get("accept", "").split(","):
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        kind = {"application/xml": "xml", "text/xml": "xml"}.get(media, "json")
        weights[kind] = max(weights[kind], _weight(parameters))
    return weights["xml"] > weights["json"] or (weights["xml"] == 1.0 and weights["json"] < 1.0)


def _weight(parameters: list[str]) -> float:
    text = next((one.removeprefix("q=") for one in parameters if one.startswith("q=")), "1")
    try:
        return float(text)
    except ValueError:
        return 0.0
