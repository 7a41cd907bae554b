"""What the host's policy is asked about, as executors find it on the host."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The kernel's name of a device, and of the interfaces that it is to be made of; of a virtual port its WWPN and its
    adapter's, 16 digits each, since the kernel deals its name."""

    name: str
    parent: str | None = None
    wwpn: str | None = None
    lowers: tuple[str, ...] = ()

    @property
    def as_port(self) -> str:
        """A virtual port, for people."""
        return f"{self.wwpn or '(none)'} under {self.parent or '(none)'}"

    @property
    def as_device(self) -> str:
        """Any other device, for people."""
        return f"{self.name} of {', '.join(self.lowers)}" if self.lowers else self.name
