"""Ordered at the centre, done in the guest, seen in the census and in the inventory."""

from tests.lab.console import Console
from tests.lab.lab import Lab

BRIDGE = '<device><capability type="net"><interface>{}</interface><capability type="bridge"/></capability></device>'


def test_a_bridge_is_created_and_destroyed_from_the_centre(lab: Lab, console: Console) -> None:
    created = console.orders("create", "lab", "-", given=BRIDGE.format("hwccentre"))
    (bridge,) = lab.hears("add net_hwccentre")
    assert lab.guest("ip -o link show hwccentre type bridge")
    assert bridge.command == created["id"]
    assert [step["state"] for step in created["steps"]] == ["queued", "dispatched", "accepted", "succeeded"]
    assert created["produced"] == [{"identity": bridge.device.identity, "name": "net_hwccentre"}]
    assert console.tells("show", "lab", "net_hwccentre")["identity"] == bridge.device.identity

    destroyed = console.orders("destroy", "lab", "net_hwccentre", "--yes")
    (gone,) = lab.hears("remove net_hwccentre")
    assert gone.command == destroyed["id"]
    history = console.tells("history", "lab", bridge.device.identity)
    assert {(one["kind"], one["cause"]) for one in history} == {("add", created["id"]), ("remove", destroyed["id"])}


def test_what_the_hosts_policy_does_not_list_is_refused_by_the_host(lab: Lab, console: Console) -> None:
    console.orders("create", "lab", "-", given=BRIDGE.format("br0"), to="failed", code="not-allowed")
    lab.hears()
