"""Names of makers and products by udev's hardware database, else by the lists it is made from.

A few calls of libudev by ctypes, for pyudev has none for them. The database is a file mapped into memory, of which only
the pages that are looked at count.
"""

import ctypes
import ctypes.util
import logging
from collections.abc import Mapping
from functools import cache, lru_cache

from hwcensus_agent import ids

logger = logging.getLogger(__name__)

_POINTERS = {
    "udev_new": [],
    "udev_hwdb_new": [ctypes.c_void_p],
    "udev_hwdb_get_properties_list_entry": [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint],
    "udev_list_entry_get_next": [ctypes.c_void_p],
}
_TEXTS = {"udev_list_entry_get_name": [ctypes.c_void_p], "udev_list_entry_get_value": [ctypes.c_void_p]}


class Hwdb:
    """An open database. libudev is not safe for threads: one look at a time."""

    def __init__(self) -> None:
        """Raises OSError where there is no libudev, or no database."""
        self._library = _library()
        self._udev = self._library.udev_new()
        self._hwdb = self._library.udev_hwdb_new(self._udev) if self._udev else None
        if not self._hwdb:
            raise OSError("libudev finds no hwdb.bin")

    def properties(self, modalias: str) -> Mapping[str, str]:
        """What the database says of a modalias; empty where it says nothing."""
        entry = self._library.udev_hwdb_get_properties_list_entry(self._hwdb, modalias.encode("utf-8", "replace"), 0)
        found: dict[str, str] = {}
        while entry:
            name, value = self._library.udev_list_entry_get_name(entry), self._library.udev_list_entry_get_value(entry)
            if name and value:
                found[name.decode("utf-8", "replace")] = value.decode("utf-8", "replace")
            entry = self._library.udev_list_entry_get_next(entry)
        return found


@lru_cache(maxsize=4096)
def lookup(modalias: str, key: str) -> str | None:
    """One property of a modalias (`pci:v00008086d000027DA…`); None where neither database nor list has it."""
    database = _database()
    found = None if database is None else database.properties(modalias).get(key)
    return found or ids.lookup(modalias, key)


@cache
def _database() -> Hwdb | None:
    try:
        return Hwdb()
    except (OSError, AttributeError) as error:
        logger.info("makers and products have their names by pci.ids and usb.ids: %s", error)
        return None


def _library() -> ctypes.CDLL:
    name = ctypes.util.find_library("udev") or "libudev.so.1"
    library = ctypes.CDLL(name)
    for function, arguments in (_POINTERS | _TEXTS).items():
        bound = getattr(library, function)
        bound.argtypes = arguments
        bound.restype = ctypes.c_void_p if function in _POINTERS else ctypes.c_char_p
    return library
