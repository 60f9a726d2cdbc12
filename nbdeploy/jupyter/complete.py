"""Completion of the magics' options, values and model names, read off the same parsers that parse them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from IPython.core.completer import SimpleCompletion, context_matcher

from nbdeploy.jupyter.learners import Watch
from nbdeploy.options import MAGICS, add_options
from nbdeploy.parsing import Named, Parser
from nbdeploy.pipeline.offering import offered_keys

_MAGIC = re.compile(rf"(?:^|=)\s*%({'|'.join(name for name, one in MAGICS.items() if not one.cell)})\s+(.*)$")
_CELL = re.compile(rf"^%%({'|'.join(name for name, one in MAGICS.items() if one.cell)})\s+([^\n]*)$")
_BODY = re.compile(r"^%%pipeline\b[^\n]*\n(.*)$", re.DOTALL)


def make_matcher(watch: Watch) -> Callable[[Any], Any]:
    """The matcher of one shell, to be put among its completer's `custom_matchers`."""

    def matcher(context: Any) -> Any:
        text = ""
        if context.full_text.startswith("%%"):
            above = context.full_text.split("\n")[: context.cursor_line]
            text = "\n".join([*above, context.text_until_cursor])
        if body := _BODY.match(text):
            return _completions(*offered_keys(body[1]))
        found = _CELL.match(text) or _MAGIC.search(context.text_until_cursor)
        if not found:
            return {"completions": [], "suppress": False}
        words = re.split(r"[\s=]+", found[2])
        return _completions(_offer(found[1], words, watch), words[-1])

    marked: Callable[[Any], Any] = context_matcher(identifier="nbdeploy")(matcher)
    return marked


def _completions(names: Iterable[str], begun: str) -> dict[str, Any]:
    offered = [name for name in names if name.startswith(begun)]
    return {
        "completions": [SimpleCompletion(name, type="param") for name in offered],
        "suppress": bool(offered),
        "matched_fragment": begun,
    }


def _offer(verb: str, words: list[str], watch: Watch) -> Iterable[str]:
    parser = add_options(Parser(prog=f"%{verb}"), verb, notebook=True)
    by_option = {option: action for action in parser.actions() for option in action.option_strings}
    before = by_option.get(words[-2]) if len(words) > 1 else None
    if before is not None and before.dest == "learn":
        return [learner.name for learner in watch.learners()]
    if before is not None and before.nargs != 0:
        return sorted(before.type.names()) if isinstance(before.type, Named) else ()
    if words[-1].startswith("-"):
        return sorted(o for o, a in by_option.items() if o.startswith("--") and (o not in words[:-1] or o == words[-1]))
    if verb in {"deploy", "ship"} and len(words) == 1:
        return [learner.name for learner in watch.learners()]
    return ()
