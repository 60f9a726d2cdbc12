"""The figures of cells and lines are those that the program counts."""

from __future__ import annotations

from pathlib import Path

from benchmarks.lines import PEERS, quickstart


def test_the_page_shows_what_is_counted_and_where(root: Path) -> None:
    page = (root / "docs" / "figures.md").read_text(encoding="utf-8")
    own = quickstart()
    assert f"| 4 | 7 | {own.begins_with} |".replace("4", str(own.cells)).replace("7", str(own.statements)) in page
    for way in PEERS:
        row = next(line for line in page.splitlines() if f"[{way.name}]" in line)
        assert [str(way.cells or "-"), str(way.statements)] == [cell.strip() for cell in row.split("|")[2:4]]
        assert way.source in row
