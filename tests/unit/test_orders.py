"""What the running agent tells of the orders it keeps, apart from Kafka."""

import asyncio
from pathlib import Path

from hwcensus.kafka import KafkaSettings
from hwcensus_agent.desired import Desired, Wish
from hwcensus_agent.live import Live
from hwcensus_agent.look import HostLook
from hwcensus_agent.orders import Orders
from hwcensus_agent.publisher import Publisher
from hwcensus_agent.settings import AgentSettings, CensusSettings, CommandSettings
from hwcensus_agent.spool import Spool
from tests.unit.sysfs_tree import Tree

ADAPTER, WWPN = "10000000c9831b9e", "50014380186b2a01"


async def test_what_is_wanted_on_an_adapter_is_told_without_waiting_until_all_is_quiet(tmp_path: Path) -> None:
    tree, host = Tree(tmp_path), "devices/virtual/net/fc0/ctlr_0/host6"
    tree.device("bus/scsi/devices", host, uevent="DEVTYPE=scsi_host\n")
    tree.device("class/fc_host", f"{host}/fc_host/host6", port_name=f"0x{ADAPTER}", max_npiv_vports="9")
    settings = AgentSettings(
        census=CensusSettings(sysroot=str(tree.sys), coalesce_ms=600_000, coalesce_max_ms=600_000),
        commands=CommandSettings(policy=tmp_path / "none", keys=tmp_path / "none"),
    )
    spool, told = Spool(tmp_path / "spool.db", limit=1 << 20), asyncio.Event()
    desired, look = Desired(tmp_path / "desired.json", "host-1"), HostLook(settings.census)
    look.shows(desired.of)
    live = Live(settings.census, spool, look, "udev", told.set)
    Orders(settings, desired, spool=spool, live=live, publisher=Publisher(KafkaSettings(), "host-1", spool))
    live.compare(await live.first_look(same_boot=True), same_boot=True)
    before = len(spool.next_rows(100))
    told.clear()
    running = asyncio.create_task(live.run())
    desired.add(Wish(parent=ADAPTER, wwpn=WWPN, wwnn=WWPN, command="c1"))
    async with asyncio.timeout(10):
        await told.wait()
    (row,) = spool.next_rows(100)[before:]
    assert row.sight is not None
    assert (row.type, row.sight.name, row.sight.survey().state["fc.wanted"]) == ("change", "scsi_host6", [WWPN])
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    spool.close()
