"""What has no device of the kernel's: memory modules, and processors whose CPUs are switched off and on."""

from tests.lab.lab import Lab

CPU = "/sys/devices/system/cpu/cpu1/online"


def test_memory_and_processors_are_what_the_guest_was_made_with(lab: Lab) -> None:
    module, computer = lab.census["dimm_0"].facts, lab.census["computer"].facts
    assert (module["dimm.locator"], module["dimm.manufacturer"]) == ("DIMM 0", "QEMU")
    assert module["dimm.size"] == computer["system.memory"] == 1 << 30
    assert computer["system.hardware.vendor"] == "QEMU"
    threads = [known.facts["processor.threads"] for name, known in lab.census.items() if name.startswith("processor_")]
    assert threads in ([2], [1, 1])


def test_a_cpu_that_is_switched_off_and_on_is_a_change_of_state(lab: Lab) -> None:
    assert lab.census["processor_0"].state["processor.online"] == 2
    lab.guest(f"echo 0 >{CPU}")
    lab.hears("state processor_0")
    off = lab.census["processor_0"]
    assert (off.state["processor.online"], off.facts["processor.threads"], off.facts["processor.cores"]) == (1, 2, 2)
    lab.guest(f"echo 1 >{CPU}")
    lab.hears("state processor_0")
    assert lab.census["processor_0"].state["processor.online"] == 2
