"""Virtual Fibre Channel ports ordered at the centre, made and taken away by a real kernel."""

import pytest

from hwcensus.client import Client
from tests.lab.console import Console
from tests.lab.lab import Lab
from tests.lab.vports import PARENT, PARENT_WWPN, WWPN, identity, in_kernel, vport, wwnn

pytestmark = pytest.mark.usefixtures("ports_of_a_test_that_failed")


def told(lab: Lab) -> dict[tuple[str, str], object]:
    """Identity, facts and state of every device by its name and theirs, but the link of a port, of whose end no uevent
    tells, and what a device that has fallen asleep is not woken for."""
    return {
        (name, path): value
        for name, known in lab.census.items()
        for path, value in {"identity": known.identity, **known.facts, **known.state}.items()
        if ".link_" not in path and path != "device.unread"
    }


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


def test_a_port_that_is_named_by_the_centre_has_another_name_each_of_twenty_times(lab: Lab, console: Console) -> None:
    words = ("vhba", "create", "lab", "--parent", PARENT_WWPN)
    names = []
    for _ in range(20):
        created = console.orders(*words)
        (came,) = lab.hears("add scsi_host3")
        names.append(str(came.device.facts["fc.wwpn"]))
        assert created["produced"] == [{"identity": identity(names[-1]), "name": "scsi_host3"}]
        assert in_kernel(lab) == {names[-1]: "host3"}
        console.orders("destroy", "lab", "scsi_host3", "--yes")
        lab.hears("remove scsi_host3")
    assert len(set(names)) == 20
    assert in_kernel(lab) == {}
    resting = console.line.run("collector", "wwn", "list", "--state", "quarantined").stdout
    assert {line.split()[0] for line in resting.splitlines()} >= set(names)  # so that no host of the fleet gets one


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
    lab.sees("scsi_host3", fc__vport="Active", fc__port="Online")
    lab.sees(PARENT, fc__vports=1)
    lab.end()
    before = told(lab)
    lab.stop_agent()
    lab.start_agent()
    assert told(lab) == before
    console.settle(lab.listener)
    console.orders("destroy", "lab", identity(), "--yes")
    lab.hears("remove scsi_host3")


def test_a_port_made_behind_our_back_is_shown_as_such_and_destroyed_by_command(lab: Lab, console: Console) -> None:
    lab.guest(f"echo {WWPN}:{wwnn(WWPN)} >/sys/class/fc_host/host1/vport_create")
    (port,) = lab.hears("add scsi_host3")
    assert port.command is None
    lab.end()
    console.settle(lab.listener)
    assert console.tells("history", "lab", identity())[-1]["cause"] == "event"
    console.orders("destroy", "lab", "scsi_host3", "--yes")
    lab.hears("remove scsi_host3")
