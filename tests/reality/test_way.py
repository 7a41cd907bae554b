"""The way to Kafka in a real kernel: which interfaces carry it, and whether it is there after a change."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hwcensus_agent.rtnetlink import RouteSocket
from hwcensus_agent.way import OWN_DESCRIPTORS, Broker, CarriesKafka, Way, WayUnknown
from tests.fixtures.far_broker import BEYOND, FAR, FAR6, NEAR, PORT, connect, far_broker, run
from tests.reality.test_sources_namespace import in_namespace


@contextmanager
def connected(address: str = FAR) -> Iterator[None]:
    with socket.create_connection((address, PORT), timeout=10):
        yield


@in_namespace
def test_the_interface_of_a_live_connection_carries_the_way() -> None:
    run("ip link add v9 type ifb")
    with far_broker(), connected():
        carriers = Way(["192.0.2.99:1"]).carriers()
        assert carriers == {"v0": Broker(address=FAR, port=PORT, local=NEAR)}


@in_namespace
def test_looking_for_connections_leaves_no_file_open() -> None:
    with far_broker(), connected():
        before = set(OWN_DESCRIPTORS.iterdir())
        assert len(Way([]).brokers()) == 1
        assert set(OWN_DESCRIPTORS.iterdir()) == before


@in_namespace
def test_before_there_is_a_connection_the_settings_say_who_the_brokers_are() -> None:
    with far_broker():
        servers = [f"{FAR}:{PORT}", f"[{FAR6}]:{PORT}", f"{'no-such-name' * 6}:1"]
        assert [str(broker) for broker in Way(servers).brokers()] == servers[:2]
        assert Way([f"[{FAR6}]:{PORT}"]).carriers() == {"v0": Broker(address=FAR6, port=PORT)}


@in_namespace
def test_over_ipv6_and_over_a_gateway_it_is_the_same_interface() -> None:
    with far_broker():
        for address in (FAR6, BEYOND):
            with connected(address):
                assert list(Way([]).carriers()) == ["v0"]


@in_namespace
def test_what_an_interface_is_made_of_carries_it_too_and_what_lies_beside_does_not() -> None:
    run("ip link add br0 type bridge")
    run("ip link add i0 type ifb")
    run("ip link add other type bridge")
    with far_broker():
        run("ip address flush dev v0")
        run("ip link set v0 master br0")
        run("ip link set i0 master other")
        connect("br0")
        with connected():
            assert sorted(Way([]).carriers()) == ["br0", "v0"]


@in_namespace
def test_the_master_of_a_port_that_carries_it_would_take_it_along() -> None:
    run("ip link add br0 type bridge")
    with far_broker(), connected():
        run("ip link set v0 master br0")  # which the connection does not survive, but has not noticed
        assert sorted(Way([]).carriers()) == ["br0", "v0"]


@in_namespace
def test_an_interface_with_our_end_of_a_connection_carries_it_whatever_way_packets_leave() -> None:
    run("ip link add i0 type ifb")
    run("ip address add 203.0.113.1/32 dev i0")
    with far_broker() as far:
        run(f"nsenter --net=/proc/{far}/ns/net ip route add default via {NEAR}")
        with socket.create_connection((FAR, PORT), timeout=10, source_address=("203.0.113.1", 0)):
            assert sorted(Way([]).carriers()) == ["i0", "v0"]


@in_namespace
def test_who_asks_for_an_interface_that_carries_it_is_refused_with_both_names_unless_forced() -> None:
    run("ip link add i0 type ifb")
    with far_broker(), connected():
        way = Way([])
        way.require_free(["i0"], force=None)
        way.require_free(["v0"], force=True)
        with pytest.raises(CarriesKafka, match=rf"v0 carries the way to Kafka, to {FAR}:{PORT}; with force"):
            way.require_free(["i0", "v0"], force=None)


@in_namespace
def test_where_no_way_is_found_any_interface_may_carry_it_so_that_only_force_touches_one() -> None:
    run("ip link add i0 type ifb")
    for server in (f"{FAR}:{PORT}", f"{'no-such-name' * 6}:1"):  # no route leads there; nobody knows the name
        way = Way([server])
        assert "i0" in way.interfaces("/sys/devices/virtual/net")
        with pytest.raises(WayUnknown, match="i0 may carry the way to Kafka"):
            way.require_free(["i0"], force=None)
        way.require_free([], force=None)
        way.require_free(["i0"], force=True)


@in_namespace
def test_a_device_is_known_by_the_interfaces_below_it() -> None:
    with far_broker(), connected():
        way = Way([])
        assert list(way.below("/sys/devices/virtual/net")) == ["v0"]
        assert list(way.below("/sys/class/net/v0")) == ["v0"]
        assert way.below("/sys/devices/virtual/net/v") == {}


@in_namespace
def test_a_way_that_is_cut_is_lost_and_one_that_comes_back_in_time_is_not() -> None:
    with far_broker(), connected():
        way = Way([], limit=0.5)
        answered = way.answering()
        assert [str(broker) for broker in answered] == [f"{FAR}:{PORT}"]
        assert way.lost(answered) == []
        run("ip link set v0 down")
        assert way.lost(answered) == answered
        if os.fork() == 0:
            run("ip link set v0 up")
            os._exit(0)
        assert Way([], limit=30.0).lost(answered) == []


@in_namespace
def test_without_any_broker_there_is_nothing_to_lose() -> None:
    way = Way([f"{FAR}:{PORT}"])
    assert (way.answering(), way.carriers(), way.lost([])) == ([], {}, [])


@in_namespace
def test_addresses_and_routes_that_an_interface_lost_are_given_back_as_they_were() -> None:
    with far_broker(), RouteSocket() as route:
        (index,) = [link.index for link in route.dump_links() if link.name == "v0"]
        addresses = [one for one in route.dump_addresses() if one.index == index]
        routes = [one for one in route.dump_routes() if one.index == index]
        assert {NEAR, "2001:db8::1"} < {one.text for one in addresses}
        assert len(routes) == 1
        run("ip address flush dev v0")
        run("ip link set v0 down")
        run("ip link set v0 up")
        assert route.link_towards(BEYOND) is None
        for _ in range(2):  # the second time they are there
            for address in addresses:
                route.give_back(address)
            for other in routes:
                route.give_back(other)
        assert route.link_towards(BEYOND) == index
        assert [one.text for one in route.dump_addresses() if one.index == index] == [one.text for one in addresses]


def test_what_the_run_has_open_is_no_connection_of_a_test_in_a_namespace() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        in_namespace(_has_no_connection)()


def _has_no_connection() -> None:
    assert Way([]).brokers() == []
