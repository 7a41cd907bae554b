"""Virtual Fibre Channel ports of the lab's adapters: how they are ordered, and what the kernel says of them."""

from tests.lab.lab import Lab

PARENT, PARENT_WWPN, FABRIC = "scsi_host1", "200002fc00000000", "1000c0ffee0000fa"
OTHER = "scsi_host2"
WWPN = "2001001b32a9da4e"
#: Of a further adapter, which a test makes and takes away again.
SPARE = "scsi_host3"
VPORT = """\
<device>
  <parent>{parent}</parent>
  <capability type="scsihost">
    <capability type="fc"><address wwnn="{wwnn}" wwpn="{wwpn}"/></capability>
  </capability>
</device>
"""
#: What a test that failed has left. It says what it takes away.
LEFT = """\
for port in /sys/class/fc_vports/*; do
    [ -e $port ] || continue
    names=$(cat $port/port_name $port/node_name | sed 's/^0x//' | paste -sd:)
    echo $names | tee $port/device/../fc_host/host*/vport_delete
done
for spare in /sys/devices/virtual/net/fc[23]/ctlr_*; do
    [ ! -e $spare ] || echo $spare | cut -d/ -f6 | tee /sys/bus/fcoe/ctlr_destroy
done
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
