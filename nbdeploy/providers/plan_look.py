"""A plan as people read it: in a terminal and in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbdeploy.core import look, numbers

if TYPE_CHECKING:
    from nbdeploy.providers.base import Plan, Price


def as_text(plan: Plan) -> str:
    """Lines: what would happen, what would be written and run, what it costs."""
    lines = [f"Plan for {plan.name} on {plan.provider}; nothing was done."]
    lines += ["Steps", *(f"  {number}. {step}" for number, step in enumerate(plan.steps, 1))]
    for path, content in plan.files.items():
        lines += [f"File {path}", *(f"  | {line}" for line in content.splitlines())]
    if plan.commands:
        lines += ["Commands", *(f"  $ {command}" for command in plan.commands)]
    lines += [f"Price: {price_of(plan)}", *(f"Note: {note}" for note in plan.notes)]
    return "\n".join(lines).replace(numbers.SPACE, " ")


def as_html(plan: Plan) -> str:
    """A fragment with its own style."""
    steps = look.table(((f"{number}.", step) for number, step in enumerate(plan.steps, 1)), "nt", css="nbd-bare")
    files = [
        look.details(path, look.Html(f'<pre class="nbd-mono">{look.html(content)}</pre>'))
        for path, content in plan.files.items()
    ]
    commands = [look.tag("div", "", look.tag("code", "nbd-mono", command)) for command in plan.commands]
    return look.output(
        look.head(f"Plan for {plan.name} on {plan.provider}"),
        look.quiet("Nothing was done yet."),
        steps,
        *([look.quiet("Files that would be written"), *files] if files else []),
        *([look.quiet("Commands"), *commands] if commands else []),
        look.table([("Price", price_of(plan)), *(("Note", note) for note in plan.notes)], "ht", css="nbd-bare"),
    )


def price_of(plan: Plan) -> str:
    """What it costs, with where the price is from and its age; or why it is not known."""
    price: Price | None = plan.price
    if price is None:
        return plan.why_no_price or "not known"
    month = price.hourly * 24 * 365 / 12
    return (
        f"{price.hourly:.4g} {price.currency} an hour, {month:.2f} {price.currency} a month, for {price.of} "
        f"({price.source}, read {price.date})"
    )
