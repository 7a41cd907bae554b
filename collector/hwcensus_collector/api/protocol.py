"""HTTP as the server reads it: what is no request at all is answered in the one shape of errors, too."""

from http import HTTPStatus

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from hwcensus_collector.api.problem import problem

_DETAIL = "this is no request of HTTP/1.1: it has a method, a path, one Host header, and at most 64 KiB before its body"


class ProblemProtocol(H11Protocol):
    """uvicorn's, which answers those in plain text."""

    def send_400_response(self, msg: str) -> None:
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            answer = problem(HTTPStatus.BAD_REQUEST, "bad-request", _DETAIL)
            headers = [*answer.raw_headers, (b"connection", b"close")]
            for event in (
                h11.Response(status_code=answer.status_code, headers=headers, reason=b"Bad Request"),
                h11.Data(data=bytes(answer.body)),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
