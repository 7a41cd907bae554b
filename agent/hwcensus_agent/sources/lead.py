"""Which source leads this host: udev where it runs, HAL where only that runs, or the one that the settings name."""

from pathlib import Path

from hwcensus_agent.hal.devices import HalDevices
from hwcensus_agent.settings import CensusSettings
from hwcensus_agent.sources.source import LeadingSource
from hwcensus_agent.sources.udev import UdevSource, wanted_group

#: Where system buses listen: D-Bus specification, "System message bus"; the first is of before 2011.
SYSTEM_BUS = (Path("/var/run/dbus/system_bus_socket"), Path("/run/dbus/system_bus_socket"))


async def find_lead(settings: CensusSettings, hal: HalDevices) -> LeadingSource:
    """The source, not started; HAL's has asked already, and filled `hal`.

    Named in the settings HAL leads even while it does not work; by itself only where there is a hald and no udevd.
    """
    if settings.source == "hal" or (settings.source == "auto" and _may_have_hal(settings)):
        # Imported where HAL may lead: it brings the D-Bus client.
        from hwcensus_agent.sources.hal import HalSource

        source = HalSource(settings.hal_address or None, hal)
        await source.connect()
        if source.works or settings.source == "hal":
            return source
        source.close()
    return UdevSource()


def _may_have_hal(settings: CensusSettings) -> bool:
    if settings.hal_address:
        return True
    return settings.sysroot == "/sys" and wanted_group() == "kernel" and any(path.exists() for path in SYSTEM_BUS)
