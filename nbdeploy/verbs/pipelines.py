"""nbdeploy run, nbdeploy init."""

from __future__ import annotations

import json

from nbdeploy.parsing import Line
from nbdeploy.verbs.done import Done


def run(line: Line) -> Done:
    """Do what a pipeline's file says, and only what changed; or say what that would be."""
    from nbdeploy.errors import PipelineFailed  # noqa: PLC0415 - called lazily
    from nbdeploy.pipeline.running import Pipeline  # noqa: PLC0415

    args = line.args
    if args.schema:
        from nbdeploy.pipeline.schema import json_schema  # noqa: PLC0415

        schema = json_schema()
        return Done(schema, json.dumps(schema, indent=2))
    pipeline = Pipeline.load(args.file)
    if args.check or args.dry_run:
        seen = pipeline.check(**line.given(only={"until", "force", "provide"}))
        return Done.of(seen, ok=seen.ok or not args.check)
    try:
        return Done.of(pipeline.run(**line.given(only={"until", "force", "provide", "overwrite"})))
    except KeyboardInterrupt:
        raise KeyboardInterrupt("what was done is kept, and the next run goes on from there.") from None
    except PipelineFailed as error:
        return Done.of(error.result, ok=False)


def init(line: Line) -> Done:
    """Write a project."""
    from nbdeploy.pipeline.project import init as write  # noqa: PLC0415 - called lazily

    return Done.of(write(line.args.folder, **line.given(leave={"folder"})))
