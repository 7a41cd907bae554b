"""What the documents of bridges with ports, VLANs, bonds and numbers of virtual functions show by themselves."""

import re
from pathlib import Path

import pytest

from hwcensus.creatable import CREATABLE, creatable_type, read_creation
from hwcensus.creatable.link import ports
from hwcensus.creatable.virt_functions import wanted
from hwcensus.errors import InvalidDocument


def link(kind: str, facts: str = "", state: str = "", more: str = "") -> bytes:
    return (
        f"<device>{more}<capability type='net'><interface>hwc0</interface><capability type='80203'/>"
        f"<capability type='{kind}'>{facts}</capability>{state}</capability></device>"
    ).encode()


def vlan(id_: str = "7", lower: str = "net_eth0", protocol: str = "") -> bytes:
    return link("vlan", f"<id>{id_}</id>{protocol}<lower>{lower}</lower>")


def virt_functions(number: str = "4", parent: str = "<parent>pci_0000_05_00_0</parent>", more: str = "") -> bytes:
    state = f"<state virt_functions='{number}'/>"
    return f"<device>{parent}<capability type='pci'>{more}{state}</capability></device>".encode()


PORTS = "<state><port>net_eth1</port><port>net_eth2</port></state>"


@pytest.mark.parametrize(
    "raw, type_",
    [
        (link("bridge", state=PORTS), "bridge"),
        (link("bridge", state="<state/>"), "bridge"),
        (vlan(), "vlan"),
        (vlan(id_="4094", protocol="<protocol>802.1ad</protocol>"), "vlan"),
        (link("bond"), "bond"),
        (link("bond", "<mode>active-backup</mode><miimon>100</miimon>", PORTS), "bond"),
        (link("bond", "<mode>balance-xor</mode><xmit_policy>layer3+4</xmit_policy>"), "bond"),
        (link("bond", "<mode>802.3ad</mode><xmit_policy>layer2+3</xmit_policy><lacp_rate>fast</lacp_rate>"), "bond"),
        (virt_functions(), "virt_functions"),
        (virt_functions("0"), "virt_functions"),
    ],
)
def test_what_the_census_would_say_of_it_asks_for_it(raw: bytes, type_: str) -> None:
    assert creatable_type(read_creation(raw)) == type_


def test_ports_and_the_number_wanted_are_where_the_census_has_them() -> None:
    assert ports(read_creation(link("bond", state=PORTS))) == ["net_eth1", "net_eth2"]
    assert (wanted(read_creation(virt_functions("4"))), wanted(read_creation(virt_functions("0")))) == (4, 0)


@pytest.mark.parametrize(
    "raw, code, said",
    [
        (vlan("0"), "bad-vlan-id", "VLAN id '0' is none of 1 to 4094"),
        (vlan("4095"), "bad-vlan-id", "'4095'"),
        (link("vlan", "<lower>net_eth0</lower>"), "bad-vlan-id", "VLAN id ''"),
        (vlan(protocol="<protocol>802.1q</protocol>"), "bad-vlan-protocol", "'802.1q' is none of 802.1Q, 802.1ad"),
        (vlan(lower="eth0"), "bad-lower", "'eth0' is no interface's name"),
        (link("vlan", "<id>7</id>"), "bad-lower", "''"),
        (link("vlan", "<id>7</id><lower>net_eth0</lower>", PORTS), "bad-creation", "<state>|<port>"),
        (link("vlan", "<id>7</id><lower>net_eth0</lower>", more="<parent>net_eth0</parent>"), "bad-parent", "vlan"),
        (link("bond", "<mode>5</mode>"), "bad-bond-mode", "'5' is none of balance-rr, active-backup"),
        (link("bond", "<xmit_policy>layer2</xmit_policy>"), "bad-xmit-policy", "mode balance-rr uses no xmit_policy"),
        (link("bond", "<mode>802.3ad</mode><xmit_policy>l2</xmit_policy>"), "bad-xmit-policy", "'l2' is none of"),
        (link("bond", "<mode>broadcast</mode><lacp_rate>slow</lacp_rate>"), "bad-lacp-rate", "one in 802.3ad does"),
        (link("bond", "<mode>802.3ad</mode><lacp_rate>1</lacp_rate>"), "bad-lacp-rate", "none of slow, fast"),
        (link("bond", "<miimon>0</miimon>"), "bad-miimon", "'0' is none of 1 to 2147483647"),
        (link("bond", "<miimon>2147483648</miimon>"), "bad-miimon", "2147483648"),
        (link("bond", state="<state><port>eth1</port></state>"), "bad-port", "'eth1' is no interface's name"),
        (link("bridge", state=PORTS.replace("eth2", "eth1")), "bad-port", "port net_eth1 is named twice"),
        (link("bridge", "<stp>yes</stp>"), "bad-creation", "<stp> cannot be chosen for a new bridge"),
        (link("bridge", state="<state mtu='9000'/>"), "bad-creation", "<state> cannot be chosen"),
        (link("bridge", "<state/>"), "bad-creation", "<state> cannot be chosen"),
        (link("bridge", state="<state><feature>rx</feature></state>"), "bad-creation", "<feature> cannot be chosen"),
        (virt_functions(parent=""), "no-parent", "<parent>"),
        (virt_functions(parent="<parent>net_eth0</parent>"), "bad-parent", "'net_eth0' is no PCI function's name"),
        (virt_functions("65536"), "bad-vf-count", "'65536' is no number from 0 to 65535"),
        (virt_functions(more="<numa_node>0</numa_node>"), "bad-creation", "<numa_node> of a PCI function"),
        (b"<device><parent>pci_1</parent><capability type='pci'/></device>", "bad-vf-count", "virt_functions ''"),
        (b"<device><parent>pci_1</parent><capability type='pci'><state link_width='4' virt_functions='1'/></capability>"
         b"</device>", "bad-creation", "<state> of a PCI function"),
    ],
)  # fmt: skip
def test_what_the_document_alone_shows_is_refused_by_field_and_value(raw: bytes, code: str, said: str) -> None:
    with pytest.raises(InvalidDocument, match=said) as refusal:
        read_creation(raw)
    assert refusal.value.code == code


GUIDE = (Path(__file__).parents[2] / "docs" / "creatable.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("raw", re.findall(r"```xml\n(.*?)```", GUIDE, re.DOTALL))
def test_the_documents_of_the_guide_are_taken(raw: str) -> None:
    assert f"| `{creatable_type(read_creation(raw.encode()))}` |" in GUIDE


def test_every_class_is_in_the_guide() -> None:
    assert [type_ for type_ in CREATABLE if f"| `{type_}` |" not in GUIDE] == []
