"""Which Learners a notebook holds, and which is the newest: watched from outside, since a Learner is fastai's own."""

from __future__ import annotations

import ast
import re
import sys
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# What IPython keeps in the namespace for itself: _ __ ___ _5 _i _i5 _ih _oh _dh In Out
IPYTHONS_OWN = re.compile(r"_+|_i*\d*|_[iod]h|In|Out")


@dataclass(frozen=True, slots=True)
class Found:
    """A Learner of the notebook: the expression that gives it, and the cell that made it (None: not known)."""

    name: str
    learn: Any
    cell: int | None

    def __str__(self) -> str:
        arch = getattr(self.learn, "arch", None)
        kind = getattr(arch, "__name__", None) or (arch if isinstance(arch, str) else type(self.learn.model).__name__)
        return f"{self.name} ({kind}, made {f'by cell {self.cell}' if self.cell else 'before %load_ext nbdeploy'})"


def is_learner(value: Any) -> bool:
    """Whether `value` is a fastai Learner; imports nothing, as there can be none before fastai is imported."""
    fastai = sys.modules.get("fastai.learner")
    return fastai is not None and issubclass(type(value), fastai.Learner)


class Watch:
    """Remembers in which order Learners were first seen in a shell's namespace and outputs."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._seen: list[tuple[weakref.ref[Any], int | None]] = []
        self._cell: int | None = None
        self._source = ""
        self._record()

    def before_cell(self, info: Any) -> None:
        """Keep the cell's number, and its text: it says which of two Learners made by one cell is the newer."""
        # Not execution_count: IPython releases differ in when they raise it.
        self._cell = len(self._shell.history_manager.input_hist_parsed)
        self._source = info.raw_cell or ""

    def after_cell(self, _result: Any = None) -> None:
        """Record the Learners that the cell made."""
        self._record()

    def learners(self) -> list[Found]:
        """The notebook's Learners, oldest first."""
        self._record()
        named = list(self._named())
        found = []
        for ref, cell in self._seen:
            names = [name for name, value in named if value is ref()]
            if names:
                found.append(Found(names[0], ref(), cell))
        return found

    def _record(self) -> None:
        self._seen = [(ref, made) for ref, made in self._seen if ref() is not None]
        known = {id(ref()) for ref, _ in self._seen}
        new = [(name, value) for name, value in self._named() if id(value) not in known]
        order = _assigned(self._shell, self._source) if len(new) > 1 else {}
        for _, value in sorted(new, key=lambda item: order.get(item[0], (0, 0))):
            if id(value) not in known:
                known.add(id(value))
                self._seen.append((weakref.ref(value), self._cell))

    def _named(self) -> Iterator[tuple[str, Any]]:
        space = self._shell.user_ns
        for name, value in list(space.items()):
            if not IPYTHONS_OWN.fullmatch(name) and is_learner(value):
                yield name, value
            elif not IPYTHONS_OWN.fullmatch(name) and is_learner(learn := tuned(value)):
                yield f"{name}.learn", learn
        for number, value in list(space.get("Out", {}).items()):
            if is_learner(value):
                yield f"Out[{number}]", value
            elif is_learner(learn := tuned(value)):
                yield f"Out[{number}].learn", learn


def tuned(value: Any) -> Any:
    """The Learner of a Tuning; None of anything else."""
    kind = getattr(sys.modules.get("nbdeploy.tuning.result"), "Tuning", None)
    return value.learn if kind is not None and isinstance(value, kind) else None


def _assigned(shell: Any, source: str) -> dict[str, tuple[int, int]]:
    """Where each name was last assigned in a cell: (line, column)."""
    try:
        tree = ast.parse(shell.transform_cell(source))
    except SyntaxError:
        return {}
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    return {node.id: (node.lineno, node.col_offset) for node in sorted(names, key=lambda n: (n.lineno, n.col_offset))}
