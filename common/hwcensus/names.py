"""Names of devices: `<subsystem>_<kernel name>` with every byte but ASCII letters and digits turned into `_`.

Known from sysfs path and subsystem alone, so that udev, HAL, a bare kernel and a remove event all give the same.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping

COMPUTER = "computer"

_OTHER_BYTE = re.compile(rb"[^A-Za-z0-9]")


def device_name(subsystem: str, kernel_name: str) -> str:
    """The name of a device of this subsystem whose sysfs folder is called `kernel_name`."""
    return _OTHER_BYTE.sub(b"_", f"{subsystem}_{kernel_name}".encode("utf-8", "surrogateescape")).decode("ascii")


def told_apart(name: str, kernel_name: str) -> str:
    """The name of the later seen of two devices whose names came out equal: with digits of the kernel name's hash."""
    digits = hashlib.sha256(kernel_name.encode("utf-8", "surrogateescape")).hexdigest()[:4]
    return f"{name}__{digits}"


def assign_names(
    subjects: list[tuple[str, str, str]], known: Mapping[str, str], present: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Unique names for devices given as (sysfs path, subsystem, kernel name), in the order in which they were seen.

    `known` maps sysfs paths to the names they have already, which they keep while the kernel name still gives them.
    `present` are path and name of other devices of the host, which keep theirs too.
    """
    names: dict[str, str] = {}
    taken = set((present or {}).values())
    plain = {path: device_name(subsystem, kernel_name) for path, subsystem, kernel_name in subjects}
    for path, _, kernel_name in subjects:
        former = known.get(path)
        if former is not None and former not in taken and former in _candidates(plain[path], kernel_name, path):
            names[path] = former
            taken.add(former)
    for path, _, kernel_name in subjects:
        if path not in names:
            name = next(name for name in _candidates(plain[path], kernel_name, path) if name not in taken)
            names[path] = name
            taken.add(name)
    return names


def _candidates(plain: str, kernel_name: str, path: str) -> Iterator[str]:
    """What the device may be called, the best first; two of one kernel name are told apart by their paths."""
    yield plain
    yield told_apart(plain, kernel_name)
    whole = hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()
    yield from (f"{plain}__{whole[:digits]}" for digits in (8, 16, 64))
