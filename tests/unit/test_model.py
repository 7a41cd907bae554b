"""What only a new model knows is redescribed: after an upgrade of the agent or the kernel, after a change of source."""

from dataclasses import replace
from pathlib import Path

import pytest

from hwcensus_agent.census import Census
from hwcensus_agent.model import Model
from hwcensus_agent.spool import Spool
from tests.unit.test_census import bridge, glance

NOW = Model(facts={"bridge.stp": "sysfs: `stp`", "net.address": "sysfs: `address`"}, kernel="6.1", source="udev")
FORMER = replace(NOW, facts={"net.address": "sysfs: `address`"})


def test_the_model_of_this_agent_has_the_facts_of_its_describers_and_a_digest_of_them() -> None:
    model = Model.of("udev")
    assert {"bridge.stp", "pci.vendor", "system.kernel", "80203"} <= model.facts.keys()
    assert "address" in model.facts["net.address"]
    assert model.digest == Model.of("hal").digest
    fewer = {path: where for path, where in model.facts.items() if path != "bridge.stp"}
    elsewhere = {**model.facts, "bridge.stp": "udev: `STP`"}
    assert len({replace(model, facts=facts).digest for facts in (model.facts, fewer, elsewhere)}) == 3


def test_the_spool_remembers_by_which_model_it_was_told(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db", limit=1 << 20)
    assert Model.remembered(spool) is None
    NOW.remember(spool)
    assert Model.remembered(spool) == NOW
    spool.close()


@pytest.mark.parametrize(
    "former, unknown",
    [
        (None, set()),
        (NOW, set()),
        (FORMER, {"bridge.stp"}),
        (replace(NOW, facts={**NOW.facts, "bridge.stp": "udev: `STP`"}), {"bridge.stp"}),
        (replace(NOW, facts={**NOW.facts, "bridge.gone": "sysfs: `gone`"}), {"bridge.gone"}),
        (replace(NOW, kernel="5.10"), {"net.address"}),
        (replace(NOW, source="hal"), set()),
    ],
)
def test_a_model_did_not_know_what_it_did_not_read_there_nor_what_its_kernel_showed_of_nothing(
    former: Model | None, unknown: set[str]
) -> None:
    assert NOW.unknown_to(former, [bridge("br0")]) == unknown


def test_a_device_that_differs_only_in_what_was_unknown_is_redescribed_and_another_is_not() -> None:
    census = Census({})
    census.see(glance(bridge("br0"), bridge("br1")))
    news = census.see(glance(bridge("br0", stp=True), bridge("br1", mtu=9000), unknown=frozenset({"bridge.stp"})))
    assert [(one.sight.name, one.kind, one.changed) for one in news] == [
        ("net_br0", "redescribed", ("bridge.stp",)),
        ("net_br1", "state", ("net.mtu",)),
    ]
    (later,) = census.see(glance(bridge("br0"), bridge("br1", mtu=9000)))
    assert later.kind == "facts"
