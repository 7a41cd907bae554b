"""Names of devices: `<subsystem>_<kernel name>` with every byte but ASCII letters and digits turned into `_`.

Known from sysfs path and subsystem alone, so that udev, HAL, a bare kernel and a remove event all give the same.
"""

import hashlib
import re

COMPUTER = "computer"

_OTHER_BYTE = re.compile(rb"[^A-Za-z0-9]")


def device_name(subsystem: str, kernel_name: str) -> str:
    """The name of a device of this subsystem whose sysfs folder is called `kernel_name`."""
    return _OTHER_BYTE.sub(b"_", f"{subsystem}_{kernel_name}".encode("utf-8", "surrogateescape")).decode("ascii")


def told_apart(name: str, kernel_name: str) -> str:
    """The name of the later seen of two devices whose names came out equal: with digits of the kernel name's hash."""
    digits = hashlib.sha256(kernel_name.encode("utf-8", "surrogateescape")).hexdigest()[:4]
    return f"{name}__{digits}"


def assign_names(subjects: list[tuple[str, str, str]], known: dict[str, str]) -> dict[str, str]:
    """Unique names for devices given as (sysfs path, subsystem, kernel name), in the order in which they were seen.

    `known` maps sysfs paths to the names they have already, which they keep while the kernel name still gives them.
    """
    names: dict[str, str] = {}
    plain = {path: device_name(subsystem, kernel_name) for path, subsystem, kernel_name in subjects}
    taken: dict[str, str] = {}
    for path, _, kernel_name in subjects:
        if known.get(path) in (plain[path], told_apart(plain[path], kernel_name)):
            names[path] = known[path]
            taken.setdefault(known[path], path)
    for path, _, kernel_name in subjects:
        if path in names and taken.get(names[path]) == path:
            continue
        name = plain[path] if plain[path] not in taken else told_apart(plain[path], kernel_name)
        names[path] = name
        taken[name] = path
    return names
