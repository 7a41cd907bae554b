"""A host that starts anew with everything in another order: nothing came, nothing went, nothing is another thing; but
a virtual port, which no kernel keeps, and which is made again below the adapter that it was on."""

import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from hwcensus.broker import EmbeddedBroker
from tests.lab.conftest import port_of
from tests.lab.console import Console
from tests.lab.guest import Guest
from tests.lab.hardware import server
from tests.lab.image import Image
from tests.lab.lab import Lab
from tests.lab.listener import Known, Listener

DISKS = {"block/wwid/naa.5000c50000000020", "block/wwid/naa.5000c50000000010", "block/serial/LABVIRT0"}
OTHERS = {"net/mac/52:54:00:00:02:00", "usb/serial/18164:1:LABSTICK0", "scsi/wwpn/200002fc00000000"}


ADAPTER, WWPN, WWNN = "scsi/wwpn/200002fc00000000", "5001438001234567", "5001438001234566"
PORT = f"scsi/wwpn/{WWPN}"
#: What lasts on the disk of a host.
KEPT = ("spool.db", "desired.json")


def test_disks_cards_and_adapters_in_another_order_are_renumbered_and_a_wanted_port_is_made_again(
    lab_image: Image, tmp_path: Path
) -> None:
    with EmbeddedBroker() as broker, Listener(broker.address, "events") as listener:
        console = Console(tmp_path / "boot0" / "centre", broker.address)
        commands: list[str] = []

        def order(lab: Lab) -> None:
            console.settle(lab.census)
            words = ("vhba", "create", "lab", "--parent", lab.finds(ADAPTER), "--wwpn", WWPN, "--wwnn", WWNN)
            commands.append(console.orders(*words, "--persistent")["id"])
            lab.sees(lab.finds(ADAPTER), fc__vports=1, fc__wanted=[WWPN])
            lab.sees(lab.finds(PORT), fc__vport="Active")

        def is_made_again(lab: Lab) -> None:
            lab.sees(lab.finds(ADAPTER), fc__vports=1)
            lab.sees(lab.finds(PORT), fc__vport="Active")

        settings = console.agent | {"HWCENSUS_COMMANDS_POLICY": "/lab/no-file"}  # without one, ports are allowed
        again = partial(boot, lab_image, tmp_path, broker, listener, settings=settings)
        with console.start():
            before = again(work=order, first="sd_mod ahci virtio_scsi", adapters="0 1")
        told = len(listener.told)
        after = again(work=is_made_again, first="sd_mod virtio_scsi ahci", adapters="1 0")
        news = listener.told[told:]

    assert len(listener.hellos) == 2
    ports = [(one.what, one.command) for one in news if one.device.identity == PORT and one.what != "state"]
    assert ports == [("remove", None), ("add", commands[0])]
    others = [one for one in news if one.device.identity != PORT]
    assert {str(one) for one in others if one.what not in ("renumbered", "state")} == set()
    assert after.keys() == before.keys()
    # The shuffle was one: each of these has another name now.
    assert {identity for identity in DISKS | OTHERS if before[identity].name == after[identity].name} == set()
    assert before[PORT].facts["fc.vport.parent_wwpn"] == after[PORT].facts["fc.vport.parent_wwpn"]


def boot(
    image: Image,
    folder: Path,
    broker: EmbeddedBroker,
    listener: Listener,
    *,
    settings: Mapping[str, str],
    work: Callable[[Lab], None],
    first: str,
    adapters: str,
) -> dict[str, Known]:
    """One boot, from power on until the agent has told all, `work` is done, and it has stopped; what lasts stays in
    `folder`. The census."""
    run = folder / f"boot{len(listener.hellos)}"
    words = server(shuffled=bool(listener.hellos))
    with Guest(image, run, words, first=first, forward=[port_of(broker)]) as guest:
        guest(f"fabric switch 0 1; for n in {adapters}; do fabric adapter $n; done; mkdir -p /run/hwcensus")
        # A stick is looked at a second after it is plugged in.
        guest("until [ $(ls /sys/block | grep -c ^sd) = 6 ]; do sleep 0.1; done; udevadm settle")
        for name in KEPT:
            if (folder / name).exists():
                shutil.copy(folder / name, run)
                guest(f"cp /lab/{name} /run/hwcensus")
        lab = Lab(guest, listener, broker.address, settings)
        lab.start_agent()
        work(lab)
        lab.stop_agent()
        for name in KEPT:
            guest(f"cp /run/hwcensus/{name} /lab")  # SQLite has put its log into the spool at the end
            shutil.copy(run / name, folder)
        return {known.identity: known for known in lab.census.values()}
