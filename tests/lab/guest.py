"""A running lab guest: Debian's kernel and udevd in QEMU, commands to it, and its hardware in our hands.

Emulated, not virtualised (TCG): where tests run, nested virtualisation is rare, and a guest is up in ten seconds all
the same. The root disk is a throw-away layer over the image.
"""

import os
import shlex
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.fixtures.process import ROOT, Process
from tests.lab.image import Image
from tests.lab.qmp import Qmp, connect

#: Ten times what a machine takes that has nothing else to do.
BOOT_SECONDS = 240.0
COMMAND_SECONDS = 120.0
INSIDE = Path(__file__).parent / "inside"
KERNEL_OPTIONS = (
    "console=ttyS0 quiet panic=-1 mitigations=off nokaslr no_timer_check tsc=reliable "
    "audit=0 random.trust_cpu=on dummy.numdummies=0 bonding.max_bonds=0 intel_iommu=on"
)
#: Debian 12's Python can stand in for the host's where both are the system's.
GUEST_PYTHON = (3, 11)


class Guest:
    """One boot. `guest("ip link add br0 type bridge")` runs a script in it, `guest.qmp` is its machine's monitor."""

    def __init__(
        self, image: Image, folder: Path, hardware: Sequence[str] = (), *, first: str = "", forward: Iterable[int] = ()
    ) -> None:
        """`folder` is for this boot, and the guest's /lab; `hardware` are further words for QEMU; `first` names modules
        to be loaded before all others; `forward` are ports of this machine that answer in the guest as well."""
        self.folder = folder
        shutil.copytree(INSIDE, folder, dirs_exist_ok=True)
        shares = {f"share{number}": path for number, path in enumerate(_shared_folders())}
        (folder / "boot").write_text(
            f'FIRST="{first}"\n'
            f'SHARES="{" ".join(f"{tag},{path},ro" for tag, path in shares.items())}"\n'
            f'FORWARD="{" ".join(map(str, forward))}"\n'
        )
        began = time.monotonic()
        self._machine = Process(_qemu(image, folder, shares, hardware), env=os.environ)
        try:
            self.qmp = Qmp(folder / "monitor")
            self._shell = connect(folder / "shell", seconds=BOOT_SECONDS)
            self._answer()
        except (OSError, EOFError) as error:
            self._machine.kill()
            raise AssertionError(f"the guest does not boot: {error}\n{self._last_words()}") from error
        self._shell.settimeout(COMMAND_SECONDS)
        self.booted_s = time.monotonic() - began

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """As if the plug were pulled: what the guest is to keep must be in its /lab."""
        self.qmp("quit")
        self._machine.wait()
        self.qmp.close()
        self._shell.close()

    def __call__(self, script: str) -> str:
        """Runs it by bash, as root, and gives what it said. AssertionError where it fails."""
        self._shell.sendall(f"set -e\n{script}\0".encode())
        try:
            output, status = self._answer()
        except (OSError, EOFError) as error:
            raise AssertionError(f"the guest does not answer {script!r}: {error!r}\n{self._last_words()}") from error
        assert status == 0, f"{script!r} ended with {status}:\n{output}"
        return output

    @contextmanager
    def holding(self, node: str) -> Iterator[str]:
        """Meanwhile a process called sleep has this file open; its id."""
        until_it_has = 'until [ "$(cat /proc/$!/comm)" = sleep ]; do sleep 0.1; done'  # it opens before it is that
        pid = self(f"sleep infinity <{node} >/dev/null 2>&1 & {until_it_has}; echo $!").strip()
        try:
            yield pid
        finally:
            self(f"kill {pid}; tail --pid={pid} --sleep-interval=0.1 -f /dev/null")

    def python(self, *words: str) -> str:
        """A script that runs this interpreter, with this repository, inside."""
        return shlex.join([sys.executable, *words])

    def _answer(self) -> tuple[str, int]:
        """Output and status of the script that runs."""
        received = b""
        while received.count(b"\0") < 2:
            more = self._shell.recv(1 << 16)
            if not more:
                raise EOFError("QEMU closed its side")
            received += more
        output, status, _ = received.split(b"\0")
        return output.decode(errors="replace"), int(status)

    def _last_words(self) -> str:
        console = self.folder / "console"
        said = console.read_text(errors="replace")[-3000:] if console.exists() else ""
        return f"{self._machine.output}\n{said}"


def _qemu(image: Image, folder: Path, shares: dict[str, Path], hardware: Sequence[str]) -> list[str]:
    words = [
        *("qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-uuid", "1ab01ab0-0000-4000-8000-000000000001"),
        # With QEMU's own room for translated code: 128 MiB were full every few seconds, and all was translated again.
        *("-M", "q35,vmport=off,sata=off", "-accel", "tcg,thread=multi"),
        # The plainest processor with what Debian's binaries may want: few modules load for it at coldplug.
        *("-cpu", "Nehalem", "-smp", "2", "-m", "1024"),
        *("-kernel", str(image.kernel), "-initrd", str(image.initramfs), "-append", KERNEL_OPTIONS),
        *("-serial", f"file:{folder}/console", "-qmp", f"unix:{folder}/monitor,server=on,wait=off"),
        *("-drive", f"if=none,id=root,file={image.root},format=raw,snapshot=on,cache=unsafe"),
        *("-device", "virtio-blk-pci,drive=root,serial=LABROOT"),
        *("-device", "virtio-serial-pci,id=serial"),
        *("-chardev", f"socket,id=shell,path={folder}/shell,server=on,wait=off"),
        *("-device", "virtserialport,chardev=shell,name=lab.shell"),
        *("-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,mac=52:54:00:00:00:01,romfile="),
    ]
    for tag, path in {"lab": folder, **shares}.items():
        mode = "" if tag == "lab" else ",readonly=on"
        words += ["-fsdev", f"local,id={tag},path={path},security_model=none,multidevs=remap{mode}"]
        words += ["-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]
    return [*words, *hardware]


def _shared_folders() -> list[Path]:
    """What the agent runs from: the repository, the virtual environment, and the Python it was made with."""
    wanted = [ROOT, Path(sys.prefix), Path(sys.base_prefix)]
    if Path(sys.base_prefix) == Path("/usr"):
        assert sys.version_info[:2] == GUEST_PYTHON, "a system Python runs in the guest only where it is Debian 12's"
        wanted.pop()
    return [path for path in wanted if not any(other != path and path.is_relative_to(other) for other in wanted)]
