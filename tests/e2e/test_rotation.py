"""Rotating the key that signs commands, by the programs, with nobody restarted."""

from collections.abc import Callable
from pathlib import Path

from hwcensus.client import Client
from tests.fixtures.kafka import Kafka, Topics
from tests.fixtures.line import Line, wait_until

#: The policy of the line does not allow it: who is told so has proved who he is.
NOT_ALLOWED = (
    '<device><capability type="net"><interface>br0</interface><capability type="bridge"/></capability></device>'
)


def test_agents_obey_the_next_key_when_they_pin_it_and_the_old_one_until_they_do_not(
    tmp_path: Path, kafka: Kafka, kafka_topics: Callable[..., Topics], sqlite_url: str
) -> None:
    line = Line(tmp_path / "line", kafka.bootstrap, kafka_topics(), sqlite_url)
    pinned = tmp_path / "command-keys"
    line.agent["HWCENSUS_COMMANDS_KEYS"] = str(pinned)

    def key(verb: str) -> str:
        done = line.run("collector", "key", verb)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def answered() -> str | None:
        with Client(line.url) as client:
            return client.host(line.host).create_device(NOT_ALLOWED).wait().code

    pinned.write_text(key("show"))
    with line.start_collector() as collector, line.start_agent() as agent:
        wait_until(line.agrees, "the census is there", collector, agent)
        pinned.write_text(key("next"))
        assert answered() == "not-allowed"
        only_the_next = key("switch").splitlines()[0]
        assert answered() == "not-allowed"
        pinned.write_text(only_the_next)
        key("switch")
        assert answered() == "unknown-key"
        key("switch")
        assert key("retire").startswith(only_the_next)
        assert answered() == "not-allowed"
