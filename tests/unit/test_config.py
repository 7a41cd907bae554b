"""Settings: where a value comes from, and how a wrong one is refused."""

import argparse
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from hwcensus.config import add_flags, load, section, setting, settings_of, show
from hwcensus.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Kafka:
    servers: tuple[str, ...] = setting(("localhost:9092",), "brokers")
    ca_file: Path | None = setting(None, "certificates")
    password: str | None = setting(None, "password", secret=True)
    compression: str = setting("gzip", "compression", choices=("none", "gzip"))


@dataclass(frozen=True, kw_only=True)
class Census:
    window: float = setting(0.2, "seconds to wait for more hints")
    include: tuple[str, ...] = setting((), "more subsystems")
    damp: bool = setting(True, "damp 100 % of the noisy")


@dataclass(frozen=True, kw_only=True)
class Program:
    spool: Path = setting(Path("/var/lib/x"), "where the spool is")
    limit: int = setting(64, "MiB")
    kafka: Kafka = section(Kafka)
    census: Census = section(Census)


def settle(
    *argv: str, toml: str | None = None, tmp_path: Path | None = None, **environ: str
) -> tuple[Program, dict[str, str]]:
    parser = argparse.ArgumentParser()
    add_flags(parser, Program)
    files = []
    if toml is not None:
        assert tmp_path is not None
        files = [tmp_path / "agent.toml"]
        files[0].write_text(toml)
    return load(Program, program="agent", argv_values=vars(parser.parse_args(argv)), environ=environ, files=files)


def test_without_any_source_the_defaults_hold() -> None:
    settings, origins = settle()

    assert settings == Program()
    assert set(origins.values()) == {"default"}


def test_every_type_is_read_from_a_file(tmp_path: Path) -> None:
    settings, origins = settle(
        toml="""
            spool = "/s"
            limit = 5
            [kafka]
            servers = ["a:1", "b:2"]
            ca_file = "/ca"
            [census]
            window = 1
            damp = false
        """,
        tmp_path=tmp_path,
    )

    assert settings.spool == Path("/s")
    assert settings.limit == 5
    assert settings.kafka == Kafka(servers=("a:1", "b:2"), ca_file=Path("/ca"))
    assert settings.census == Census(window=1.0, damp=False)
    assert origins["kafka.servers"] == str(tmp_path / "agent.toml")
    assert origins["kafka.password"] == "default"


def test_a_flag_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    toml = "limit = 1\n[census]\nwindow = 1.5\n[kafka]\ncompression = 'none'\n"
    environ = {"HWCENSUS_LIMIT": "2", "HWCENSUS_CENSUS_WINDOW": "2.5"}
    settings, origins = settle("--limit", "3", toml=toml, tmp_path=tmp_path, **environ)

    assert (settings.limit, settings.census.window, settings.kafka.compression) == (3, 2.5, "none")
    assert origins["limit"] == "--limit"
    assert origins["census.window"] == "HWCENSUS_CENSUS_WINDOW"


def test_lists_are_comma_separated_in_environment_and_flags() -> None:
    settings, _ = settle("--census-include", "net:veth, tty,", HWCENSUS_KAFKA_SERVERS="a:1,b:2")

    assert settings.census.include == ("net:veth", "tty")
    assert settings.kafka.servers == ("a:1", "b:2")


@pytest.mark.parametrize("argv,expected", [([], True), (["--census-damp"], True), (["--no-census-damp"], False)])
def test_a_switch_has_a_flag_for_either_way(argv: list[str], expected: bool) -> None:
    assert settle(*argv)[0].census.damp is expected


def test_an_empty_text_unsets_what_may_be_unset() -> None:
    assert settle("--kafka-ca-file", "", HWCENSUS_KAFKA_PASSWORD="")[0].kafka == Kafka()


@pytest.mark.parametrize(
    "toml,message",
    [
        ("[kafka]\nserver = []", "there is no setting kafka.server; did you mean kafka.servers?"),
        ("[kafak]\nservers = []", "there is no setting kafak; did you mean kafka?"),
        ("zzz = 1", "there is no setting zzz"),
        ("kafka = 1", "kafka is a section: write [kafka]"),
        ("limit = '5'", "limit: must be a whole number"),
        ("limit = true", "limit: must be a whole number"),
        ("spool = 5", "spool: must be a path"),
        ("[census]\nwindow = '1'", "census.window: must be a number"),
        ("[census]\nwindow = inf", "census.window: must be a number"),
        ("[census]\ndamp = 1", "census.damp: must be true or false"),
        ("[census]\ninclude = 'net'", "census.include: must be a list of strings"),
        ("[census]\ninclude = [1]", "census.include: must be a list of strings"),
        ("[kafka]\ncompression = 'zip'", "kafka.compression: must be one of none, gzip"),
        ("limit = ", "cannot be read"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name_and_what_is_expected(tmp_path: Path, toml: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settle(toml=toml, tmp_path=tmp_path)

    assert str(caught.value).startswith(str(tmp_path / "agent.toml"))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "variable,text,message",
    [
        ("HWCENSUS_LIMIT", "many", "HWCENSUS_LIMIT: must be a whole number"),
        ("HWCENSUS_CENSUS_DAMP", "maybe", "HWCENSUS_CENSUS_DAMP: must be true or false"),
        ("HWCENSUS_KAFKA_COMPRESSION", "zip", "HWCENSUS_KAFKA_COMPRESSION: must be one of none, gzip"),
        ("HWCENSUS_KAFKA_SERVER", "a:1", "no setting HWCENSUS_KAFKA_SERVER; did you mean HWCENSUS_KAFKA_SERVERS?"),
    ],
)
def test_a_wrong_variable_is_refused(variable: str, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match="HWCENSUS") as caught:
        load(Program, program="agent", argv_values={}, environ={variable: text}, files=[])

    assert message in str(caught.value)


def test_variables_outside_our_sections_are_not_ours_to_refuse() -> None:
    settings, _ = settle(HWCENSUS_REQUIRE="all", HWCENSUS_TOKEN="x", KAFKA_SERVERS="y")

    assert settings == Program()


def test_a_wrong_flag_is_refused_without_showing_the_value() -> None:
    with pytest.raises(ConfigError, match=r"^--limit: must be a whole number$"):
        settle("--limit", "secret")


def test_what_is_no_text_is_refused_without_showing_the_value_but_for_a_path() -> None:
    for given in (("--kafka-password", "hunter\udcff"), ("--kafka-servers", "a,\udcff")):
        with pytest.raises(ConfigError, match=rf"^{given[0]}: must be text in [a-z0-9-]+, your locale's encoding$"):
            settle(*given)
    with pytest.raises(ConfigError, match=r"^HWCENSUS_KAFKA_PASSWORD: must be text"):
        settle(HWCENSUS_KAFKA_PASSWORD="hunter\udcff")
    assert settle("--spool", "/s\udcff", HWCENSUS_KAFKA_CA_FILE="/ca\udcff")[0] == Program(
        spool=Path("/s\udcff"), kafka=Kafka(ca_file=Path("/ca\udcff"))
    )


def test_a_named_file_that_is_missing_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"/nowhere\.toml: cannot be read"):
        load(Program, program="agent", argv_values={"config": "/nowhere.toml"}, environ={})


def test_the_usual_file_may_be_missing() -> None:
    settings, _ = load(Program, program="no-such-program", argv_values={"config": None}, environ={})

    assert settings == Program()


def test_what_is_shown_is_toml_that_reads_back_the_same(tmp_path: Path) -> None:
    settings, origins = settle("--kafka-ca-file", '/a "b"\\c\x7f', "--census-include", "a,b", "--no-census-damp")
    shown = show(settings, origins)

    assert "# --census-include" in shown
    assert "# password is not set" in shown
    assert settle(toml=shown, tmp_path=tmp_path)[0] == settings


def test_a_secret_is_never_shown() -> None:
    shown = show(*settle(HWCENSUS_KAFKA_PASSWORD="hunter2"))

    assert "hunter2" not in shown
    assert tomllib.loads(shown)["kafka"]["password"] == "***"


def test_every_setting_of_a_definition_is_listed() -> None:
    listed = {one.dotted: (one.variable, one.flag, one.expected) for one in settings_of(Program)}

    assert len(listed) == 9
    assert listed["kafka.ca_file"] == ("HWCENSUS_KAFKA_CA_FILE", "--kafka-ca-file", "a path")


def test_a_type_that_no_setting_can_have_is_a_mistake_of_the_definition() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Wrong:
        ports: list[int] | None = setting(None, "not possible")

    with pytest.raises(TypeError, match="list"):
        list(settings_of(Wrong))


def test_the_help_of_a_flag_may_hold_a_percent_sign() -> None:
    parser = argparse.ArgumentParser()
    add_flags(parser, Program)

    assert "damp 100 % of the noisy" in parser.format_help()
