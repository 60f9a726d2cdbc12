"""nbdeploy deploy, and what is done with a bundle: nbdeploy verify, nbdeploy predict, nbdeploy serve."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from nbdeploy.errors import DataError, UsageError
from nbdeploy.options import read_images
from nbdeploy.parsing import Line
from nbdeploy.verbs.done import Done


def deploy(line: Line) -> Done:
    """Export, shrink, verify, bundle."""
    from nbdeploy.flow import deploy as run  # noqa: PLC0415 - called lazily

    args = line.args
    images = {"images": _beside(args.model, args.images)} if args.images else {}
    made = run(args.model, **line.given(leave={"model", "images"}), **images)
    if args.provider:  # an Endpoint or a Plan
        return Done.of(made)
    about = {name: getattr(made, name) for name in ("name", "version", "target", "recipe")}
    return Done({"path": str(made.path), **about, **made.report.to_dict()}, str(made))


def _beside(model: Any, data: str) -> Any:
    """The data given beside a model: an ImageSet, or the path of rows or texts for a model that takes these."""
    from nbdeploy.model import kind_of  # noqa: PLC0415 - called lazily

    return data if kind_of(model) in {"table", "text"} else read_images(data, {})[0]


def verify(line: Line) -> Done:
    """Check a bundle again."""
    from nbdeploy.flow import verify as run  # noqa: PLC0415 - called lazily

    args = line.args
    images = _beside(args.model, args.images) if args.images else None
    report = run(args.bundle, args.model, images=images, **line.given(only={"verify_files", "arch"}))
    return Done.of(report, ok=report.ok)


def predict(line: Line) -> Done:
    """Ask a bundle about files."""
    from nbdeploy.core.bundle import Bundle  # noqa: PLC0415 - called lazily

    args = line.args
    if not args.files and args.row is None and args.text is None:
        raise UsageError("FILE is missing.", hint="Type: nbdeploy predict BUNDLE FILE")
    bundle = Bundle.load(args.bundle)
    rows: list[dict[str, Any]] = []
    lines: list[str] = []
    # Of texts a string is the text itself, so a file is named by its path.
    texts = getattr(getattr(bundle, "signature", None), "kind", "") == "text"
    asked = [*(map(Path, args.files) if texts else args.files), *_written(args)]
    for file in asked:
        try:
            answer = bundle.predict(file)
        except DataError as error:
            if len(asked) == 1:
                raise
            rows.append({"file": str(file), "error": error.message})  # one bad file of many stops nothing
            lines.append(error.message)
        else:
            rows.append(answer.to_dict())
            lines.append(str(answer))
    return Done(rows, "\n".join(lines), ok=not any("error" in row for row in rows))


def _written(args: argparse.Namespace) -> list[Any]:
    """The row and the text that were written in the command's own line."""
    found: list[Any] = [] if args.text is None else [args.text]
    if args.row is not None:
        try:
            found.append(json.loads(args.row))
        except ValueError as error:
            raise UsageError(f"--row is no JSON ({error}).", hint="Type: --row '{\"column\": 1.5}'") from error
    return found


def serve(line: Line) -> Done:
    """Serve a bundle until the process is told to end. Prints one line of JSON when it takes connections."""
    from nbdeploy.serve.running import listen, new_token  # noqa: PLC0415 - called lazily

    args = line.args
    if args.new_token:
        token = new_token(args.new_token, args.tokens)
        return Done({"name": args.new_token, "token": token}, token)
    if args.bundle is None:
        raise UsageError("Which bundle?", hint="Type: nbdeploy serve BUNDLE")
    listening = listen(args.bundle, **line.given(leave={"bundle", "new_token"}))
    listening.heed_signals()
    return Done(listening.to_dict(), json.dumps(listening.to_dict()), then=listening.run)
