"""Talks to hald: raw messages on one connection to the system bus (HAL 0.5.14 specification, "D-Bus interface").

No introspection and no proxies: GetProperty's reply contradicts its own introspection, and a proxy costs a round trip a
device. It remembers nothing of any device.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, TypeVar

from dbus_next.constants import MessageType
from dbus_next.errors import AuthError, DBusError, InvalidAddressError, InvalidObjectPathError
from dbus_next.message import Message
from dbus_next.signature import Variant

from hwcensus.errors import HwcensusError
from hwcensus_agent.hal.bus import Bus
from hwcensus_agent.hal.device import Properties

NAME = "org.freedesktop.Hal"
MANAGER, DEVICE = f"{NAME}.Manager", f"{NAME}.Device"
MANAGER_PATH = "/org/freedesktop/Hal/Manager"
BUS, BUS_PATH = "org.freedesktop.DBus", "/org/freedesktop/DBus"

REPLY_S = 10.0  # seconds that a call waits: hald runs probers of its own before it answers
AT_ONCE = 16  # calls under way at a time

T = TypeVar("T")


class HalGone(HwcensusError):
    """hald cannot be asked"""

    code = "hal-gone"


class NoAnswer(HalGone):
    """hald does not answer in time"""


class Refused(HwcensusError):
    """hald, or the bus in its place, answers with an error"""

    code = "hal-refused"

    def __init__(self, name: str, text: str) -> None:
        """`name`: of the error."""
        super().__init__(f"{name}: {text}")
        self.name = name


class NoSuchDevice(HwcensusError):
    """hald does not have this device any more"""

    code = "hal-no-such-device"


#: How hald says that it does not have a device; what else it, or the bus, refuses says nothing about the device.
_NO_DEVICE = frozenset({f"{NAME}.NoSuchDevice", f"{BUS}.Error.UnknownObject"})
#: Errors by which the bus says that there is no hald to ask (D-Bus specification, "Error names").
_GONE = frozenset(f"{BUS}.Error.{name}" for name in ("ServiceUnknown", "NameHasNoOwner", "NoReply", "Disconnected"))


class HalClient:
    """One connection. Signals are handed on from the moment that it is known who hald is (`is_there`): any other
    program of the host can send us some that look like its own."""

    def __init__(self, address: str | None, on_signal: Callable[[Message], None]) -> None:
        """`address` is a D-Bus address; None for this host's system bus."""
        self._address, self._on_signal = address, on_signal
        self._bus: Bus | None = None
        #: hald's own name on the bus, which the bus writes on all that it sends.
        self._hald = ""

    async def connect(self) -> None:
        """Subscribes to everything hald says, and to its coming and going. Raises HalGone."""
        try:
            self._bus = Bus(self._address)
            await asyncio.wait_for(self._bus.connect(), REPLY_S)
        except (OSError, AuthError, DBusError, InvalidAddressError, EOFError, TimeoutError, ValueError) as error:
            self.close()
            raise HalGone(f"no D-Bus at {self._address or 'the system bus'}: {why(error)}") from error
        self._bus.add_message_handler(self._handle)
        rules = (
            f"type='signal',sender='{NAME}'",
            f"type='signal',sender='{BUS}',member='NameOwnerChanged',arg0='{NAME}'",
        )
        try:
            for rule in rules:
                await self._ask_bus("AddMatch", rule, "")
        except HalGone:
            self.close()
            raise

    def close(self) -> None:
        if self._bus is not None:
            self._bus.hang_up()
        self._bus = None

    async def wait_closed(self) -> str:
        """Until the connection is gone; why."""
        if self._bus is not None:
            try:
                await self._bus.wait_for_disconnect()  # type: ignore[no-untyped-call]  # dbus-next's
            except (OSError, EOFError, ValueError, DBusError) as error:
                return why(error)
        return "closed"

    async def is_there(self) -> bool:
        """Whether a hald has its name on the bus. Raises HalGone."""
        (there,) = await self._ask_bus("NameHasOwner", NAME, "b")
        if there:
            (self._hald,) = await self._ask_bus("GetNameOwner", NAME, "s")
        return bool(there)

    async def all_devices(self) -> dict[str, Properties | None]:
        """udi → properties of every device: in one call where hald has it (0.5.11 on), else as `some_devices`.

        Raises HalGone.
        """
        try:
            (devices,) = await self._ask(MANAGER_PATH, MANAGER, "GetAllDevicesWithProperties", "a(sa{sv})")
            return {udi: plain(properties) for udi, properties in devices}
        except Refused:
            pass
        try:
            (udis,) = await self._ask(MANAGER_PATH, MANAGER, "GetAllDevices", "as")
        except Refused as error:
            raise HalGone(str(error)) from error
        return await self.some_devices(udis)

    async def some_devices(self, udis: Iterable[str]) -> dict[str, Properties | None]:
        """The same of some devices: without those that went meanwhile, None for those that hald is silent about.

        Raises HalGone.
        """

        async def one(udi: str) -> tuple[str, Properties | None] | None:
            try:
                return udi, await self.device(udi)
            except NoSuchDevice:
                return None
            except (NoAnswer, Refused):
                return udi, None

        return dict(pair for pair in await _bounded(one, udis) if pair is not None)

    async def device(self, udi: str) -> Properties:
        """The properties of one device. Raises NoSuchDevice, NoAnswer, Refused, HalGone."""
        try:
            (properties,) = await self._ask(udi, DEVICE, "GetAllProperties", "a{sv}")
        except InvalidObjectPathError as error:
            raise NoSuchDevice(f"{udi}: {error}") from error
        except Refused as error:
            if error.name not in _NO_DEVICE:
                raise
            raise NoSuchDevice(f"{udi}: {error}") from error
        return plain(properties)

    async def _ask_bus(self, member: str, argument: str, signature: str) -> list[Any]:
        call = Message(destination=BUS, path=BUS_PATH, interface=BUS, member=member, signature="s", body=[argument])
        try:
            return _body(await self._call(call), member, signature)
        except Refused as error:
            raise HalGone(str(error)) from error

    async def _ask(self, path: str, interface: str, member: str, signature: str) -> list[Any]:
        call = Message(destination=NAME, path=path, interface=interface, member=member)
        return _body(await self._call(call), member, signature)

    async def _call(self, message: Message) -> Message:
        """The reply. Raises Refused for what the service does not do, HalGone where nobody answers."""
        bus, member = self._bus, message.member
        if bus is None or not bus.connected:
            raise HalGone("not connected")
        try:
            reply = await asyncio.wait_for(bus.call(message), REPLY_S)
        except TimeoutError as error:
            bus.give_up(message)
            raise NoAnswer(f"{member} of {message.path}: no answer within {REPLY_S:.0f} s") from error
        except (OSError, EOFError, ValueError) as error:
            raise HalGone(f"{member}: {why(error)}") from error
        if reply is None:
            raise HalGone(f"{member}: the connection went")
        if reply.message_type is MessageType.ERROR:
            refused = Refused(reply.error_name or "", str(reply.body[0] if reply.body else ""))
            raise HalGone(str(refused)) if refused.name in _GONE else refused
        return reply

    def _handle(self, message: Message) -> None:
        if message.message_type is not MessageType.SIGNAL:
            return
        if message.sender == BUS and (message.member, message.signature) == ("NameOwnerChanged", "sss"):
            self._hald = message.body[2]
            self._on_signal(message)
        elif message.sender == self._hald and message.interface in (MANAGER, DEVICE):
            self._on_signal(message)


def _body(reply: Message, member: str, signature: str) -> list[Any]:
    """Of an answer of this signature: what has another one is no hald, or no bus."""
    if reply.signature != signature:
        raise HalGone(f"{member} answers {reply.signature!r}, not {signature!r}: that is no hald")
    return list(reply.body)


def why(error: Exception) -> str:
    return str(error) or type(error).__name__


def plain(properties: Mapping[str, Variant]) -> Properties:
    """Without the variants around the values; what HAL has no type for is left out."""
    values = ((key, variant.value) for key, variant in properties.items())
    return {key: value for key, value in values if isinstance(value, str | int | float | list)}


async def _bounded(ask: Callable[[str], Coroutine[Any, Any, T]], asked: Iterable[str]) -> list[T]:
    """All answers in order, AT_ONCE under way at a time. What is raised ends all."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def pass_gate(one: str) -> T:
        async with gate:
            return await ask(one)

    tasks = [asyncio.ensure_future(pass_gate(one)) for one in asked]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
