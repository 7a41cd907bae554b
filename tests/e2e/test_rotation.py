"""Rotating the key that signs commands, by the programs, with nobody restarted."""

from collections.abc import Callable
from pathlib import Path

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
    pinned, document = tmp_path / "command-keys", tmp_path / "bridge.xml"
    line.agent["HWCENSUS_COMMANDS_KEYS"] = str(pinned)
    document.write_text(NOT_ALLOWED)

    def key(verb: str) -> str:
        done = line.run("collector", "key", verb)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def answered() -> str:
        return line.hwcensus("create", line.host, str(document), "--wait").stderr

    pinned.write_text(key("show"))
    with line.start_collector() as collector, line.start_agent() as agent:
        wait_until(line.agrees, "the census is there", collector, agent)
        assert "not-allowed" in answered()
        pinned.write_text(key("next"))
        assert "not-allowed" in answered()
        key("switch")
        assert "not-allowed" in answered()
        only_the_next = key("show").splitlines()[0]
        key("switch")
        assert "not-allowed" in answered()
        pinned.write_text(only_the_next)
        assert "unknown-key" in answered()
        key("switch")
        assert "not-allowed" in answered()
        assert key("retire").startswith(only_the_next)
        assert "not-allowed" in answered()
    assert "one-key" in line.run("collector", "key", "switch").stderr
