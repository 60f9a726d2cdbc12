"""Pipeline: a file that says everything from data to endpoints, run so that only what changed is done."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from nbdeploy.core.live import in_notebook
from nbdeploy.core.progress import is_quiet
from nbdeploy.core.progress import step as progress_step
from nbdeploy.errors import DataError, PipelineFailed, UnknownName, UsageError, say
from nbdeploy.pipeline.doing import Doing
from nbdeploy.pipeline.hashes import Hashes
from nbdeploy.pipeline.result import How, PipelineResult
from nbdeploy.pipeline.spec import Spec, read_spec
from nbdeploy.pipeline.state import State
from nbdeploy.pipeline.steps import Step, steps_of
from nbdeploy.pipeline.walk import Walk, Wanted
from nbdeploy.pipeline.work import Work
from nbdeploy.tracking.recording import recording

NAME = "pipeline.yaml"


class Pipeline:
    """data -> clean -> train -> deploy, from one file; what is done already and did not change is not done again.

    What a run did is remembered in ``.nbdeploy`` beside the file: of every step a hash of its settings, of the files it
    reads and of the tools that matter, and hashes of what it made. A run that was stopped or killed goes on where it
    was. `spec` is what the file says; `doing` does the work.
    """

    def __init__(self, spec: Spec, *, doing: Doing | None = None) -> None:
        self.spec = spec
        self.doing = doing or Doing()
        self.steps: tuple[Step, ...] = steps_of(spec)

    @classmethod
    def load(cls, file: str | os.PathLike[str] = NAME) -> Pipeline:
        """The pipeline of a YAML file. Raises UsageError with the line of what is wrong, DataError without a file."""
        path = Path(os.path.abspath(file))
        path = path / NAME if path.is_dir() else path
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            why = "There is no" if isinstance(error, FileNotFoundError) else "It cannot be read:"
            raise DataError(
                f"{why} {path}.", hint="Write one for your data: nbdeploy init --data DIR --target tflite"
            ) from error
        return cls(read_spec(text, path.parent, path.name))

    @classmethod
    def parse(cls, text: str, *, folder: str | os.PathLike[str] = ".", source: str = "pipeline") -> Pipeline:
        """The pipeline that a YAML text says; its paths start at `folder`, which also keeps what was done."""
        return cls(read_spec(text, Path(os.path.abspath(folder)), source))

    @property
    def name(self) -> str:
        """What the model and the bundles are called."""
        return self.spec.name

    def check(self, *, until: str | None = None, force: Iterable[str] = (), provide: bool = False) -> PipelineResult:
        """What a run would do, and why; changes nothing. Its `ok` is whether everything is up to date."""
        wanted = self._wanted(until, force, provide=provide, overwrite=False)
        state = State(self.spec.root, self.spec.name)
        hashes = Hashes(self.spec.root, state.folder / "hashes.json")
        return Walk(self.steps, Work(self.spec, state, hashes, self.doing), wanted).look()

    def run(
        self,
        *,
        until: str | None = None,
        force: str | Iterable[str] = (),
        provide: bool = False,
        overwrite: bool = False,
    ) -> PipelineResult:
        """Do the steps that are not up to date, and give what came of it.

        `until` names the last step to do (with all it needs): ``train``, ``deploy:tflite-fp32``; ``deploy`` is every
        bundle. `force` names steps to do again though nothing changed. Bundles are put at their providers only with
        `provide`. A folder or an endpoint that this pipeline did not make is replaced only with `overwrite`.

        A step that fails stops those that need it, and no others. Raises PipelineFailed, with the result, where a step
        failed or a gate does not hold; OutputError where another run is at work or the place of a result is taken;
        UnknownName for a step; UsageError where a step to force comes after `until`.
        """
        wanted = self._wanted(until, force, provide=provide, overwrite=overwrite)
        state = State(self.spec.root, self.spec.name)
        with state.alone(), recording("pipeline", name=self.name, params={"folder": str(self.spec.root)}) as run:
            hashes = Hashes(self.spec.root, state.folder / "hashes.json")
            walk = Walk(self.steps, Work(self.spec, state, hashes, self.doing), wanted, around=_announced)
            result = walk.do()
            run.metrics({f"{row.name} {key}": value for row in result.rows for key, value in row.figures.items()})
            run.params({"done": [row.name for row in result.rows if row.how is How.done]})
            if not result.ok:
                run.ended("failed", result.failures[0])
        if not result.ok:
            first, *others = result.failures
            more = f"\nAlso: {'; '.join(others)}" if others else ""
            raise PipelineFailed(
                f"{self.name}: {first}{more}",
                hint="What was done is kept: the next run goes on from there.",
                result=result,
            )
        return result

    def _wanted(self, until: str | None, force: str | Iterable[str], *, provide: bool, overwrite: bool) -> Wanted:
        names = {step.name for step in self.steps}
        if until is not None:
            names = self._with_needed(self._named(until))
        forced = frozenset(name for one in ([force] if isinstance(force, str) else force) for name in self._named(one))
        if beyond := sorted(forced - names):
            raise UsageError(
                f'"{beyond[0]}" is to be done again, but comes after "{until}", where this run ends.',
                hint="Leave one of the two out: until (--until) or force (--force).",
            )
        return Wanted(frozenset(names), forced, provide=provide, overwrite=overwrite)

    def _named(self, text: str) -> list[str]:
        """The steps that a person means by `text`."""
        names = [step.name for step in self.steps]
        found = [name for name in names if text in {name, *name.split(":", 1)}]
        if not found:
            raise UnknownName("step", text, names)
        return found

    def _with_needed(self, names: Iterable[str]) -> set[str]:
        by_name, found = {step.name: step for step in self.steps}, set(names)
        for step in reversed(self.steps):
            found |= set(step.after) if step.name in found else set()
        assert found <= set(by_name)
        return found

    def __repr__(self) -> str:
        return f"Pipeline({self.name!r}: {', '.join(step.name for step in self.steps)})"


@contextmanager
def _announced(name: str, why: str) -> Iterator[None]:
    """Say that a step begins: a row that lasts in a notebook, a line elsewhere."""
    if in_notebook() and not is_quiet():
        with progress_step(name) as note:
            note(why)
            yield
        return
    began = time.monotonic()
    if not is_quiet():
        say(f"{name}: {why}")
    yield
    if not is_quiet():
        say(f"{name}: done in {time.monotonic() - began:.1f} s")
