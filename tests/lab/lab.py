"""The lab: a guest, the real agent in it, and what that tells, put to the test.

lab.guest("ip link add hwc0 type bridge")
lab.hears("add net_hwc0")           # this comes, in this order, and nothing else
lab.census["net_hwc0"].facts["bridge.stp"]
"""

import itertools
import time
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from tests.lab.guest import Guest
from tests.lab.listener import Known, Listener, Told

SECONDS = 120.0
AGENT_SECONDS = 240.0  # Python's imports, emulated
SETTINGS = {
    "HWCENSUS_KAFKA_EVENTS_TOPIC": "events",
    "HWCENSUS_KAFKA_COMMANDS_TOPIC": "commands",
    "HWCENSUS_RUNTIME": "/run/hwcensus",
    "HWCENSUS_SPOOL_PATH": "/run/hwcensus/spool.db",
    "HWCENSUS_PUBLISHER_HEARTBEAT_S": "0.3",  # each test ends with one
    "HWCENSUS_CENSUS_DAMP_CHANGES": "1000000",  # or our marks would wait
    "HWCENSUS_LOG_LEVEL": "DEBUG",
}


class Lab:
    """One guest with one agent that has told its whole census."""

    def __init__(
        self, guest: Guest, listener: Listener, bootstrap: str, settings: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """`settings` are the agent's, beside those that all agents of the lab have."""
        self.guest, self.listener = guest, listener
        self.settings = SETTINGS | {"HWCENSUS_KAFKA_BOOTSTRAP_SERVERS": bootstrap, **settings}
        self._heard = 0
        self.told_s = 0.0  # how long the agent took to tell its census
        self._marks = itertools.count(60000)

    def start_agent(self) -> None:
        """Returns when it has told all it sees."""
        settings = " ".join(f"{name}={value}" for name, value in self.settings.items())
        run = self.guest.python("-m", "hwcensus_agent.main", "run")
        self.starts(
            lambda: self.guest(
                f"(env {settings} {run} & echo $! >/run/agent.pid; ended=0; wait $! || ended=$?; "
                "echo it ended: $ended) >/lab/agent.log 2>&1 &"
            )
        )

    def starts(self, agent: Callable[[], object]) -> None:
        """The same of an agent that this starts."""
        begun, started = len(self.listener.hellos), time.monotonic()
        (self.guest.folder / "agent.log").write_text("")
        agent()

        def is_told() -> bool:
            assert "it ended: " not in self._log(), "the agent ended"
            return len(self.listener.hellos) > begun and self.listener.agrees()

        self._wait(is_told, "its census", seconds=AGENT_SECONDS)
        self.listener.hears_again = False
        self._heard = len(self.listener.told)
        self.told_s = time.monotonic() - started

    def settle(self) -> set[str]:
        """The same as `begin`, when the agent has told of all that was done behind the test's back."""
        self._mark()
        return self.begin()

    def begin(self) -> set[str]:
        """What is heard from here on is the test's. Gives the identities there are."""
        self._catch_up()
        self._heard = len(self.listener.told)
        return {known.identity for known in self.census.values()}

    def end(self) -> set[str]:
        """The identities there are, now that nothing more was heard and the agent's own digests agree with all that."""
        self._catch_up()
        late = [str(one) for one in self._news() if one.what != "state"]
        assert not late, f"nobody expected {late}"
        return {known.identity for known in self.census.values()}

    def stop_agent(self) -> None:
        """A clean stop."""
        self.guest("kill $(cat /run/agent.pid); until grep -q 'it ended: 0' /lab/agent.log; do sleep 0.1; done")

    def agent_was_killed(self) -> None:
        """Until one is started again, what is sent twice counts once."""
        self.listener.hears_again = True

    @property
    def census(self) -> dict[str, Known]:
        """Name → device, as told so far."""
        return self.listener.census

    def hears(self, *expected: str | set[str]) -> list[Told]:
        """Waits for these events, and for the proof that no other comes; gives them. A set comes in any order.

        Events in which only state differs count where they are expected: how many a link that comes up makes is a
        matter of time.
        """
        wanted = sum(1 if isinstance(one, str) else len(one) for one in expected)

        def told() -> list[Told]:
            return [one for one in self._news() if _counts(one, expected)]

        self._wait(lambda: len(told()) >= wanted, f"{expected}")
        self._mark()
        news = told()
        self._heard = len(self.listener.told)
        came = _grouped(news, expected)
        assert came == list(expected), f"not {expected}, but\n{came}\n--- the agent's log:\n{self._log()}"
        return news

    def hears_steps(self, device: str, *others: str, **facts: object) -> list[Told]:
        """The same where a device comes to these facts in steps, of which a look may see one or all, while others are
        told of once, in any order. Gives what was told of the device."""
        self.sees(device, **facts)
        self._wait(lambda: set(others) <= {str(one) for one in self._news()}, f"{others}")
        self._mark()
        news = [one for one in self._news() if one.what != "state" or one.device.name == device]
        self._heard = len(self.listener.told)
        assert sorted(str(one) for one in news if one.device.name != device) == sorted(others)
        return [one for one in news if one.device.name == device]

    def sees(self, device: str, **facts: object) -> Known:
        """Waits until a device has these facts or this state, None for those it has not; double underscores stand for
        dots."""
        wanted = {path.replace("__", "."): value for path, value in facts.items()}

        def met() -> bool:
            known = self.census.get(device)
            told = {} if known is None else {**known.facts, **known.state}
            return known is not None and all(told.get(path) == value for path, value in wanted.items())

        self._wait(met, f"{device} with {wanted}")
        return self.census[device]

    def finds(self, identity: str) -> str:
        """Waits until there is a device of this identity; gives its name, which the kernel dealt."""

        def names() -> list[str]:
            return [name for name, known in self.census.items() if known.identity == identity]

        self._wait(lambda: bool(names()), identity)
        return names()[0]

    def _news(self) -> list[Told]:
        return [one for one in self.listener.told[self._heard :] if one.device.name != "net_lo"]

    def _catch_up(self) -> None:
        self.listener.catch_up()
        self._wait(self.listener.agrees, "a heartbeat after all that was told")

    def _mark(self) -> None:
        """Makes a change of which the agent tells after all that it heard before: what waits for quiet waits no longer
        than the mark does. (With it, rather, of what is looked at in one go: that is seen at the test's end at latest.)
        """
        mtu = next(self._marks)
        # Once more where udevd breaks off the first ping of its control socket, which it does now and then (EPIPE).
        self.guest(f"{{ udevadm settle || udevadm settle; }} && ip link set lo mtu {mtu}")
        self._wait(lambda: self.census["net_lo"].state.get("net.mtu") == mtu, "the mark")

    def _wait(self, met: Callable[[], bool], what: str, *, seconds: float = SECONDS) -> None:
        try:
            self.listener.wait(met, what, seconds=seconds)
        except AssertionError as error:
            heard = "\n".join(map(str, self._news()))
            raise AssertionError(f"{error}\n--- heard:\n{heard}\n--- the agent's log:\n{self._log()}") from None

    def _log(self) -> str:
        return (self.guest.folder / "agent.log").read_text(errors="replace")[-3000:]


def _counts(told: Told, expected: Iterable[str | set[str]]) -> bool:
    named = {name for one in expected for name in ([one] if isinstance(one, str) else one)}
    return told.what != "state" or str(told) in named


def _grouped(news: list[Told], expected: Iterable[str | set[str]]) -> list[str | set[str]]:
    """The news in the shape of what is expected; the rest behind."""
    texts = [str(one) for one in news]
    found: list[str | set[str]] = []
    for one in expected:
        taken = texts[: 1 if isinstance(one, str) else len(one)]
        del texts[: len(taken)]
        found += taken if isinstance(one, str) else [set(taken)]
    return [*found, *texts]
