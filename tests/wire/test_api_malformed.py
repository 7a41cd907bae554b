"""What is no HTTP request is refused in the shape of every other error, and the next one is served."""

import http.client
import json
import socket
from urllib.parse import urlsplit

import httpx
import pytest

from hwcensus_collector import database
from tests.wire.census_world import served

#: One byte more than is waited for until the headers end.
TOO_MUCH = 64 * 1024 + 1


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /v1/hosts HTTP/1.1\r\n\r\n",
        b"GET /v1/hosts HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        (b"GET /v1/hosts HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * TOO_MUCH)[:TOO_MUCH],
        (b"GET /v1/hosts HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * TOO_MUCH)[:TOO_MUCH],
        b"GET /v1/hosts HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n",
        b"POST /v1/commands HTTP/1.1\r\nHost: localhost\r\nContent-Length: many\r\n\r\n",
        b"GET /v1/audit?actor= alice HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /v1/commands HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nno chunk\r\n",
        b"\x16\x03\x01\x02\x00\x01 this is TLS\r\n\r\n",
        b"hello\r\n\r\n",
    ],
    ids=lambda request_: request_[:60].decode("latin-1") + str(len(request_)),
)
def test_what_is_no_request_is_a_problem(sqlite_url: str, request_: bytes) -> None:
    engine = database.open_engine(sqlite_url)
    database.upgrade(engine)
    with served(engine) as url:
        address = urlsplit(url)
        with socket.create_connection((address.hostname, address.port or 0), 30) as connection:
            connection.sendall(request_)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            problem = json.loads(answer.read())
        assert (answer.status, answer.headers["content-type"]) == (400, "application/problem+json")
        assert (problem["status"], problem["code"]) == (400, "bad-request")
        assert httpx.get(f"{url}/v1/hosts").status_code == 200
    engine.dispose()
