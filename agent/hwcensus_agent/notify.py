"""What systemd wants to hear of a service (sd_notify(3)); silence where nobody listens."""

import os
import socket


def notify(state: str) -> None:
    """Sends `READY=1`, `WATCHDOG=1`, `STATUS=…` or `STOPPING=1` to the socket systemd named."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to_systemd:
        try:
            to_systemd.sendto(state.encode(), address)
        except OSError:
            return  # systemd is restarting; it asks nothing of us meanwhile


def watchdog_seconds() -> float | None:
    """How often systemd wants to hear `WATCHDOG=1`: half of its limit; None where it does not watch."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / 2e6 if microseconds.isdigit() else None
