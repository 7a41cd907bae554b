"""Virtual Fibre Channel ports ordered at the centre, made and taken away by a real kernel, on a fabric with moods."""

from collections.abc import Iterator

import pytest

from hwcensus.client import Client
from tests.lab.console import Console
from tests.lab.hardware import INITIATOR
from tests.lab.lab import Lab

PARENT, PARENT_WWPN, FABRIC = "scsi_host1", "200002fc00000000", "1000c0ffee0000fa"
WWPN = "2001001b32a9da4e"
#: Of a further adapter, which a test makes and takes away again.
SPARE, SPARE_WWPN = "scsi_host3", "200002fc00000002"
#: Of virtual ports on one adapter.
MANY = 127
VPORT = """\
<device>
  <parent>{parent}</parent>
  <capability type="scsihost">
    <capability type="fc"><address wwnn="{wwnn}" wwpn="{wwpn}"/></capability>
  </capability>
</device>
"""
LIBVIRT = """\
<device>
  <parent{parent}
  <capability type='scsi_host'>
    <capability type='fc_host'>
      <wwnn>{wwnn}</wwnn>
      <wwpn>{wwpn}</wwpn>
    </capability>
  </capability>
</device>
"""


def wwnn(wwpn: str) -> str:
    return f"2000{wwpn[4:]}"


def vport(wwpn: str = WWPN, parent: str = PARENT) -> str:
    return VPORT.format(parent=parent, wwpn=wwpn, wwnn=wwnn(wwpn))


def identity(wwpn: str = WWPN) -> str:
    return f"scsi/wwpn/{wwpn}"


def in_kernel(lab: Lab) -> dict[str, str]:
    """WWPN → host of every virtual port, as fc_vports and scsi_host have it."""
    lines = lab.guest(
        "for port in /sys/class/fc_vports/*; do [ -e $port ] || continue; "
        "for host in $port/device/host*; do [ -e /sys/class/scsi_host/${host##*/} ]; "
        "read name <$port/port_name; echo $name ${host##*/}; done; done"
    )
    return {line.split()[0].removeprefix("0x"): line.split()[1] for line in lines.splitlines()}


def told(lab: Lab) -> dict[tuple[str, str], object]:
    """Identity, facts and state of every device by its name and theirs, but the link of a port, of whose end no uevent
    tells, and what a device that has fallen asleep is not woken for."""
    return {
        (name, path): value
        for name, known in lab.census.items()
        for path, value in {"identity": known.identity, **known.facts, **known.state}.items()
        if ".link_" not in path and path != "device.unread"
    }


LEFT = """\
for port in /sys/class/fc_vports/*; do
    [ -e $port ] || continue
    names=$(cat $port/port_name $port/node_name | sed 's/^0x//' | paste -sd:)
    echo $names | tee $port/device/../fc_host/host*/vport_delete
done
[ ! -d /sys/class/fc_host/host3 ] || echo fc2 | tee /sys/bus/fcoe/ctlr_destroy
"""


@pytest.fixture(autouse=True)
def ports_of_a_test_that_failed(lab: Lab) -> Iterator[None]:
    """They are not to be in the way of the next one."""
    yield
    left = lab.guest(LEFT)
    if left:
        lab.guest("until [ ! -e /sys/class/scsi_host/host3 ]; do sleep 0.1; done")
        lab.settle()


@pytest.fixture
def spare(lab: Lab) -> Iterator[str]:
    """One more adapter, with a cable of its own."""
    lab.guest("fabric adapter 2")
    lab.hears(f"add {SPARE}")
    lab.sees(SPARE, fc__port="Online")
    yield SPARE
    lab.guest("echo fc2 >/sys/bus/fcoe/ctlr_destroy")
    lab.hears(f"remove {SPARE}")


def test_a_port_is_created_seen_in_kernel_census_and_inventory_and_destroyed(lab: Lab, console: Console) -> None:
    created = console.orders("create", "lab", "-", "--require", "online", given=vport())
    (port,) = lab.hears("add scsi_host3")
    assert created["text"] == "vport Active, port Online"
    assert created["produced"] == [{"identity": identity(), "name": "scsi_host3"}]
    assert port.command == created["id"]
    assert in_kernel(lab) == {WWPN: "host3"}
    assert port.device.facts.items() >= {"parent": PARENT, "fc.wwpn": WWPN, "fc.wwnn": wwnn(WWPN)}.items()
    lab.sees("scsi_host3", fc__port="Online", fc__vport="Active")
    lab.sees(PARENT, fc__vports=1)
    shown = console.tells("show", "lab", "scsi_host3")
    assert (shown["identity"], shown["parent"]) == (identity(), PARENT)

    destroyed = console.orders("destroy", "lab", "scsi_host3", "--yes")
    (gone,) = lab.hears("remove scsi_host3")
    assert gone.command == destroyed["id"]
    assert in_kernel(lab) == {}
    assert lab.guest("ls /sys/class/scsi_host").split() == ["host0", "host1", "host2"]
    lab.sees(PARENT, fc__vports=0)
    history = console.tells("history", "lab", identity())
    assert {(one["kind"], one["cause"]) for one in history} >= {("add", created["id"]), ("remove", destroyed["id"])}


@pytest.fixture(params=['{"reject": ["%s"]}' % WWPN, '{"npiv_max": 0}'], ids=["refused", "full"])  # noqa: UP031
def unwilling_fabric(lab: Lab, request: pytest.FixtureRequest) -> Iterator[None]:
    """A switch that does not take the port; the kernel makes it all the same."""
    lab.guest(f"fabric knobs '{request.param}'")
    yield
    lab.guest("fabric knobs '{}'")


@pytest.mark.usefixtures("unwilling_fabric")
def test_a_port_that_must_be_online_is_undone_where_the_fabric_does_not_take_it(lab: Lab, console: Console) -> None:
    words = ("create", "lab", "-", "--require", "online", "--valid", "10")
    failed = console.orders(*words, given=vport(), to="failed", code="not-online")
    came, went = lab.hears("add scsi_host3", "remove scsi_host3")
    assert came.command == went.command == failed["id"]
    assert "vport Initializing" in failed["text"]
    assert in_kernel(lab) == {}


@pytest.mark.usefixtures("unwilling_fabric")
def test_another_port_is_kept_and_shown_as_not_active(lab: Lab, console: Console) -> None:
    created = console.orders("create", "lab", "-", given=vport())
    lab.hears("add scsi_host3")
    assert created["text"].startswith("vport Initializing, port ")
    lab.sees("scsi_host3", fc__vport="Initializing")
    assert console.tells("show", "lab", "scsi_host3")["state"]["fc.vport"] == "Initializing"
    console.orders("destroy", "lab", identity(), "--yes")
    lab.hears("remove scsi_host3")


def test_without_a_fabric_a_port_is_kept_down_or_refused_where_it_must_be_online(
    lab: Lab, console: Console, spare: str
) -> None:
    lab.guest("ip link set fc2p down")
    lab.sees(spare, fc__port="Linkdown")
    made = vport(parent=spare)
    refused = console("create", "lab", "-", "--require", "online", "--wait", given=made)
    assert (refused.status, "parent-offline" in refused.err) == (4, True), refused
    lab.hears()

    created = console.orders("create", "lab", "-", given=made)
    lab.hears("add scsi_host4")
    assert created["text"] == "vport Linkdown, port Linkdown"
    lab.guest("ip link set fc2p up")
    lab.sees("scsi_host4", fc__port="Online", fc__vport="Active")
    console.orders("destroy", "lab", identity(), "--yes")
    lab.hears("remove scsi_host4")


def test_a_name_that_is_in_use_is_refused_and_makes_no_version(lab: Lab, console: Console) -> None:
    console.orders("create", "lab", "-", given=vport())
    lab.hears("add scsi_host3")
    refused = console("create", "lab", "-", "--wait", given=vport())
    assert (refused.status, "wwn-in-use" in refused.err) == (4, True)
    # The kernel's own refusal is EINVAL, behind uevents of a vport that comes and goes.
    kernel = lab.guest(f"echo {WWPN}:{wwnn(WWPN)} 2>&1 >/sys/class/fc_host/host1/vport_create || true")
    assert "Invalid argument" in kernel
    lab.hears()
    console.orders("destroy", "lab", identity(), "--yes")
    lab.hears("remove scsi_host3")


def test_what_the_kernel_refuses_is_told_in_its_words(lab: Lab, console: Console) -> None:
    lab.guest("mount -o remount,bind,ro /sys")
    try:
        refused = console.orders("create", "lab", "-", given=vport(), to="failed", code="kernel-refused")
    finally:
        lab.guest("mount -o remount,bind,rw /sys")
    assert refused["text"] == f"vport_create of host1, {WWPN}:{wwnn(WWPN)}: EROFS (30): Read-only file system"
    lab.hears()


def test_the_same_port_comes_and_goes_twenty_times(lab: Lab, console: Console) -> None:
    for _ in range(20):
        created = console.orders("create", "lab", "-", given=vport())
        destroyed = console.orders("destroy", "lab", identity(), "--yes")
        came, went = lab.hears("add scsi_host3", "remove scsi_host3")
        assert (came.command, went.command) == (created["id"], destroyed["id"])
    assert in_kernel(lab) == {}


def test_twenty_ports_that_are_named_by_the_centre_are_all_different(lab: Lab, console: Console) -> None:
    unnamed = vport().replace(f'<address wwnn="{wwnn(WWPN)}" wwpn="{WWPN}"/>', "")
    names = [f"scsi_host{3 + number}" for number in range(20)]
    with Client(console.line.url) as client:
        host = client.host("lab")
        ordered = [host.create_device(unnamed) for _ in names]
        produced = [command.wait(timeout=120).produced for command in ordered]
        came = lab.hears(*(f"add {name}" for name in names))
        assert produced == [(name,) for name in names]
        wwpns = {str(one.device.facts["fc.wwpn"]) for one in came}
        assert in_kernel(lab).keys() == wwpns
        assert {wwpn[:7] for wwpn in wwpns} == {"5525400"}  # NAA: IEEE Registered; the OUI of the lab's centre
        for wwpn in wwpns:
            ordered.append(host.lookup_by_name(identity(wwpn)).destroy())
        assert {command.wait(timeout=120).state for command in ordered} == {"succeeded"}
    lab.hears({f"remove {name}" for name in names})


def test_a_port_of_a_pool_has_its_next_name_and_the_name_rests_when_the_port_is_gone(
    lab: Lab, console: Console
) -> None:
    pooled, after = "2000525400aa0000", "2000525400aa000f"
    added = console.line.run("collector", "wwn", "pool", "add", "lab", pooled, after, "--wwnn", wwnn(WWPN))
    assert added.returncode == 0, added.stderr
    console.orders("vhba", "create", "lab", "--parent", PARENT_WWPN, "--pool", "lab", "--require", "online")
    (port,) = lab.hears("add scsi_host3")
    assert port.device.identity == identity(pooled)
    assert in_kernel(lab) == {pooled: "host3"}
    console.orders("vhba", "destroy", "lab", pooled, "--yes")
    lab.hears("remove scsi_host3")
    resting = console.line.run("collector", "wwn", "list", "--state", "quarantined").stdout
    assert pooled in {line.split()[0] for line in resting.splitlines()}


def test_after_an_agent_restart_the_inventory_is_the_same_and_the_port_can_be_destroyed(
    lab: Lab, console: Console
) -> None:
    console.orders("create", "lab", "-", "--require", "online", given=vport())
    lab.hears("add scsi_host3")
    lab.sees("scsi_host3", fc__vport="Active")
    lab.end()
    before = told(lab)
    lab.stop_agent()
    lab.start_agent()
    assert told(lab) == before
    console.settle(lab.census)
    console.orders("destroy", "lab", identity(), "--yes")
    lab.hears("remove scsi_host3")


def test_a_port_made_behind_our_back_is_shown_as_such_and_destroyed_by_command(lab: Lab, console: Console) -> None:
    lab.guest(f"echo {WWPN}:{wwnn(WWPN)} >/sys/class/fc_host/host1/vport_create")
    (port,) = lab.hears("add scsi_host3")
    assert port.command is None
    lab.end()
    console.settle(lab.census)
    assert console.tells("history", "lab", identity())[-1]["cause"] == "event"
    console.orders("destroy", "lab", "scsi_host3", "--yes")
    lab.hears("remove scsi_host3")


def test_a_disk_behind_a_port_that_is_mounted_or_open_keeps_it_unless_forced(lab: Lab, console: Console) -> None:
    console.orders("create", "lab", "-", "--require", "online", given=vport(INITIATOR))
    disk = ("add scsi_target3_0_0", "add scsi_3_0_0_0", {"add scsi_generic_sg0", "add block_sda"})
    lab.hears("add scsi_host3", *disk)
    assert console.tells("show", "lab", "block_sda")["facts"]["storage.serial"] == f"LAB{INITIATOR}"

    lab.guest("mke2fs -q -F /dev/sda; mkdir -p /run/lun; mount /dev/sda /run/lun; udevadm settle")
    mounted = console.orders("destroy", "lab", "scsi_host3", "--yes", to="failed", code="in-use")
    assert "/run/lun" in mounted["text"]
    lab.guest("umount /run/lun; (exec -a reader sleep 600 </dev/sda >/dev/null 2>&1 & echo $! >/run/reader)")
    opened = console.orders("destroy", "lab", "scsi_host3", "--yes", to="failed", code="in-use")
    assert lab.guest("cat /run/reader").strip() in opened["text"]

    console.orders("destroy", "lab", "scsi_host3", "--yes", "--force")
    lab.guest("kill $(cat /run/reader)")
    lab.hears(
        {"remove scsi_generic_sg0", "remove block_sda"}, "remove scsi_3_0_0_0", "remove scsi_target3_0_0",
        "remove scsi_host3",
    )  # fmt: skip


NAMED = [f">{PARENT}</parent>", f" wwnn='100002fc00000000' wwpn='{PARENT_WWPN}'/>", f" fabric_wwn='{FABRIC}'/>"]


@pytest.mark.parametrize("parent", NAMED, ids=["by name", "by its names", "by its fabric"])
def test_libvirts_document_is_taken_and_a_parent_may_be_named_three_ways(
    lab: Lab, console: Console, parent: str
) -> None:
    given = LIBVIRT.format(parent=parent, wwnn=wwnn(WWPN), wwpn=WWPN)
    console.orders("create", "lab", "-", given=given)
    (port,) = lab.hears("add scsi_host3")
    assert port.device.identity == identity()
    assert port.device.parent in (PARENT, "scsi_host2")  # either is in that fabric
    console.orders("destroy", "lab", "scsi_host3", "--yes")
    lab.hears("remove scsi_host3")


@pytest.fixture
def small_fabric(lab: Lab) -> Iterator[None]:
    """It has room for all but one, and none sees another: else udevd would have hundreds of remote ports to look at."""
    lab.guest(f'fabric knobs \'{{"npiv_max": {MANY - 1}, "alone": true}}\'')
    yield
    lab.guest("fabric knobs '{}'")


@pytest.mark.timeout(900)  # minutes, where the machine is busy
@pytest.mark.usefixtures("small_fabric")
def test_of_127_ports_one_finds_no_room_and_is_shown_so_and_one_that_goes_leaves_the_others(
    lab: Lab, console: Console
) -> None:
    lab.guest("fabric adapter 2")
    lab.hears(f"add {SPARE}")
    lab.sees(SPARE, fc__port="Online")
    wwpns = [f"2001001b32b0{number:04x}" for number in range(MANY)]
    with Client(console.line.url) as client:
        host = client.host("lab")
        ordered = [host.create_device(vport(wwpn, SPARE), valid=900) for wwpn in wwpns]
        ordered[-1].wait(timeout=600)  # they are carried out in this order
        ended = [command.refresh() for command in ordered]
    assert [(one.state, one.code) for one in ended] == [("succeeded", None)] * MANY
    names = [f"scsi_host{number}" for number in range(4, 4 + MANY)]
    came = lab.hears(*(f"add {name}" for name in names))
    assert [(one.device.identity, one.command) for one in came] == [
        (identity(wwpn), command.id) for wwpn, command in zip(wwpns, ended, strict=True)
    ]
    lab.sees(SPARE, fc__vports=MANY)
    before = in_kernel(lab)
    assert before == {wwpn: name.removeprefix("scsi_") for wwpn, name in zip(wwpns, names, strict=True)}
    for name in names[:-1]:
        lab.sees(name, fc__vport="Active")
    lab.sees(names[-1], fc__vport="Initializing")
    lab.end()
    console.settle(lab.census)

    further = vport(f"2001001b32b0{MANY:04x}", SPARE)
    words = ("create", "lab", "-", "--require", "online", "--valid", "10")
    console.orders(*words, given=further, to="failed", code="not-online")
    lab.hears(f"add scsi_host{4 + MANY}", f"remove scsi_host{4 + MANY}")

    gone = wwpns[60]
    console.orders("destroy", "lab", identity(gone), "--yes")
    lab.hears(f"remove {names[60]}")
    del before[gone]
    assert in_kernel(lab) == before

    lab.guest("echo fc2 >/sys/bus/fcoe/ctlr_destroy")
    lab.hears({f"remove scsi_{host}" for host in before.values()}, f"remove {SPARE}")
