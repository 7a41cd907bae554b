"""The pages in docs/ name everything that is there: every path of the API, every table."""

from pathlib import Path

from hwcensus_collector import tables
from hwcensus_collector.api.app import create_app
from hwcensus_collector.database import open_engine
from hwcensus_collector.settings import CollectorSettings

DOCS = Path(__file__).parents[2] / "docs"


def test_every_path_of_the_api_is_on_the_page(sqlite_url: str) -> None:
    app = create_app(open_engine(sqlite_url), CollectorSettings())
    page = DOCS.joinpath("inventory.md").read_text().replace("{name}", "{device}").replace("{id}", "{command}")
    page = page.replace("…/abandon", "/v1/commands/{command}/abandon")
    assert [path for path in app.openapi()["paths"] if f"{path}`" not in page] == []


def test_every_table_is_on_the_page() -> None:
    page = DOCS.joinpath("inventory.md").read_text()
    assert (
        sorted(
            set(tables.metadata.tables) - {"feed"} - {name for name in tables.metadata.tables if f"`{name}`" in page}
        )
        == []
    )
