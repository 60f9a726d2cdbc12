"""``accuracy > .9 and arch == 'resnet18'``: a small language of conditions. It is read, never run as Python."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Collection, Mapping
from typing import Any

from nbdeploy.errors import UnknownName, UsageError

_LONGEST = 1000
_HINT = "Example: accuracy > .9 and arch == 'resnet18'"
_COMPARED: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}


class Where:
    """A condition on named values: names, numbers, text in quotes, lists, ``== != < <= > >= in``, ``and or not``.

    A value that is not there fulfils no comparison. Raises UsageError for anything else.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        if len(text) > _LONGEST:
            raise UsageError("The condition is too long.", hint=_HINT)
        try:
            self._tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise UsageError(f"{text!r} is no condition.", hint=_HINT) from error
        self.names = _names(self._tree)

    def check(self, known: Collection[str], texts: Collection[str] = ()) -> None:
        """Raise UnknownName for a name that is none of the `known` ones; `texts` are values that stand in quotes."""
        for name in sorted(self.names - set(known)):
            if name in texts:
                hint = f"Text stands in quotes: '{name}'"
                raise UnknownName("parameter or metric", name, known, note=hint)
            raise UnknownName("parameter or metric", name, {one for one in known if "." not in one})

    def __call__(self, values: Mapping[str, Any]) -> bool:
        return bool(_value(self._tree, values))


def _names(tree: ast.expr) -> set[str]:
    if isinstance(tree, ast.BoolOp):
        return set().union(*map(_names, tree.values))
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not | ast.USub):
        return _names(tree.operand)
    if isinstance(tree, ast.Compare) and all(type(op) in _COMPARED for op in tree.ops):
        return _names(tree.left).union(*map(_names, tree.comparators))
    if isinstance(tree, ast.List | ast.Tuple):
        return set().union(*map(_names, tree.elts))
    if isinstance(tree, ast.Constant) and isinstance(tree.value, str | int | float | bool | None):
        return set()
    if (name := _dotted(tree)) is not None:
        return {name}
    raise UsageError(f"{ast.unparse(tree)!r} cannot stand in a condition.", hint=_HINT)


def _dotted(tree: ast.expr) -> str | None:
    if isinstance(tree, ast.Name):
        return tree.id
    if isinstance(tree, ast.Attribute) and (before := _dotted(tree.value)) is not None:
        return f"{before}.{tree.attr}"
    return None


def _value(tree: ast.expr, values: Mapping[str, Any]) -> Any:
    if isinstance(tree, ast.BoolOp):
        parts = (bool(_value(part, values)) for part in tree.values)
        return all(parts) if isinstance(tree.op, ast.And) else any(parts)
    if isinstance(tree, ast.UnaryOp):
        inner = _value(tree.operand, values)
        if isinstance(tree.op, ast.Not):
            return not inner
        return -inner if isinstance(inner, int | float) else None
    if isinstance(tree, ast.Compare):
        sides = [_value(side, values) for side in (tree.left, *tree.comparators)]
        return all(
            _holds(_COMPARED[type(op)], sides[at], sides[at + 1], tree.comparators[at])
            for at, op in enumerate(tree.ops)
        )
    if isinstance(tree, ast.List | ast.Tuple):
        return [_value(one, values) for one in tree.elts]
    return tree.value if isinstance(tree, ast.Constant) else values.get(_dotted(tree) or "")


def _holds(compare: Callable[[Any, Any], Any], left: Any, right: Any, written: ast.expr) -> bool:
    asks_for_nothing = isinstance(written, ast.Constant) and written.value is None
    if (left is None or right is None) and not asks_for_nothing:
        return False
    try:
        return bool(compare(left, right))
    except TypeError:  # a number and a text
        return False
