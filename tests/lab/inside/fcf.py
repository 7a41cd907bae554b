#!/usr/bin/python3
"""A small Fibre Channel switch over Ethernet, one port per interface: `fcf.py fc0p fc1p`.

FIP forwarder with fabric login and NPIV (FC-BB-6), name server (FC-GS-6) and the forwarding of frames between ports: as
much as Linux's libfc needs to bring ports and virtual ports online. It knows no other switch, and one zone an adapter:
its ports do not see each other, or a hundred of them would speak of nothing else. Runs on the guest's own Python.

/run/fcf.json, read at every login, makes it a worse one: {"npiv": false} knows no virtual ports, {"npiv_max": 2} gives
an adapter no third one, {"reject": ["2001001b32a9da4e"]} refuses these WWPNs, {"alone": true} has none see another.
"""

import json
import select
import socket
import struct
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAC = bytes.fromhex("0efcfcfcfc01")
ALL_NODES = bytes.fromhex("011018010001")  # ALL-ENode-MACs
FC_MAP = b"\x0e\xfc\x00"
FIP, FCOE = b"\x89\x14", b"\x89\x06"
SWITCH, FABRIC = 0x1000C0FFEE000001, 0x1000C0FFEE0000FA  # WWNNs
FABRIC_CONTROLLER, FLOGI_SERVER = 0xFFFFFD, 0xFFFFFE
WELL_KNOWN = 0xFFFFF0
ADVERTISE_SECONDS = 4.0  # FIP's keep-alive period is told as twice that
PACKET_OUTGOING = 4
SO_RCVBUFFORCE = 33
RECEIVE_BUFFER = 16 << 20  # a burst of data frames is not to be lost
KNOBS = Path("/run/fcf.json")

# Extended link services (FC-LS-3)
REJECT, ACCEPT, PLOGI, FLOGI, LOGO, FDISC, RSCN, SCR = 0x01, 0x02, 0x03, 0x04, 0x05, 0x51, 0x61, 0x62
ELS_REQUEST, ELS_REPLY, CT_REQUEST, CT_REPLY = 0x22, 0x23, 0x02, 0x03
TYPE_ELS, TYPE_CT = 0x01, 0x20
GID_FT, GPN_FT, GPN_ID = 0x0171, 0x0172, 0x0112
CT_ACCEPT, CT_REJECT = 0x8002, 0x8001
F_CTL_LAST = b"\x98\x00\x00"  # exchange responder, last sequence, end of sequence
F_PORT, NPIV = 0x1000, 0x2000  # features of a fabric's service parameters (linux/fc/fc_els.h)
INVALID_NAME, NO_RESOURCES = b"\x03\x0d", b"\x09\x29"  # reasons of LS_RJT with their explanations (FC-LS-3)
VIRTUAL_PORTS = 254  # addresses below an adapter's own


class Port:
    """One port of the switch: the far end of an adapter's cable."""

    def __init__(self, number: int, interface: str) -> None:
        self.number = number
        self.virtual = 0  # how many addresses below the adapter's own were given
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
        self.socket.bind((interface, 0))

    def fileno(self) -> int:
        return self.socket.fileno()

    def send(self, frame: bytes) -> None:
        with suppress(OSError):  # the link is down: what is sent is lost
            self.socket.send(frame.ljust(60, b"\0"))

    def receive(self) -> bytes:
        """The next frame that came in; empty where it went out, or where the link went down."""
        try:
            frame, place = self.socket.recvfrom(1 << 16)
        except OSError:
            return b""
        return b"" if place[2] == PACKET_OUTGOING else frame

    def send_fc(self, to: int, frame: bytes) -> None:
        """An FC frame, encapsulated (FC-BB-6 7.7): version and SOFi3 before, CRC and EOFt behind."""
        checksum = struct.pack("<I", zlib.crc32(frame))
        self.send(FC_MAP + address(to) + MAC + FCOE + bytes(13) + b"\x2e" + frame + checksum + b"\x42\0\0\0")

    def send_fip(self, to: bytes, operation: int, flags: int, descriptors: list[bytes], size: int = 0) -> None:
        body = b"".join(descriptors)
        header = struct.pack(">BBHBBHH", 0x10, 0, operation, 0, 2, len(body) // 4, flags)
        self.send((to + MAC + FIP + header + body).ljust(size, b"\0"))

    def advertise(self, to: bytes = ALL_NODES, *, solicited: bool = False) -> None:
        """Here is a forwarder, available for login; the answer to a solicitation is as long as the longest frame."""
        descriptors = [
            b"\x01\x01\x00\x80",  # priority
            b"\x02\x02" + MAC,
            b"\x04\x03\0\0" + struct.pack(">Q", SWITCH),
            b"\x05\x04\0\0\0" + FC_MAP + struct.pack(">Q", FABRIC),
            b"\x0c\x02\0\x01" + struct.pack(">I", 8000),  # keep-alive, ms
        ]
        self.send_fip(to, 1, 0x8005 | (0x2 if solicited else 0), descriptors, 14 + 2158 if solicited else 0)


@dataclass
class Login:
    """A port that has logged in to the fabric."""

    port: Port
    wwpn: int
    listens: bool = False  # for changes (RSCN)


class Switch:
    """The ports, and who is logged in under which address."""

    def __init__(self, interfaces: list[str]) -> None:
        self.ports = [Port(number, name) for number, name in enumerate(interfaces, 1)]
        self.logins: dict[int, Login] = {}

    def run(self) -> None:
        due = 0.0
        while True:
            if (left := due - time.monotonic()) <= 0:
                due = time.monotonic() + ADVERTISE_SECONDS
                for port in self.ports:
                    port.advertise()
                continue
            for port in select.select(self.ports, [], [], left)[0]:
                self.receive(port, port.receive())

    def receive(self, port: Port, frame: bytes) -> None:
        try:
            if frame[12:14] == FIP:
                self.receive_fip(port, frame)
            elif frame[12:14] == FCOE:
                self.receive_fc(port, frame)
        except (IndexError, struct.error) as error:
            print("a frame that is cut short:", error, flush=True)

    def receive_fip(self, port: Port, frame: bytes) -> None:
        (operation,), sub = struct.unpack(">H", frame[16:18]), frame[19]
        if (operation, sub) == (1, 1):
            port.advertise(frame[6:12], solicited=True)
        elif (operation, sub) == (2, 1):
            self.link_service(port, frame[6:12], frame[24:])

    def link_service(self, port: Port, sender: bytes, descriptor: bytes) -> None:
        """Login and logout come in FIP, and their answers go so, with the MAC that belongs to the address."""
        request = descriptor[4 : descriptor[1] * 4]
        source, exchange, payload = number(request[5:8]), request[16:18], request[24:]
        if payload[0] in (FLOGI, FDISC):
            (wwpn,) = struct.unpack(">Q", payload[20:28])
            virtual = payload[0] == FDISC
            why = self.refused(port, wwpn, virtual=virtual)
            given = source if why else self.log_in(port, wwpn, virtual=virtual)
            features = F_PORT | (NPIV if knobs().get("npiv", True) else 0)
            answer = rejected(why) if why else parameters(features, SWITCH + port.number, FABRIC, fabric=True)
        elif payload[0] == LOGO:
            given, answer = source, bytes([ACCEPT, 0, 0, 0])
        else:
            return
        reply = header(ELS_REPLY, given, FLOGI_SERVER, TYPE_ELS, exchange) + answer
        reply += bytes(-len(reply) % 4)
        mac = b"\x02\x02" + FC_MAP + address(given)
        port.send_fip(sender, 2, 0x8000, [bytes([descriptor[0], len(reply) // 4 + 1, 0, 0]) + reply, mac])
        if payload[0] == LOGO and source in self.logins:
            del self.logins[source]
            self.tell_change(source, port)

    def refused(self, port: Port, wwpn: int, *, virtual: bool) -> bytes | None:
        """Reason and explanation, where this port is not to come in."""
        if f"{wwpn:016x}" in knobs().get("reject", []):
            return INVALID_NAME
        others = [login for login in self.logins.values() if login.port is port and login.wwpn != wwpn]
        if virtual and len(others) > knobs().get("npiv_max", VIRTUAL_PORTS - 1):  # one is the adapter's own
            return NO_RESOURCES
        return None

    def log_in(self, port: Port, wwpn: int, *, virtual: bool) -> int:
        """Gives an address: domain 1, an area a port, below it one for each virtual port."""
        self.logins = {fcid: login for fcid, login in self.logins.items() if login.wwpn != wwpn}
        if virtual:
            free = (n % VIRTUAL_PORTS + 1 for n in range(port.virtual, port.virtual + VIRTUAL_PORTS))
            port.virtual = next(n for n in free if address_of(port, n) not in self.logins)
        else:
            port.virtual = 0
            self.logins = {fcid: login for fcid, login in self.logins.items() if login.port is not port}
        given = address_of(port, port.virtual)
        self.logins[given] = Login(port, wwpn)
        print(f"{wwpn:016x} logs in as {given:06x}", flush=True)
        return given

    def tell_change(self, about: int, on: Port) -> None:
        payload = bytes([RSCN, 4, 0, 8, 0]) + address(about)
        for fcid, login in self.logins.items():
            if login.listens and self.see(login.port, on):
                exchange = struct.pack(">H", 0x7000 + (about & 0xFF))
                head = header(ELS_REQUEST, fcid, FABRIC_CONTROLLER, TYPE_ELS, exchange, f_ctl=b"\x29\x00\x00")
                login.port.send_fc(fcid, head + payload)

    def see(self, one: Port, other: Port | None) -> bool:
        """Whether they are in one zone."""
        return one is not other and not knobs().get("alone", False)

    def receive_fc(self, port: Port, frame: bytes) -> None:
        request = frame[28:-8]
        to, source = number(request[1:4]), number(request[5:8])
        if to < WELL_KNOWN:
            if to in self.logins:
                self.logins[to].port.send(FC_MAP + address(to) + MAC + frame[12:])
            return
        kind, payload = (request[0], request[8]), request[24:]
        if kind == (ELS_REQUEST, TYPE_ELS):
            answer = header(ELS_REPLY, source, to, TYPE_ELS, request[16:18]) + self.answer(payload[0], to)
            port.send_fc(source, answer)
            if payload[0] == SCR and source in self.logins:
                self.logins[source].listens = True
                self.tell_change(source, port)
        elif kind == (CT_REQUEST, TYPE_CT):
            port.send_fc(source, header(CT_REPLY, source, to, TYPE_CT, request[16:18]) + self.names(source, payload))

    def answer(self, service: int, to: int) -> bytes:
        """To a link service of a well-known address."""
        if service == PLOGI:
            return parameters(0x8800, SWITCH + (to & 0xFF), FABRIC, fabric=False)
        if service in (LOGO, SCR):
            return bytes([ACCEPT, 0, 0, 0])
        return rejected(b"\x0b\x2c")  # not supported

    def names(self, asks: int, payload: bytes) -> bytes:
        """The name server: who is there, and who has this address. What registers is believed."""
        (command,) = struct.unpack(">H", payload[8:10])
        result, reason, body = CT_ACCEPT, b"\0\0", b""
        if command in (GID_FT, GPN_FT):
            body = b"".join(self.entries(asks, names=command == GPN_FT))
            if not body:
                result, reason = CT_REJECT, b"\x09\x07"  # no such FC-4 type registered
        elif command == GPN_ID:
            login = self.logins.get(number(payload[17:20]))
            if login is None:
                result, reason = CT_REJECT, b"\x09\x01"  # no such port
            else:
                body = struct.pack(">Q", login.wwpn)
        elif not 0x0200 <= command < 0x0300:
            result, reason = CT_REJECT, b"\x0b\x00"  # not supported
        return payload[:8] + struct.pack(">HH", result, 0) + b"\0" + reason + b"\0" + body

    def entries(self, asks: int, *, names: bool) -> Iterator[bytes]:
        """The ports of other adapters; the last one is marked."""
        own = self.logins[asks].port if asks in self.logins else None
        others = [(fcid, login.wwpn) for fcid, login in self.logins.items() if self.see(login.port, own)]
        for fcid, wwpn in others:
            last = b"\x80" if fcid == others[-1][0] else b"\0"
            yield last + address(fcid) + (struct.pack(">IQ", 0, wwpn) if names else b"")


def knobs() -> dict[str, Any]:
    """What KNOBS says; nothing where it is not there."""
    try:
        found: dict[str, Any] = json.loads(KNOBS.read_text())
    except FileNotFoundError:
        return {}
    return found


def address_of(port: Port, virtual: int) -> int:
    return 0x010000 | port.number << 8 | virtual


def address(fcid: int) -> bytes:
    return fcid.to_bytes(3, "big")


def number(raw: bytes) -> int:
    return int.from_bytes(raw, "big")


def header(control: int, to: int, source: int, kind: int, exchange: bytes, *, f_ctl: bytes = F_CTL_LAST) -> bytes:
    """Of an FC frame (FC-FS-3 9.1); the responder's exchange id is not used."""
    return struct.pack(
        ">B3sB3sB3sBBH2sHI", control, address(to), 0, address(source), kind, f_ctl, 0, 0, 0, exchange, 0xFFFF, 0
    )


def rejected(why: bytes) -> bytes:
    """LS_RJT with a reason and its explanation."""
    return bytes([REJECT, 0, 0, 0, 0]) + why + b"\0"


def parameters(features: int, wwpn: int, wwnn: int, *, fabric: bool) -> bytes:
    """Accepted, with common service parameters and those of class 3 (FC-LS-3 6.6)."""
    common = struct.pack(">BBHHH", 0x20, 0x20, 10, features, 2112)
    common += struct.pack(">II", 10000, 2000) if fabric else struct.pack(">HHI", 255, 0x1F, 2000)
    class_3 = struct.pack(">HHHHHHHH", 0x8800 if fabric else 0x8000, 0, 0, 2112, 255, 0, 1, 0)
    return bytes([ACCEPT, 0, 0, 0]) + common + struct.pack(">QQ", wwpn, wwnn) + bytes(32) + class_3 + bytes(32)


if __name__ == "__main__":
    Switch(sys.argv[1:]).run()
