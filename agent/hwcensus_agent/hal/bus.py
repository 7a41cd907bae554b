"""A connection to a D-Bus that ends when it should: what dbus-next 0.2.3 does not do by itself."""

from dbus_next.aio.message_bus import MessageBus
from dbus_next.constants import BusType
from dbus_next.message import Message


class Bus(MessageBus):
    """A connection; use `hang_up` to be rid of it."""

    def __init__(self, address: str | None) -> None:
        """`address` is a D-Bus address; None for the system bus. Raises OSError, ValueError where nobody listens."""
        try:
            super().__init__(address, BusType.SYSTEM)
        except BaseException:
            if hasattr(self, "_sock"):
                self._sock.close()
            raise

    def hang_up(self) -> None:
        """Closes the socket too; calls under way end without an answer. May be called more than once."""
        self._finalize()  # type: ignore[no-untyped-call]  # dbus-next's
        self._stream.close()
        self._sock.close()

    def give_up(self, call: Message) -> None:
        """Waits for no answer to a call any more; dbus-next would remember it for as long as none comes."""
        self._method_return_handlers.pop(call.serial, None)

    async def _auth_readline(self) -> str:
        """A line of the other side's; dbus-next would read on for ever where that hangs up meanwhile."""
        line = b""
        while not line.endswith(b"\r\n"):
            read = await self._loop.sock_recv(self._sock, 1)
            if not read:
                raise ConnectionResetError("the bus hung up during authentication")
            line += read
        return line[:-2].decode("ascii", "replace")
