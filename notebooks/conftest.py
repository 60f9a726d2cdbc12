"""Bands of the tutorials: a comment `# expect: CONDITION` of a cell is held when the tutorial is tested.

    bundle.report
    # expect: 0.97 <= bundle.report.metrics["accuracy_deployed"] <= 1

In a reader's notebook it is a comment that says what to look for. Under nbval it is evaluated in the kernel after its
cell, with the names that the cells made, and has to be true. What is printed, versions and times, is never compared.
"""

from __future__ import annotations

import ast
import re
from typing import Any

EXPECT = re.compile(r"^# expect: (.+)$", re.MULTILINE)


def conditions(source: str) -> list[str]:
    """The conditions that a cell's comments state. Raises SyntaxError for one that is no Python."""
    found = EXPECT.findall(source)
    for text in found:
        ast.parse(text, mode="eval")
    return found


def held(source: str) -> str:
    """The cell with its conditions as statements at its end; a failure names the condition and the values in it."""
    return "\n".join([source, *(f"assert ({text}), {_told(text)}" for text in conditions(source))])


def _told(text: str) -> str:
    """Python for the message: the condition and, of a comparison, what its sides are that are no plain numbers."""
    tree = ast.parse(text, mode="eval").body
    sides = [tree.left, *tree.comparators] if isinstance(tree, ast.Compare) else []
    named = [ast.unparse(side) for side in sides if not isinstance(side, ast.Constant)]
    values = "".join(f" + {f'; {name} is '!r} + repr({name})" for name in named)
    return f"{f'expected {text}'!r}{values}"


def pytest_itemcollected(item: Any) -> None:
    """Hold each cell that nbval collected to its own conditions."""
    cell = getattr(item, "cell", None)
    if cell is None or not conditions(cell.source):
        return
    if item.options["check_exception"] or item.options["skip"]:
        raise ValueError(f"{item.nodeid}: a cell that may fail or is skipped holds nothing, so it can expect nothing")
    cell.source = held(cell.source)
