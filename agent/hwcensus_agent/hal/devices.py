"""What hald said last of every device, by udi and by sysfs path. The source writes, looks read in their threads."""

from collections.abc import Iterator, Mapping
from itertools import groupby

from hwcensus_agent.hal.device import HalDevice, Properties


class HalDevices:
    """The list as it is now. `by_path` is replaced and never changed: a look keeps the one that it began with."""

    def __init__(self) -> None:
        self._by_udi: dict[str, HalDevice] = {}
        self.by_path: Mapping[str, HalDevice] = {}

    def get(self, udi: str) -> HalDevice | None:
        return self._by_udi.get(udi)

    def replace_all(self, told: Mapping[str, Properties | None]) -> None:
        """None for a device about which hald is silent: it stays as it was."""
        there = {udi: self._by_udi.get(udi) if has is None else HalDevice(udi=udi, properties=has)
                 for udi, has in told.items()}  # fmt: skip
        self._by_udi = {udi: device for udi, device in there.items() if device is not None}
        self._index()

    def take(self, told: Mapping[str, Properties], gone: set[str]) -> None:
        """Devices that are new or differ, and udis that hald has no more."""
        self._by_udi |= {udi: HalDevice(udi=udi, properties=properties) for udi, properties in told.items()}
        for udi in gone:
            self._by_udi.pop(udi, None)
        self._index()

    def _index(self) -> None:
        self.by_path = dict(_by_path(self._by_udi))


def _by_path(by_udi: Mapping[str, HalDevice]) -> Iterator[tuple[str, HalDevice]]:
    """One device a path: of twins the one that is no class device, else the one whose udi is shortest."""
    placed = [(device.path, device) for device in by_udi.values() if device.path is not None]
    placed.sort(key=lambda pair: (pair[0], pair[1].is_twin, len(pair[1].udi), pair[1].udi))
    for path, devices in groupby(placed, key=lambda pair: pair[0]):
        yield path, next(devices)[1]
