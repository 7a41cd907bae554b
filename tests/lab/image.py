"""The lab guest's image: Debian 12 with its stock kernel, made once from the archives that this machine's apt knows.

`python -m tests.lab.image` makes it where it is missing. All clones on a machine share it: its folder is named by a
hash of this file. It needs root. What runs inside, and the guest's hardware, are not part of it (`guest.py`).
"""

import fcntl
import hashlib
import lzma
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SUITE = "bookworm"
PACKAGES = (
    *("udev", "kmod", "iproute2", "ethtool", "busybox-static", "fdisk", "e2fsprogs", "socat", "iputils-ping"),
    *("pciutils", "usbutils", "lsscsi", "nvme-cli", "iw"),
    *("lvm2", "mdadm"),  # which hold disks
    # Debian's own Python, and the libraries of one that was built elsewhere and is shared into the guest.
    *("python3", "libbz2-1.0", "libffi8", "liblzma5", "libreadline8", "libsqlite3-0", "libssl3", "zlib1g"),
)
#: Documentation and translations, half of what the packages bring.
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/man/*")
TOOLS = ("qemu-system-x86_64", "mmdebstrap", "mke2fs", "apt-get", "dpkg-deb")
#: What reaches the root disk, the shares and the command port.
BOOT_MODULES = ("virtio_pci", "virtio_blk", "ext4", "crc32c_generic", "9p", "9pnet_virtio", "virtio_console")
FREE_MIB = 300
SBIN = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
UNUSED_S = 30 * 86400.0

#: PID 1 of the initramfs: modules, the root disk, the folder `lab`, and on to the real one.
INIT = """\
#!/bin/busybox sh
/bin/busybox --install -s /bin
mkdir -p /proc /sys /dev /root
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs devtmpfs /dev
while read module; do insmod /modules/$module; done </modules/order
until [ -b /dev/vda ]; do usleep 20000; done
mount -t ext4 -o noatime,nobarrier /dev/vda /root &&
mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache=none lab /root/lab || poweroff -f
for folder in proc sys dev; do mount --move /$folder /root/$folder; done
exec switch_root /root /lab/init
"""


class NoImage(Exception):
    """The image is not there and cannot be made here; the text says why."""


@dataclass(frozen=True)
class Image:
    """A folder in the cache: the guest's root disk (never written), its kernel and its initramfs."""

    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / "root.ext4"

    @property
    def kernel(self) -> Path:
        return self.folder / "vmlinux"

    @property
    def initramfs(self) -> Path:
        return self.folder / "initramfs"

    @property
    def made(self) -> str:
        """What it is and how long it took, for people."""
        return (self.folder / "made").read_text()


def image() -> Image:
    """The image, made now where it is missing. Raises NoImage."""
    lacking = [tool for tool in TOOLS if shutil.which(tool, path=SBIN) is None]
    if lacking:
        raise NoImage(f"the lab needs {', '.join(lacking)}")
    folder = _cache() / _recipe()
    if not folder.exists():
        if os.geteuid() != 0:
            raise NoImage("making the lab's image needs root")
        with _alone(folder.parent):
            _forget_unused(folder.parent)
            if not folder.exists():
                _make(folder)
    os.utime(folder)
    return Image(folder)


def _cache() -> Path:
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "hwcensus" / "lab"


def _recipe() -> str:
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """One maker at a time; who waited finds the image there."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _forget_unused(cache: Path) -> None:
    """Images of former recipes that nobody has used for long, and what a killed maker left."""
    for entry in cache.iterdir():
        if entry.is_dir() and (entry.name.startswith("making") or entry.stat().st_mtime < time.time() - UNUSED_S):
            shutil.rmtree(entry)


def _make(folder: Path) -> None:
    """Beside its place, and moved there when it is whole."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="making-", dir=folder.parent) as name:
        work = Path(name)
        made, root = work / "image", work / "root"
        made.mkdir()
        _say(f"making the image of Debian {SUITE} in {folder} (about a minute)")
        _run("mmdebstrap", "--quiet", "--variant=minbase", "--mode=root", f"--include={','.join(PACKAGES)}",
             '--aptopt=Apt::Install-Recommends "false"', *(f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT),
             SUITE, str(root), _archive())  # fmt: skip
        (root / "lab").mkdir()
        _say("its kernel")
        release = _kernel(work, root, made / "vmlinux")
        _say("its disk")
        _initramfs(work / "initramfs", root, release, made / "initramfs")
        size = int(_run("du", "--summarize", "--block-size=MiB", str(root)).split("MiB")[0]) + FREE_MIB
        _run("mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-d", str(root),
             str(made / "root.ext4"), f"{size}M")  # fmt: skip
        (made / "made").write_text(
            f"image of Debian {SUITE}, Linux {release}, made in {time.monotonic() - began:.0f} s"
        )
        made.rename(folder)
    _say(Image(folder).made)


def _archive() -> str:
    """Where this machine's apt gets the suite from."""
    list_them = ("apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)", "Created-By: Packages")
    if f"{SUITE} " not in _run(*list_them):  # container images come without lists
        _run("apt-get", "update")
    found = [line.split()[1] for line in _run(*list_them).splitlines() if line.startswith(f"{SUITE} ")]
    if not found:
        raise NoImage(f"this machine's apt knows no archive of Debian {SUITE}")
    return found[0]


def _kernel(work: Path, root: Path, vmlinux: Path) -> str:
    """Debian's present kernel: its modules into `root`, itself as an ELF file. Returns its release.

    Unpacked rather than installed, which would make an initramfs of Debian's own.
    """
    depends = _run("apt-cache", "depends", "linux-image-amd64").split()
    package = next(word for word in depends if word.startswith("linux-image-") and word != "linux-image-amd64")
    _run("apt-get", "download", package, cwd=work)
    (deb,) = work.glob("*.deb")
    _run("dpkg-deb", "-x", str(deb), str(work / "kernel"))
    (modules,) = (work / "kernel/lib/modules").iterdir()
    shutil.copytree(modules, root / "lib/modules" / modules.name, symlinks=True)
    _run("chroot", str(root), "depmod", modules.name)
    vmlinux.write_bytes(_unpacked((work / "kernel/boot" / f"vmlinuz-{modules.name}").read_bytes()))
    return modules.name


def _unpacked(vmlinuz: bytes) -> bytes:
    """The ELF file in a bzImage: QEMU boots it by PVH, four seconds faster under TCG than what unpacks itself."""
    at = -1
    while (at := vmlinuz.find(b"\xfd7zXZ\0", at + 1)) >= 0:
        try:
            found = lzma.LZMADecompressor(format=lzma.FORMAT_XZ).decompress(vmlinuz[at:])
        except lzma.LZMAError:  # the same bytes by chance
            continue
        if found.startswith(b"\x7fELF"):
            return found
    raise NoImage("Debian's kernel is not packed by xz any more")


def _initramfs(tree: Path, root: Path, release: str, packed: Path) -> None:
    shown = _run("chroot", str(root), "modprobe", "-S", release, "--show-depends", "--all", *BOOT_MODULES)
    modules = [Path(line.split()[1]) for line in dict.fromkeys(shown.splitlines()) if line.startswith("insmod")]
    for folder in ("bin", "modules"):
        (tree / folder).mkdir(parents=True)
    for module in modules:
        shutil.copy(root / module.relative_to("/"), tree / "modules")
    (tree / "modules/order").write_text("".join(f"{module.name}\n" for module in modules))
    shutil.copy(root / "bin/busybox", tree / "bin")
    (tree / "init").write_text(INIT)
    (tree / "init").chmod(0o755)
    names = "\n".join(str(path.relative_to(tree)) for path in sorted(tree.rglob("*")))
    with packed.open("wb") as out:
        subprocess.run(
            [tree / "bin/busybox", "cpio", "-o", "-H", "newc"], input=names.encode(), stdout=out,
            stderr=subprocess.DEVNULL, check=True, cwd=tree,
        )  # fmt: skip


def _run(*command: str, cwd: Path | None = None) -> str:
    """Its output. Raises NoImage with what it said where it fails."""
    environment = {**os.environ, "PATH": SBIN, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=environment)
    if done.returncode != 0:
        raise NoImage(f"{' '.join(command[:2])} failed:\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout


def _say(text: str) -> None:
    print(f"lab: {text}", file=sys.stderr, flush=True)


def main(words: Sequence[str]) -> int:
    """Where it cannot be made this says so and ends well: the tests skip, or fail where all must run."""
    try:
        found = image()
    except NoImage as error:
        _say(str(error))
        return 0
    _say(found.made)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
