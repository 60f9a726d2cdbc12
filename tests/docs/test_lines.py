"""The figures of cells and lines are those that the program counts."""

from __future__ import annotations

from pathlib import Path

from benchmarks.lines import PEERS, quickstart, table


def test_the_page_shows_the_table_that_the_program_prints(root: Path) -> None:
    assert "\n".join(table()) in (root / "docs" / "figures.md").read_text(encoding="utf-8")


def test_the_readme_says_the_same_of_the_quickstart(root: Path) -> None:
    own = quickstart()
    said = f"phone bundle: {own.cells} cells, {own.statements} statements"
    assert said in (root / "README.md").read_text(encoding="utf-8")


def test_every_peer_names_the_version_that_was_counted() -> None:
    assert all(
        way.read.removeprefix("commit ") in way.source if "github.com" in way.source else "read on" in way.read
        for way in PEERS
    )
