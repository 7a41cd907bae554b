"""A host that starts anew with everything in another order: nothing came, nothing went, nothing is another thing; but
a virtual port, which no kernel keeps, and which is made again below the adapter that it was on. What was ordered of a
device while the host was down is not done to the one that has got its name."""

import json
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from hwcensus.broker import EmbeddedBroker
from hwcensus.client import Client
from tests.lab.conftest import port_of
from tests.lab.console import Console
from tests.lab.guest import Guest
from tests.lab.hardware import server
from tests.lab.image import Image
from tests.lab.lab import Lab
from tests.lab.listener import Known, Listener

DISKS = {"block/wwid/naa.5000c50000000020", "block/wwid/naa.5000c50000000010", "block/serial/LABVIRT0"}
OTHERS = {"net/mac/52:54:00:00:02:00", "usb/serial/18164:1:LABSTICK0", "scsi/wwpn/200002fc00000000"}


ADAPTER, OTHER_ADAPTER = "scsi/wwpn/200002fc00000000", "scsi/wwpn/200002fc00000001"
WWPN, WWNN = "5001438001234567", "5001438001234566"
PORT = f"scsi/wwpn/{WWPN}"
#: Of a port that nobody wants beyond the boot, and of one that is ordered too late.
PASSING, LATE = "2001001b32a9da4e", "2001001b32a9da4f"
PASSED = f"scsi/wwpn/{PASSING}"
VPORT = (
    '<device><parent>{}</parent><capability type="scsihost"><capability type="fc">'
    '<address wwnn="{}" wwpn="{}"/></capability></capability></device>'
)
#: What lasts on the disk of a host.
KEPT = ("spool.db", "desired.json")


def vport(parent: str, wwpn: str) -> str:
    return VPORT.format(parent, f"2000{wwpn[4:]}", wwpn)


def test_disks_cards_and_adapters_in_another_order_are_renumbered_and_a_wanted_port_is_made_again(
    lab_image: Image, tmp_path: Path
) -> None:
    with EmbeddedBroker() as broker, Listener(broker.address, "events") as listener:
        console = Console(tmp_path / "boot0" / "centre", broker.address)
        wanted: list[str] = []
        late: list[str] = []

        def order(lab: Lab) -> None:
            console.settle(lab.listener)
            console.orders("create", "lab", "-", given=vport(lab.finds(ADAPTER), PASSING))
            words = ("vhba", "create", "lab", "--parent", lab.finds(ADAPTER), "--wwpn", WWPN, "--wwnn", WWNN)
            wanted.append(console.orders(*words, "--persistent")["id"])
            lab.sees(lab.finds(ADAPTER), fc__vports=2, fc__wanted=[WWPN])
            lab.sees(lab.finds(PORT), fc__vport="Active")

        def order_late(before: Mapping[str, Known]) -> None:
            """Both name what they mean; something else will be called so."""
            key = "centre/signing-key.pub"
            (tmp_path / "boot1/centre").mkdir(parents=True)
            shutil.copy(tmp_path / "boot0" / key, tmp_path / "boot1" / key)
            given = vport(before[ADAPTER].name, LATE)
            for said in (
                console("create", "lab", "-", "-o", "json", given=given),
                console("destroy", "lab", before[PASSED].name, "--yes", "-o", "json"),
            ):
                assert said.status == 0, said.err
                late.append(json.loads(said.out)["id"])

        def is_made_again(lab: Lab) -> None:
            lab.sees(lab.finds(ADAPTER), fc__vports=1)
            lab.sees(lab.finds(PORT), fc__vport="Active")
            with Client(console.line.url) as client:
                ended = [client.command(one).wait(timeout=60) for one in late]
            assert [(one.state, one.code) for one in ended] == [("failed", "device-changed")] * 2
            assert lab.census[lab.finds(ADAPTER)].state["fc.vports"] == 1

        settings = console.agent | {"HWCENSUS_COMMANDS_POLICY": "/lab/no-file"}  # without one, ports are allowed
        again = partial(boot, lab_image, tmp_path, broker, listener, settings=settings)
        with console.start():
            before = again(work=order, first="sd_mod ahci virtio_scsi", adapters="0 1")
            told = len(listener.told)
            order_late(before)
            after = again(work=is_made_again, first="sd_mod virtio_scsi ahci", adapters="1 0")
        news = listener.told[told:]

    assert len(listener.hellos) == 2
    gone = before.pop(PASSED)
    ports = {(one.what, one.device.identity, one.command) for one in news if one.what in ("add", "remove")}
    assert ports == {("remove", PASSED, None), ("remove", PORT, None), ("add", PORT, wanted[0])}
    assert {str(one) for one in news if one.what not in ("add", "remove", "renumbered", "state")} == set()
    assert after.keys() == before.keys()
    # The shuffle was one: each of these has another name now, and two of them the names that the late orders spoke of.
    assert {identity for identity in DISKS | OTHERS if before[identity].name == after[identity].name} == set()
    assert after[PORT].name == gone.name
    assert after[OTHER_ADAPTER].name == before[ADAPTER].name
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
