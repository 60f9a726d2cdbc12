"""Completion of the magics' options, values and model names, read off the same parsers that parse them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from IPython.core.completer import SimpleCompletion, context_matcher

from nbdeploy.jupyter.learners import Watch
from nbdeploy.options import MAGICS, add_options
from nbdeploy.parsing import Named, Parser

_MAGIC = re.compile(rf"(?:^|=)\s*%({'|'.join(MAGICS)})\s+(.*)$")


def make_matcher(watch: Watch) -> Callable[[Any], Any]:
    """The matcher of one shell, to be put among its completer's `custom_matchers`."""

    def matcher(context: Any) -> Any:
        found = _MAGIC.search(context.text_until_cursor)
        if not found:
            return {"completions": [], "suppress": False}
        words = re.split(r"[\s=]+", found[2])
        offered = [name for name in _offer(found[1], words, watch) if name.startswith(words[-1])]
        return {
            "completions": [SimpleCompletion(name, type="param") for name in offered],
            "suppress": bool(offered),
            "matched_fragment": words[-1],
        }

    marked: Callable[[Any], Any] = context_matcher(identifier="nbdeploy")(matcher)
    return marked


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
