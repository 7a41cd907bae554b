"""Hints from a hald: subscribed first, then the whole list, then what came between, in the order of its signals.

A hald that goes, or a bus that does, is a failed source, not an empty host: what it said last stays until it is back.
"""

import asyncio
import logging
from asyncio import AbstractEventLoop
from collections.abc import Iterable
from typing import TYPE_CHECKING

from hwcensus_agent.hal.client import BUS, DEVICE, MANAGER, HalClient, HalGone
from hwcensus_agent.hal.device import COMPUTER
from hwcensus_agent.hal.devices import HalDevices
from hwcensus_agent.sources.hint import Action, Hint
from hwcensus_agent.sources.source import OnGap, OnHint

if TYPE_CHECKING:
    from dbus_next.message import Message

logger = logging.getLogger(__name__)

STARTED, STOPPED = "hald-started", "hald-stopped"


class HalSource:
    """Watches all devices of one hald."""

    name = "hal"

    def __init__(self, address: str | None, devices: HalDevices) -> None:
        """`devices` is kept up to date with what hald says."""
        self.works = False
        self.why_not: str | None = "not started"
        self._address, self._devices = address, devices
        #: Signals, and udis that are to be asked about as if one had come; the computer's for the whole list.
        self._signals: asyncio.Queue[Message | str] = asyncio.Queue()
        #: udis about which hald did not answer.
        self._silent: set[str] = set()
        self._client: HalClient | None = None
        self._returning = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._on_hint: OnHint | None = None
        self._on_gap: OnGap | None = None

    async def connect(self) -> None:
        """Subscribes and takes the whole list. Where that fails the source does not work, and says why."""
        self._signals = asyncio.Queue()
        client = HalClient(self._address, self._signals.put_nowait)
        try:
            await client.connect()
            self._client = client
            if not await client.is_there():
                raise HalGone("no hald on the bus")
            await self._take_all(client)
        except HalGone as error:
            self._fail(str(error))

    def start(self) -> None:
        """Nothing: whether it works is known since `connect`, which had to wait for the bus."""

    def attach(self, loop: AbstractEventLoop, on_hint: OnHint, on_gap: OnGap) -> None:
        self._on_hint, self._on_gap = on_hint, on_gap
        self._follow_client(loop)

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks = set()
        if self._client is not None:
            self._client.close()
        self._client = None
        self.works, self.why_not = False, "closed"

    def check(self) -> None:
        """Tries again where hald or the bus is gone, or did not answer. To be called every few seconds."""
        if self._on_gap is None or self._returning.locked():
            return
        loop = asyncio.get_running_loop()
        if self._client is None:
            self._do(loop, self._come_back())
        elif not self.works:
            if self._signals.empty():
                # Behind the signals, for only so does none fall between the list and those that come after it.
                self._signals.put_nowait(COMPUTER)
        elif self._silent:
            self._do(loop, self._ask_again(self._client))

    async def _come_back(self) -> None:
        async with self._returning:
            await self.connect()
            self._follow_client(asyncio.get_running_loop())
            if self.works:
                self._say_back()

    async def _ask_again(self, client: HalClient) -> None:
        """About the silent ones: beside the signals, which need not wait for that."""
        async with self._returning:
            asked = tuple(self._silent)
            try:
                told = await client.some_devices(asked)
            except HalGone:
                return  # whoever follows the signals hears of it too
            for udi in asked:
                if udi not in told or told[udi] is not None:
                    self._signals.put_nowait(udi)

    def _follow_client(self, loop: AbstractEventLoop) -> None:
        if self._client is not None:
            self._do(loop, self._serve(self._client))

    def _do(self, loop: AbstractEventLoop, work: "asyncio._CoroutineLike[None]") -> None:
        task = loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, client: HalClient) -> None:
        """Follows one connection until it is gone."""
        following, closing = asyncio.ensure_future(self._follow(client)), asyncio.ensure_future(client.wait_closed())
        try:
            await asyncio.wait({following, closing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            following.cancel()
            closing.cancel()
        why = closing.result() if closing.done() else f"following it failed: {following.exception()!r}"
        client.close()
        self._client = None
        self._lose(f"the bus: {why}")

    async def _take_all(self, client: HalClient) -> None:
        devices = await client.all_devices()
        if devices.get(COMPUTER) is None:
            raise HalGone("hald is still starting")
        self._devices.replace_all(devices)
        self._silent = {udi for udi, properties in devices.items() if properties is None}
        self.works, self.why_not = True, None

    async def _follow(self, client: HalClient) -> None:
        """Takes signals as they come, many at a time."""
        waiting = self._signals
        while True:
            signals = [await waiting.get()]
            while not waiting.empty():
                signals.append(waiting.get_nowait())
            try:
                await self._take(client, signals)
            except HalGone as error:
                self._lose(str(error))

    async def _take(self, client: HalClient, signals: Iterable["Message | str"]) -> None:
        touched: dict[str, bool] = {}  # udi → whether it went on the way
        for signal in signals:
            if not isinstance(signal, str) and signal.interface == BUS:
                self._owner_changed(signal)
                continue
            udi, said = (signal, "DeviceAdded") if isinstance(signal, str) else (_udi_of(signal), signal.member)
            if udi == COMPUTER and said == "DeviceAdded":  # how hald says that it is ready
                await self._take_all_again(client)
                touched.clear()
            elif udi is not None:
                touched[udi] = touched.get(udi, False) or said == "DeviceRemoved"
        if touched and self.works:
            await self._look_at(client, touched)

    def _owner_changed(self, signal: "Message") -> None:
        if len(signal.body) == 3 and not signal.body[2]:
            self._lose("hald left the bus")

    async def _take_all_again(self, client: HalClient) -> None:
        if await client.is_there():
            await self._take_all(client)
            self._say_back()

    async def _look_at(self, client: HalClient, touched: dict[str, bool]) -> None:
        """Asks for the devices that signals named, and tells what became of each, in the order of the signals."""
        before = {udi: self._path(udi) for udi in touched}
        told = await client.some_devices(touched)
        silent = {udi for udi, properties in told.items() if properties is None}
        if not silent <= self._silent:
            logger.warning("hald does not answer for devices; they stay as they were", extra={"n": len(silent)})
        self._silent = (self._silent - touched.keys()) | silent
        known = {udi: properties for udi, properties in told.items() if properties is not None}
        self._devices.take(known, touched.keys() - told.keys())
        for udi, went in touched.items():
            self._tell(before[udi], self._path(udi), went=went)
        self._emit(Hint(source=self.name, action=Action.ENUMERATE, syspath="/sys"))  # what HAL does not show came along

    def _tell(self, before: str | None, now: str | None, *, went: bool) -> None:
        """Hints at where the device was and is; a path that a twin still has did not go."""
        if before is not None and (went or now is None) and (before not in self._devices.by_path or now == before):
            self._emit(Hint(source=self.name, action=Action.REMOVE, syspath=before))
        if now is None:
            return
        if before is None or went:
            self._emit(Hint(source=self.name, action=Action.ADD, syspath=now))
        elif before != now:
            self._emit(Hint(source=self.name, action=Action.MOVE, syspath=now, old_syspath=before))
        else:
            self._emit(Hint(source=self.name, action=Action.CHANGE, syspath=now))

    def _path(self, udi: str) -> str | None:
        device = self._devices.get(udi)
        return None if device is None else device.path

    def _emit(self, hint: Hint) -> None:
        if self._on_hint is not None:
            self._on_hint(hint)

    def _lose(self, why: str) -> None:
        """From now on nothing is known to be gone, until hald is back."""
        if self.works:
            self._fail(why)
            self._tell_gap(STOPPED)
        self.why_not = why

    def _say_back(self) -> None:
        logger.info("hald is heard again")
        self._tell_gap(STARTED)

    def _tell_gap(self, reason: str) -> None:
        if self._on_gap is not None:
            self._on_gap(reason)

    def _fail(self, why: str) -> None:
        if why != self.why_not and self._on_gap is not None:
            logger.warning("hald cannot be heard; what it said last stays: %s", why)
        self.works, self.why_not = False, why


def _udi_of(signal: "Message") -> str | None:
    """The device that a signal is about."""
    if signal.interface == DEVICE:
        return str(signal.path)
    if signal.interface == MANAGER and signal.body and isinstance(signal.body[0], str):
        return signal.body[0]
    return None
