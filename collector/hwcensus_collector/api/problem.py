"""The one shape of every error: problem+json (RFC 9457) with a stable `code` and the `nearest` names."""

import logging
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from pydantic_core import to_json
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.responses import Response

from hwcensus.errors import HwcensusError, InvalidDocument, NotFound, Refused, Unreachable, UsageError

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
_STATUS: tuple[tuple[type[HwcensusError], HTTPStatus], ...] = (
    (NotFound, HTTPStatus.NOT_FOUND),
    (Refused, HTTPStatus.CONFLICT),
    (UsageError, HTTPStatus.BAD_REQUEST),
    (InvalidDocument, HTTPStatus.UNPROCESSABLE_ENTITY),
    (Unreachable, HTTPStatus.SERVICE_UNAVAILABLE),
)
#: Codes whose status says more than that of their kind.
_STATUS_OF_CODE = {
    "document-too-large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
}


class Problem(BaseModel):
    """What every answer of status 400 and above holds."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    nearest: list[str]


def problem(status: int, code: str, detail: str, nearest: tuple[str, ...] = ()) -> Response:
    """The answer for an error; `detail` says what and what to do."""
    body = Problem(
        type=f"urn:hwcensus:problem:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        nearest=list(nearest),
    )
    return Response(to_json(body), status, media_type=MEDIA_TYPE)


def problem_of(error: HwcensusError) -> Response:
    """The answer for one of our own errors."""
    by_kind = next((status for kind, status in _STATUS if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)
    nearest: tuple[str, ...] = getattr(error, "nearest", ())
    return problem(_STATUS_OF_CODE.get(error.code, by_kind), error.code, error.message, nearest)


def install(app: FastAPI) -> None:
    """Makes every error that leaves the app a problem."""
    app.add_exception_handler(HwcensusError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(DBAPIError, _database)
    app.add_exception_handler(PoolTimeout, _database)
    app.add_exception_handler(Exception, _unexpected)


async def _ours(_: Request, error: Exception) -> Response:
    assert isinstance(error, HwcensusError)
    return problem_of(error)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    said = "; ".join(f"{one['loc'][-1]}: {one['msg']}" for one in error.errors())
    return problem(HTTPStatus.BAD_REQUEST, "bad-parameter", said)


async def _http(request: Request, error: Exception) -> Response:
    """What Starlette refuses by itself: a path or a method that there is not."""
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.NOT_FOUND:
        return problem(
            404, "unknown-path", f"there is nothing at {request.url.path}; /openapi.json lists what there is"
        )
    phrase = HTTPStatus(error.status_code).phrase
    answer = problem(
        error.status_code, phrase.lower().replace(" ", "-"), f"{request.method} {request.url.path}: {phrase}"
    )
    answer.headers.update(error.headers or {})
    return answer


async def _database(request: Request, error: Exception) -> Response:
    log.error("the database does not answer", extra={"path": request.url.path, "reason": str(error).splitlines()[0]})
    return problem(
        HTTPStatus.SERVICE_UNAVAILABLE, "database", "the database does not answer; try again, or see /v1/health"
    )


async def _unexpected(_: Request, __: Exception) -> Response:
    """The server logs it with its traceback after this."""
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "an error of ours; the collector's log has it")
