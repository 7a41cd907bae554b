"""What the agent told, held against what its verbs say of the same host."""

import json

from hwcensus import document
from tests.lab.lab import Lab

AGENT = ("-m", "hwcensus_agent.main")


def test_the_census_by_events_is_what_a_fresh_look_gives(lab: Lab) -> None:
    listed = json.loads(lab.guest(lab.guest.python(*AGENT, "list", "-o", "json") + " 2>/dev/null"))
    dumped = document.parse(lab.guest(lab.guest.python(*AGENT, "dump") + " 2>/dev/null").encode())

    told = lab.census.values()
    assert {one["identity"]: one["name"] for one in listed} == {known.identity: known.name for known in told}
    looked = {device.findtext("name"): document.take_apart(device).digest for device in dumped}
    assert looked == {known.name: document.take_apart(document.parse(known.xml)).digest for known in told}


def printed(lab: Lab, what: str) -> None:
    """Waits until the watcher, another process than the agent, has seen so too."""
    lab.guest(f"until grep -q '{what}' /run/watched; do sleep 0.1; done")


def test_watch_prints_what_comes_and_goes(lab: Lab) -> None:
    watch = lab.guest.python(*AGENT, "watch", "-o", "ndjson")
    lab.guest(f"{watch} >/run/watched 2>/run/watching & echo $! >/run/watch.pid")
    lab.guest("until grep watching /run/watching; do sleep 0.1; done")
    lab.guest("ip link add hwc0 type bridge")
    lab.hears("add net_hwc0")
    printed(lab, '"add".*net_hwc0')
    lab.guest("ip link delete hwc0")
    lab.hears("remove net_hwc0")
    printed(lab, '"remove".*net_hwc0')
    lab.guest("kill $(cat /run/watch.pid); tail --pid=$(cat /run/watch.pid) -f /dev/null")
    lines = [json.loads(line) for line in lab.guest("cat /run/watched").splitlines()]
    told = [(line["type"], line["name"]) for line in lines if line["name"] != "net_lo"]  # which the lab changes itself
    assert told == [("add", "net_hwc0"), ("remove", "net_hwc0")]
