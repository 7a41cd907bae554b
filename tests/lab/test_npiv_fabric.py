"""Virtual Fibre Channel ports on a fabric with moods, and on none."""

from collections.abc import Iterator

import pytest

from hwcensus.client import Client
from tests.lab.console import Console
from tests.lab.lab import Lab
from tests.lab.vports import SPARE, WWPN, identity, in_kernel, vport

pytestmark = pytest.mark.usefixtures("ports_of_a_test_that_failed")
#: Of virtual ports on one adapter.
MANY = 127


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
    console.settle(lab.listener)
    assert console.tells("show", "lab", "scsi_host3")["state"]["fc.vport"] == "Initializing"
    console.orders("destroy", "lab", identity(), "--yes")
    lab.hears("remove scsi_host3")


def test_while_the_cable_is_pulled_a_port_is_kept_down_or_refused_where_it_must_be_online(
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


@pytest.fixture
def unswitched(lab: Lab) -> Iterator[str]:
    """An adapter with a cable that is whole, to no switch."""
    lab.guest("fabric cable 3; fabric adapter 3")
    lab.hears(f"add {SPARE}")
    lab.sees(SPARE, fc__port="Offline")
    yield SPARE
    lab.guest("echo fc3 >/sys/bus/fcoe/ctlr_destroy")
    lab.hears(f"remove {SPARE}")
    lab.guest("ip link delete fc3")


def test_where_no_switch_is_found_a_port_is_kept_down_or_refused_where_it_must_be_online(
    lab: Lab, console: Console, unswitched: str
) -> None:
    made = vport(parent=unswitched)
    refused = console("create", "lab", "-", "--require", "online", "--wait", given=made)
    assert (refused.status, "parent-offline" in refused.err) == (4, True), refused
    lab.hears()

    created = console.orders("create", "lab", "-", given=made)
    lab.hears("add scsi_host4")
    assert created["text"] == "vport Linkdown, port Linkdown"
    lab.sees("scsi_host4", fc__port="Linkdown", fc__vport="Linkdown")
    console.orders("destroy", "lab", identity(), "--yes")
    lab.hears("remove scsi_host4")


@pytest.fixture
def fabric_without_npiv(lab: Lab) -> Iterator[None]:
    """Told to adapters as they log in: before those that a test makes."""
    lab.guest("fabric knobs '{\"npiv\": false}'")
    yield
    lab.guest("fabric knobs '{}'")


@pytest.mark.usefixtures("fabric_without_npiv")
def test_a_fabric_that_knows_no_virtual_ports_is_named_as_the_cause(lab: Lab, console: Console, spare: str) -> None:
    words, made = ("create", "lab", "-"), vport(parent=spare)
    created = console.orders(*words, given=made)
    lab.hears("add scsi_host4")
    assert created["text"] == "vport No Fabric Support, port Linkdown"
    lab.sees("scsi_host4", fc__vport="No Fabric Support")
    console.orders("destroy", "lab", identity(), "--yes")
    lab.hears("remove scsi_host4")

    failed = console.orders(*words, "--require", "online", "--valid", "10", given=made, to="failed", code="not-online")
    assert "vport No Fabric Support" in failed["text"]
    lab.hears("add scsi_host4", "remove scsi_host4")
    assert in_kernel(lab) == {}


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
    console.settle(lab.listener)

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
