"""What the agent's settings refuse."""

import argparse

import pytest

from hwcensus.config import add_flags, load
from hwcensus.errors import ConfigError
from hwcensus_agent.settings import AgentSettings


@pytest.mark.parametrize("flag", ["--census-read-limit-s", "--census-recheck-s", "--publisher-heartbeat-s"])
@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf"])
def test_seconds_that_are_none_are_refused(flag: str, seconds: str) -> None:
    parser = argparse.ArgumentParser()
    add_flags(parser, AgentSettings)
    with pytest.raises(ConfigError, match=r"must be a number|must be above 0"):
        load(
            AgentSettings,
            program="agent",
            argv_values=vars(parser.parse_args([f"{flag}={seconds}"])),
            environ={},
            files=[],
        )
