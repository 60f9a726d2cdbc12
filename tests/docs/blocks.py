"""The blocks of code that README and docs show: where they stand, what they are, and why one is not run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

NOT_RUN = re.compile(r"<!-- not run: (.+?) -->", re.DOTALL)
TOOLS = {"./gradlew", "apt", "brew", "build/classify", "cmake", "conda", "curl", "docker", "git", "gradle", "jupyter"}
SHELL = TOOLS | {"make", "nbdeploy", "pip", "python"}
"""The words that a line of a terminal begins with."""
PYTHON = re.compile(r"^\s*(%\w|\w+ = %\w|import |from \w|class |insist\(|\w+ = nd\.|nd\.)", re.MULTILINE)
KINDS = {"bash": "shell", "python": "python"}


@dataclass(frozen=True)
class Block:
    """One block: `kind` is shell, python or text; `why_not` is empty where it has to run."""

    page: str
    line: int
    kind: str
    text: str
    why_not: str = ""

    @property
    def place(self) -> str:
        """Where a person finds it."""
        return f"{self.page}:{self.line}"

    @property
    def lines(self) -> list[str]:
        """Its commands of the terminal, without comments; a line that ends in a backslash goes on."""
        joined = self.text.replace("\\\n", " ")
        found = (re.sub(r"\s+#.*$", "", line).strip() for line in joined.splitlines())
        return [line for line in found if line and not line.startswith("#")]


def blocks(text: str, page: str) -> list[Block]:
    """Every block of a page, in order; a comment `<!-- not run: why -->` right before it says why it is not run."""
    found, why = [], ""
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type in {"fence", "code_block"}:
            line = token.map[0] + 1 if token.map else 0
            found.append(Block(page, line, _kind(token.info.strip(), token.content), token.content, why))
            why = ""
        elif token.type == "html_block" and (said := NOT_RUN.search(token.content)):
            why = " ".join(said[1].split())
        elif token.type not in {"list_item_open", "list_item_close", "bullet_list_close", "ordered_list_close"}:
            why = ""
    return found


def pages(root: Path) -> list[Path]:
    """README and every page of docs, README first: what it makes the others use."""
    return [root / "README.md", *sorted((root / "docs").rglob("*.md"))]


def spans(text: str) -> Iterator[str]:
    """The pieces of code within sentences."""
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        yield from (child.content for child in token.children or () if child.type == "code_inline")


def _kind(info: str, text: str) -> str:
    if info:
        return KINDS.get(info, "text")
    if text.split(maxsplit=1)[0] in SHELL:
        return "shell"
    return "python" if PYTHON.search(text) else "text"
