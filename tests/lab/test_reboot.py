"""A host that starts anew with everything in another order: nothing came, nothing went, nothing is another thing."""

import shutil
from pathlib import Path

from hwcensus.broker import EmbeddedBroker
from tests.lab.conftest import port_of
from tests.lab.guest import Guest
from tests.lab.hardware import server
from tests.lab.image import Image
from tests.lab.lab import Lab
from tests.lab.listener import Known, Listener

DISKS = {"block/wwid/naa.5000c50000000020", "block/wwid/naa.5000c50000000010", "block/serial/LABVIRT0"}
OTHERS = {"net/mac/52:54:00:00:02:00", "usb/serial/18164:1:LABSTICK0", "scsi/wwpn/200002fc00000000"}


def test_disks_cards_and_adapters_in_another_order_are_renumbered_and_nothing_else(
    lab_image: Image, tmp_path: Path
) -> None:
    with EmbeddedBroker() as broker, Listener(broker.address, "events") as listener:
        before = boot(lab_image, tmp_path, broker, listener, first="sd_mod ahci virtio_scsi", adapters="0 1")
        told = len(listener.told)
        after = boot(lab_image, tmp_path, broker, listener, first="sd_mod virtio_scsi ahci", adapters="1 0")
        news = listener.told[told:]

    assert len(listener.hellos) == 2
    assert {str(one) for one in news if one.what not in ("renumbered", "state")} == set()
    assert after.keys() == before.keys()
    # The shuffle was one: each of these has another name now.
    assert {identity for identity in DISKS | OTHERS if before[identity].name == after[identity].name} == set()


def boot(
    image: Image, folder: Path, broker: EmbeddedBroker, listener: Listener, *, first: str, adapters: str
) -> dict[str, Known]:
    """One boot, from power on until the agent has told all and stopped; its spool stays in `folder`. The census."""
    run, spool = folder / f"boot{len(listener.hellos)}", folder / "spool.db"
    words = server(shuffled=bool(listener.hellos))
    with Guest(image, run, words, first=first, forward=[port_of(broker)]) as guest:
        guest(f"fabric switch 0 1; for n in {adapters}; do fabric adapter $n; done; mkdir -p /run/hwcensus")
        # A stick is looked at a second after it is plugged in.
        guest("until [ $(ls /sys/block | grep -c ^sd) = 6 ]; do sleep 0.1; done; udevadm settle")
        if spool.exists():
            shutil.copy(spool, run)
            guest("cp /lab/spool.db /run/hwcensus")
        lab = Lab(guest, listener, broker.address)
        lab.start_agent()
        lab.stop_agent()
        guest("cp /run/hwcensus/spool.db /lab")  # SQLite has put its log into it at the end
        shutil.copy(run / "spool.db", spool)
        return {known.identity: known for known in lab.census.values()}
