"""Virtual ports as people ask for them, in our form, the proposal's and libvirt's, and what is wrong with some."""

import pytest
from lxml import etree

from hwcensus import document, schema
from hwcensus.creatable import check_creation, creatable_type, read_creation
from hwcensus.errors import InvalidDocument

WWNN, WWPN = "20000000c9831b9e", "10000000c9831b9e"
NORMAL = f"""\
<device>
  <parent>scsi_host5</parent>
  <capability type="scsihost">
    <capability type="fc">
      <address wwnn="{WWNN}" wwpn="{WWPN}"/>
    </capability>
  </capability>
</device>"""


def vport(address: str = "", parent: str = "", more: str = "") -> bytes:
    """In our form: attributes of the address, attributes and text of the parent, more within fc."""
    inner = f"<address {address}/>" if address else ""
    fc = f'<capability type="fc">{inner}{more}</capability>'
    return f'<device>{parent}<capability type="scsihost">{fc}</capability></device>'.encode()


def libvirts(fc: str = "", host: str = "", frame: str = "<parent>scsi_host5</parent>") -> bytes:
    capability = f"<capability type='fc_host'>{fc}</capability>"
    return f"<device>{frame}<capability type='scsi_host'>{host}{capability}</capability></device>".encode()


def wwn_elements(wwnn: str = WWNN, wwpn: str = WWPN) -> str:
    return f"<wwnn>{wwnn}</wwnn><wwpn>{wwpn}</wwpn>"


def text_of(raw: bytes) -> str:
    return document.to_bytes(read_creation(raw)).decode()


def test_the_normal_form_stays_as_it_is() -> None:
    assert text_of(NORMAL.encode()) == NORMAL
    assert creatable_type(read_creation(NORMAL.encode())) == "vport"


@pytest.mark.parametrize(
    "raw",
    [
        vport('wwpn="0x10000000C9831B9E" wwnn="20:00:00:00:C9:83:1B:9E"', "<parent> scsi_host5 </parent>"),
        libvirts(wwn_elements()),
        libvirts(wwn_elements("0x20000000c9831b9e", "0X10000000c9831b9e")),
        libvirts(f"<wwpn> {WWPN}\n</wwpn><wwnn>{WWNN}</wwnn>"),
        # As dumpxml prints a virtual adapter: what the kernel deals is left out.
        libvirts(
            f"{wwn_elements()}<fabric_wwn>1000c0ffee0000fa</fabric_wwn>",
            "<host>7</host><unique_id>6</unique_id>",
            "<name>scsi_host7</name><path>/sys/devices/x/host7</path><parent>scsi_host5</parent>",
        ),
        libvirts(f'<address wwpn="{WWPN}" wwnn="{WWNN}"/>'),
    ],
)
def test_every_form_becomes_the_normal_one(raw: bytes) -> None:
    # The order of attributes is the writer's own business elsewhere; here it stays the person's.
    expected = etree.fromstring(NORMAL, etree.XMLParser(remove_blank_text=True))
    assert etree.tostring(read_creation(raw), method="c14n") == etree.tostring(expected, method="c14n")


@pytest.mark.parametrize("raw", [vport(), libvirts(), libvirts("<wwnn/><wwpn></wwpn>"), libvirts(frame="")])
def test_names_may_be_left_to_the_collector(raw: bytes) -> None:
    assert read_creation(raw).find(".//address") is None


def test_one_name_may_be_left_to_the_collector() -> None:
    address = read_creation(libvirts(f"<wwpn>{WWPN}</wwpn>")).find(".//address")
    assert address is not None
    assert address.items() == [("wwpn", WWPN)]


@pytest.mark.parametrize(
    "parent, kept",
    [
        ('<parent wwnn="0x200000E08B9318A1" wwpn="21:00:00:e0:8b:93:18:a1"/>',
         {"wwnn": "200000e08b9318a1", "wwpn": "210000e08b9318a1"}),
        ('<parent wwpn="210000e08b9318a1">scsi_host5</parent>', {"wwpn": "210000e08b9318a1"}),
        ('<parent fabric_wwn="0x1000c0ffee0000fa"/>', {"fabric_wwn": "1000c0ffee0000fa"}),
        ('<parent identity="scsi/wwpn/210000e08b9318a1">scsi_host5</parent>',
         {"identity": "scsi/wwpn/210000e08b9318a1"}),
    ],
)  # fmt: skip
def test_the_parent_is_said_by_name_port_or_fabric(parent: str, kept: dict[str, str]) -> None:
    found = read_creation(vport(parent=parent)).find("parent")
    assert found is not None
    assert {str(key): str(value) for key, value in found.items()} == kept


@pytest.mark.parametrize(
    "raw, code, says",
    [
        (vport('wwpn="10000000c9831b9"'), "bad-wwn", "wwpn '10000000c9831b9'"),
        (vport('wwnn="10000000c9831b9g"'), "bad-wwn", "wwnn '10000000c9831b9g'"),
        (vport('wwnn="1000-0000-c983-1b9e"'), "bad-wwn", "wwnn '1000-0000"),
        (vport('wwnn=""'), "bad-wwn", "wwnn ''"),
        (vport(parent='<parent fabric_wwn="x"/>'), "bad-wwn", "parent fabric_wwn 'x'"),
        (libvirts(wwn_elements(wwpn="0x12")), "bad-wwn", "wwpn '0x12'"),
        (vport('wwpn="0000000000000000"'), "zero-wwn", "wwpn 0000000000000000"),
        (vport('wwnn="3000000000000001"'), "wrong-naa", "wwnn 3000000000000001 begins with 3"),
        (vport('wwpn="6000000000000001"'), "wrong-naa", "wwpn 6000000000000001 begins with 6"),
        (vport('wwpn="ffffffffffffffff"'), "wrong-naa", "wwpn ffffffffffffffff"),
        (vport('wwpn="1001001b32a9da4e"'), "wrong-naa", "three zeros"),
        (vport(parent='<parent wwnn="200000e08b9318a1"/>'), "bad-parent", "parent wwnn 200000e08b9318a1"),
        (vport(parent="<parent/>"), "bad-parent", "<parent> is empty"),
        (vport(parent='<parent fabric_wwn="1000c0ffee0000fa">scsi_host5</parent>'), "bad-parent", "not both"),
        (vport(more="<serial>1</serial>"), "bad-creation", "<serial>"),
        (vport(more='<vports max="4"/>'), "bad-creation", "<vports>"),
        (libvirts(host="<capability type='vport_ops'/>"), "bad-creation", "vport_ops"),
        (libvirts(wwn_elements() + f'<address wwpn="{WWPN}"/>'), "bad-creation", "given twice"),
        (libvirts(host="<capability type='fc_host'/>"), "several-capabilities", "fc, fc"),
        (b"<device><parent>scsi_host5</parent></device>", "no-capability", "without a capability"),
        (NORMAL.replace("</device>", "<capability type='net'/></device>").encode(), "several-capabilities", "net"),
        (b"<device><capability type='scsi_host'/></device>", "not-creatable", "vport (scsihost with fc)"),
        (vport(more="<wwid>1</wwid>"), "schema", "schema of command"),
    ],
)
def test_what_is_wrong_is_refused_by_its_own_code_naming_field_and_value(raw: bytes, code: str, says: str) -> None:
    with pytest.raises(InvalidDocument) as refusal:
        read_creation(raw)
    assert (refusal.value.code, says in refusal.value.message) == (code, True), refusal.value.message


def test_port_and_node_may_have_one_name() -> None:
    assert f'wwnn="{WWPN}" wwpn="{WWPN}"' in text_of(vport(f'wwnn="{WWPN}" wwpn="{WWPN}"'))


def test_a_command_names_its_parent_by_identity_only() -> None:
    head = '<command format="1" id="1" host="h" stream="s" type="create" issued="2026-11-23T14:10:55Z"' \
        ' expires="2026-11-23T14:10:55Z" by="me">'  # fmt: skip
    by_identity = vport(parent='<parent identity="scsi/wwpn/1">scsi_host5</parent>').decode()
    schema.validate(document.parse(f"{head}{by_identity}</command>".encode()), "command")
    by_port = vport(parent='<parent wwpn="210000e08b9318a1">scsi_host5</parent>').decode()
    with pytest.raises(InvalidDocument):
        schema.validate(document.parse(f"{head}{by_port}</command>".encode()), "command")


def test_an_agent_checks_the_names_of_a_command_again() -> None:
    with pytest.raises(InvalidDocument, match="zero"):
        check_creation(etree.fromstring(vport('wwpn="0000000000000000"')))
