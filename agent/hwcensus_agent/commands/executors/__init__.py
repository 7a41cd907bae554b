"""What can be made and taken away, one executor a class, and moved between drivers, one binder a bus: adding one is a
file and a line here."""

from hwcensus_agent.commands.executors.binder import Binder
from hwcensus_agent.commands.executors.bridge import BridgeExecutor
from hwcensus_agent.commands.executors.executor import Executor

#: Creatable type (hwcensus.creatable) → executor.
EXECUTORS: dict[str, Executor] = {
    executor.creates: executor
    for executor in (
        BridgeExecutor(),
    )
}  # fmt: skip

#: Subsystem → binder.
BINDERS: dict[str, Binder] = {}
