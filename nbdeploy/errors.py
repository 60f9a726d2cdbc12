"""What can go wrong, and what to type next.

NbdeployError                   everything below; its text says what was wrong and what would be right
|-- UsageError                  an unknown name or an argument that cannot be (exit status 2)
|   `-- UnknownName             a target, recipe, arch or data set that does not exist; carries "Did you mean"
|       `-- RetiredName         a name that others used; says what became of it and what to type in its place
|-- MissingExtra                an optional package is not installed; carries the install line
|-- DataError                   pictures, labels, folders and archives
|-- TrainError                  training could not start or go on
|   `-- WeightsUnavailable      pretrained weights could not be had
|-- ExportError                 the Learner cannot become a Program
|   `-- UnsupportedTransform    a transform that the deployed side cannot repeat; names it
|-- ConversionError             a converter failed; carries the path of its log
|-- OutputError                 the place to write to: exists, read-only, full
|-- BundleError                 a bundle that cannot be read
|   `-- IntegrityError          a file of a bundle is not what its manifest says
|-- ProviderError               a place could not be reached, refused, or did not answer as the bundle does
|-- PipelineFailed              a step or a gate of a pipeline failed; carries the result
`-- VerificationFailed          the deployed model does not answer as the original; carries the report

Cancelled                       long work was told to stop, as by Ctrl-C, from beside
NbdeployWarning                 something odd that was handled; the text says how
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable
from typing import Any

_show_tracebacks = False


def show_tracebacks(on: bool = True) -> None:
    """Show full tracebacks of nbdeploy's own errors in notebooks and on the command line."""
    global _show_tracebacks  # noqa: PLW0603 - one process-wide display switch
    _show_tracebacks = on


def tracebacks_shown() -> bool:
    """Whether `show_tracebacks` is on."""
    return _show_tracebacks


class NbdeployWarning(UserWarning):
    """Something odd in the input that was handled; the text says how."""


class Cancelled(KeyboardInterrupt):
    """Long work was told to stop from beside. Like Ctrl-C it is no Exception: nothing takes it for a fault."""


class NbdeployError(Exception):
    """Base of every error that nbdeploy raises on purpose.

    `message` says what was wrong, `hint` what would be right or what to type.
    """

    exit_status = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message

    def _render_traceback_(self) -> list[str]:
        # IPython prints what this returns in place of a traceback.
        if _show_tracebacks:
            from traceback import format_exception  # noqa: PLC0415 - rare path

            return "".join(format_exception(self)).splitlines()
        return [f"{type(self).__name__}: {self}"]


class UsageError(NbdeployError):
    """An argument that cannot be."""

    exit_status = 2


class UnknownName(UsageError):
    """A name that is in no table. A near miss is suggested, and never run."""

    def __init__(self, kind: str, name: str, known: Iterable[str], *, note: str = "") -> None:
        name, known = str(name), sorted(known)
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        names = f"Known: {', '.join(known)}." if known else "There is none yet."
        hint = note or (f'Did you mean "{near[0]}"? ' if near else "") + names
        super().__init__(f'There is no {kind} "{name}".', hint=hint)
        self.kind, self.name, self.known = kind, name, known


class RetiredName(UnknownName):
    """A name of something that went, or that is no thing of its own: `replacement` is what to take in its place."""

    def __init__(self, kind: str, name: str, known: Iterable[str], *, became: str, replacement: str) -> None:
        note = f'{became} Take {replacement}: --{kind} {replacement} ({kind}="{replacement}").'
        super().__init__(kind, name, known, note=note)
        self.became, self.replacement = became, replacement


class MissingExtra(NbdeployError):
    """A package that an extra installs is missing."""

    def __init__(self, what: str, module: str, extra: str) -> None:
        line = f'pip install "nbdeploy[{extra}]"' if extra else "pip install nbdeploy"
        super().__init__(f"{what} needs the package {module}, which is not installed.", hint=f"Type: {line}")
        self.module, self.extra, self.install = module, extra, line


class DataError(NbdeployError):
    """Pictures, labels, folders and archives."""


class TrainError(NbdeployError):
    """Training could not start or go on; `learn` is the Learner with what it had learned by then, or None."""

    def __init__(self, message: str, *, hint: str = "", learn: Any = None) -> None:
        super().__init__(message, hint=hint)
        self.learn = learn


class WeightsUnavailable(TrainError):
    """Pretrained weights could not be had."""


class ExportError(NbdeployError):
    """The Learner cannot become a Program."""


class UnsupportedTransform(ExportError):
    """A transform that the deployed side cannot repeat."""


class ConversionError(NbdeployError):
    """A converter failed; `log` is the path of what it printed."""

    def __init__(self, message: str, *, hint: str = "", log: Any = None) -> None:
        super().__init__(message, hint=hint)
        self.log = log


class OutputError(NbdeployError):
    """The place to write to exists already, is read-only, or is full."""


class BundleError(NbdeployError):
    """A bundle that cannot be read."""


class IntegrityError(BundleError):
    """A file of a bundle is not what its manifest says."""


class ProviderError(NbdeployError):
    """A provider's place could not be reached, refused, or did not answer as the bundle does."""


class PipelineFailed(NbdeployError):
    """A step of a pipeline failed, or a gate of it does not hold; `result` says how every step stands."""

    def __init__(self, message: str, *, hint: str = "", result: Any = None) -> None:
        super().__init__(message, hint=hint)
        self.result = result


class VerificationFailed(NbdeployError):
    """The deployed model does not answer as the original; `report` says where and by how much."""

    def __init__(self, message: str, *, hint: str = "", report: Any = None, kept: Any = None) -> None:
        super().__init__(message, hint=hint)
        self.report, self.kept = report, kept


def explain(error: BaseException) -> str:
    """The one or two lines a person sees for `error`, without a traceback."""
    return f"{type(error).__name__}: {error}"


def say(text: str) -> None:
    """One line for the person, on standard error so that standard output stays machine-readable."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
