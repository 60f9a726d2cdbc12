"""What pages need not say by hand: facts of targets and providers, and the reference of Python, terminal and magics.

A line ``<!-- facts: target tflite -->`` or ``<!-- reference: python -->`` of a page stands for Markdown that is made
here from the registry, the parsers and the public names, when the site is built. So it cannot grow stale.
"""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import nbdeploy
from nbdeploy import errors, registry
from nbdeploy.cli import parser
from nbdeploy.data.divided import Divided
from nbdeploy.options import MAGICS, VERBS, add_options
from nbdeploy.parsing import Parser
from nbdeploy.providers.base import Setting

if TYPE_CHECKING:
    from sphinx.application import Sphinx

PLACE = re.compile(r"^<!-- (facts|reference): ([\w-]+)(?: ([\w-]+))? -->$", re.MULTILINE)
GROUPS = {
    "data": "Collect and clean",
    "training": "Train",
    "tuning": "Tune",
    "tracking": "Track",
    "exporting": "Export, deploy, verify",
    "flow": "Export, deploy, verify",
    "core": "Export, deploy, verify",
    "providers": "Endpoints",
    "advising": "Endpoints",
    "pipeline": "Pipelines",
}
"""The part of nbdeploy that a name lives in -> the heading that it stands under."""
ELSEWHERE = {
    "Cleaner": "Collect and clean",
    "Collector": "Collect and clean",
    "Edit": "Collect and clean",
    "Finding": "Collect and clean",
    "Ship": "Export, deploy, verify",
    "runs": "Track",
    "endpoints": "Endpoints",
}
"""Names that stand under another heading than their neighbours."""
TRIED = {
    "run": "really run, and held to the samples over HTTP",
    "contract-tested": "files, commands, routes and signals held to what the place documents; no account was touched",
    "generated": "written, not tried",
}


def fill(text: str) -> str:
    """`text` of a page with every place filled. Raises UnknownName for a target or provider that there is not."""
    return PLACE.sub(lambda found: MAKERS[f"{found[1]} {found[2]}"](*filter(None, [found[3]])), text)


def facts_target(name: str) -> str:
    """The table of facts of the target `name`, from its class."""
    entry, target = registry.targets[name], registry.targets.load(name)
    runtime = [f"`{one}`" for one in target.runtime_requirements] or ["nothing beside numpy and Pillow"]
    return _table(
        ("", ""),
        (
            ("Name", ", ".join(f"`{one}`" for one in (name, *entry.aliases))),
            ("What it is", target.summary),
            ("Model file", f"`model{target.suffix}`"),
            ("Recipes", ", ".join(f"`{one}`" for one in target.recipes)),
            ("Install", _install(entry.extra)),
            ("The bundle's own code needs", ", ".join(runtime)),
            ("On an emulated ARM64 processor", "yes" if target.on_arm else "no"),
            *((("App in the bundle", ", ".join(f"`app/{one.name}`" for one in target.apps)),) if target.apps else ()),
            *((("Latency", "not taken: what runs it here is a reference"),) if target.reference_only else ()),
        ),
    )


def facts_provider(name: str) -> str:
    """The table of facts and the one of settings of the provider `name`, from its class."""
    entry, provider = registry.providers[name], registry.providers.load(name)
    acts = "nbdeploy" if provider.acts else "you, by the commands that it writes"
    rows = (
        ("Name", ", ".join(f"`{one}`" for one in (name, *entry.aliases))),
        ("What it makes", provider.summary),
        ("Who acts", acts),
        ("Install", _install(entry.extra)),
        *((("Its own command", f"`{provider.tool}`"),) if hasattr(provider, "tool") else ()),
        ("Tried", f"{provider.status_here}: {TRIED[provider.status_here]}"),
    )
    notes = "\n".join(f"- {note}" for note in getattr(provider, "notes", ()))
    settings = _table(("`--set`", "default", "what"), map(_setting, provider.settings))
    return "\n\n".join(filter(None, [_table(("", ""), rows), notes, "**Settings**", settings]))


def facts_targets() -> str:
    """Every target in a line, with a link to its page."""
    own = registry.targets.own
    rows = (
        (f"[{name}]({name}.md)", entry.summary, f"`{entry.extra}`" if entry.extra else "")
        for name, entry in own.items()
    )
    return _table(("target", "what", "extra"), rows)


def facts_providers() -> str:
    """Every provider in a line, with a link to its page."""
    own = registry.providers.own
    rows = ((f"[{n}]({n}.md)", own[n].summary, registry.providers.load(n).status_here) for n in own)
    return _table(("provider", "what", "tried here"), rows)


def reference_python() -> str:
    """Every public name under its heading, by autodoc."""
    groups: dict[str, list[str]] = {heading: [] for heading in (*dict.fromkeys(GROUPS.values()), "More")}
    for name in nbdeploy.__all__:
        if name not in {"errors", "__version__"}:
            groups[heading_of(name)].append(name)
    made = [f"## {title}\n\n{_rst(map(_auto, names))}" for title, names in groups.items() if names]
    tree = f"```text\n{(errors.__doc__ or '').partition(chr(10))[2].strip()}\n```"
    show = _rst([".. autofunction:: nbdeploy.errors.show_tracebacks"])
    return "\n\n".join(
        [*made, "## Errors", "All are `nd.errors.NAME`; the text of each says what to type.", tree, show]
    )


def heading_of(name: str) -> str:
    """The heading of the reference that the public name `name` stands under."""
    home = nbdeploy._HOME[name].split(".")[1]  # noqa: SLF001 - where a name lives is said nowhere else
    return ELSEWHERE.get(name, GROUPS.get(home, "More"))


def facts_recipes() -> str:
    """Every recipe with its limits."""
    rows = (
        (f"`{one.name}`", one.title, f"{100 * one.min_agreement:g} %", f"{one.mean_drift:g}", _limit(one.max_drift))
        for one in nbdeploy.RECIPES.values()
    )
    return _table(("recipe", "what", "agreement, at least", "mean drift, at most", "largest drift"), rows)


def reference_terminal() -> str:
    """Every verb of the terminal, from its parser."""
    made = [_verb(f"nbdeploy {name}", add_options(Parser(prog=f"nbdeploy {name}"), name)) for name in VERBS]
    below = next(action for action in parser().actions() if isinstance(action, argparse._SubParsersAction))  # noqa: SLF001
    return "\n\n".join([*made, _verb("nbdeploy completion", below.choices["completion"])])


def reference_magics() -> str:
    """Every magic, from its parser."""
    made = (_verb(f"%{name}", add_options(Parser(prog=f"%{name}"), name, notebook=True)) for name in sorted(MAGICS))
    return "\n\n".join(made)


MAKERS: dict[str, Callable[..., str]] = {
    "facts target": facts_target,
    "facts provider": facts_provider,
    "facts targets": facts_targets,
    "facts providers": facts_providers,
    "facts recipes": facts_recipes,
    "reference python": reference_python,
    "reference terminal": reference_terminal,
    "reference magics": reference_magics,
}


def _install(extra: str) -> str:
    return f"`pip install 'nbdeploy[{extra}]'`" if extra else "comes with nbdeploy"


def _limit(value: float | None) -> str:
    return "reported only" if value is None else f"{value:g}"


def _setting(setting: Setting) -> tuple[str, str, str]:
    default = "has to be given" if setting.default is None else f"`{setting.default}`" if setting.default else ""
    return f"`{setting.name}`", default, setting.about + (" (kept secret)" if setting.secret else "")


def _verb(title: str, made: argparse.ArgumentParser) -> str:
    usage = " ".join(made.format_usage().removeprefix("usage: ").split())
    parts = [f"## {title}", made.description or "", f"```text\n{usage}\n```"]
    options = [_option(action) for action in made._actions if "--help" not in action.option_strings]  # noqa: SLF001
    if options:
        parts.append(_table(("option", "what"), options))
    if made.epilog:
        parts.append(f"Example:\n\n```text\n{made.epilog.rpartition(chr(10))[2].strip()}\n```")
    return "\n\n".join(parts)


def _option(action: argparse.Action) -> tuple[str, str]:
    value = action.metavar or (action.dest.upper() if action.nargs != 0 else "")
    words = ", ".join(f"`{one}`" for one in action.option_strings) or f"`{value}`"
    takes = f" `{value}`" if value and action.option_strings and action.nargs != 0 else ""
    return words + takes, action.help or ""


def _auto(name: str) -> str:
    value = getattr(nbdeploy, name)
    if inspect.isclass(value):
        more = "\n    :inherited-members:" if issubclass(value, Divided) else ""
        return f".. autoclass:: nbdeploy.{name}{_widget(value)}\n    :members:\n    :undoc-members:{more}"
    if callable(value):
        return f".. autofunction:: nbdeploy.{name}"
    kind = type(value).__name__
    return f".. py:data:: nbdeploy.{name}\n    :type: {kind}\n\n    With {', '.join(f'``{one}``' for one in value)}."


def _widget(kind: type) -> str:
    """The signature of a widget, which traitlets hides behind ``*args``; empty for other classes."""
    if "traitlets" not in type(kind).__module__:
        return ""
    asked = inspect.signature(kind.__init__)
    values = [one.replace(annotation=one.empty) for one in asked.parameters.values() if one.name != "self"]
    return str(inspect.Signature(values))


def _rst(directives: Iterable[str]) -> str:
    text = "\n\n".join(directives)
    return f"```{{eval-rst}}\n{text}\n```"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _read(app: Sphinx, page: str, source: list[str]) -> None:
    del app, page
    source[0] = fill(source[0])


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx's entry."""
    app.connect("source-read", _read)
    return {"parallel_read_safe": True}
