"""Callbacks that send what a training notes to MLflow or TensorBoard, where the user has them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from fastai.callback.core import Callback

from nbdeploy.core.hush import hushed
from nbdeploy.tracking.recording import current, plain
from nbdeploy.training.extras import check_log, mlflow

TENSORBOARD = "build/tensorboard"
"""The folder of event files where none is named."""
_STATUS = {"done": "FINISHED", "failed": "FAILED", "stopped": "KILLED"}


def loggers(log: str | Iterable[Any] | Any | None) -> list[Any]:
    """The callbacks for ``log=``: "mlflow", "tensorboard", a callback of yours, or several.

    Raises UnknownName, MissingExtra.
    """
    if log is None:
        return []
    if isinstance(log, str):
        check_log(log)
        makers: dict[str, Callable[[], Any]] = {"mlflow": MLflowLogger, "tensorboard": tensorboard_logger}
        return [makers[name.strip()]() for name in log.split(",")]
    if isinstance(log, Iterable) and not isinstance(log, Callback):
        return [callback for one in log for callback in loggers(one)]
    return [log]


class MLflowLogger(Callback):  # type: ignore[misc]
    """One MLflow run for a training, over all its fits: parameters, figures epoch by epoch, data and code as tags.

    It goes into the run that is active, if one is, else into one of its own in `experiment`, at `tracking_uri` or where
    MLflow's own settings say (``MLFLOW_TRACKING_URI``). Nothing is sent elsewhere. Raises
    MissingExtra.
    """

    order = 66  # after Recorder has the figures

    def __init__(
        self, experiment: str | None = None, *, tracking_uri: str | None = None, run_name: str | None = None
    ) -> None:
        super().__init__()
        self.mlflow = mlflow()
        self.experiment, self.tracking_uri, self.run_name = experiment, tracking_uri, run_name
        self.client: Any = None
        self.run_id = ""
        self.epochs = 0
        self._own = False

    def before_fit(self) -> None:
        if not self.run_id:
            self._start()
        params = {
            "arch": getattr(self.learn, "arch", None),
            "model": type(self.learn.model).__name__,
            "parameters": sum(one.numel() for one in self.learn.model.parameters()),
            "batch_size": getattr(self.dls, "bs", None),
            "opt": getattr(self.opt_func, "__name__", type(self.opt_func).__name__),
            "loss": type(self.loss_func).__name__,
        }
        self._params({name: plain(getattr(value, "__name__", value)) for name, value in params.items()})

    def after_epoch(self) -> None:
        self.epochs += 1
        names = [name for name in self.recorder.metric_names if name not in {"epoch", "time"}]
        for name, value in zip(names, self.recorder.values[-1], strict=False):
            self.client.log_metric(self.run_id, name, float(value), step=self.epochs)

    def close(self, status: str = "done") -> None:
        """End the MLflow run, where it was started here."""
        if self.run_id and self._own:
            self.client.set_terminated(self.run_id, status=_STATUS.get(status, "FAILED"))

    def _start(self) -> None:
        client = self.client = self.mlflow.MlflowClient(tracking_uri=self.tracking_uri)
        active = self.mlflow.active_run()
        run = current()
        if active is not None and self.tracking_uri is None:
            self.run_id, self._own = active.info.run_id, False
        else:
            made = client.create_run(self._experiment(), run_name=self.run_name or run.id or None)
            self.run_id, self._own = made.info.run_id, True
        if run.id:
            client.set_tag(self.run_id, "nbdeploy.run", run.id)
            about = run.about()
            self._params({name: value for name, value in about["params"].items() if name != "log"})
            for name, value in (
                ("nbdeploy.data", about["data"].get("source")),
                ("nbdeploy.fingerprint", about["data"].get("fingerprint")),
                ("mlflow.source.git.commit", about["git"].get("commit")),
            ):
                if value:
                    client.set_tag(self.run_id, name, str(value))

    def _experiment(self) -> str:
        name = self.experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME") or "nbdeploy"
        found = self.client.get_experiment_by_name(name)
        return str(found.experiment_id if found else self.client.create_experiment(name))

    def _params(self, values: dict[str, Any]) -> None:
        known = self.client.get_run(self.run_id).data.params
        for name, value in values.items():
            if value is not None and name not in known:  # MLflow refuses another value for a name
                self.client.log_param(self.run_id, name, value)


def tensorboard_logger(folder: str | Path | None = None) -> Any:
    """The TensorBoardCallback of fastai, which writes event files below `folder` (``build/tensorboard/RUN``).

    Figures of batches and epochs; no graph and no predictions, which would cost memory and time. Raises MissingExtra.
    """
    check_log("tensorboard")
    with hushed():
        from fastai.callback.tensorboard import TensorBoardCallback  # noqa: PLC0415 - TensorBoard is an extra
    place = Path(folder) if folder is not None else Path(TENSORBOARD) / (current().id or "run")
    return TensorBoardCallback(log_dir=place, trace_model=False, log_preds=False)
