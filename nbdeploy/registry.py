"""Lazy tables of names: a class is imported when its name is first used.

An entry is a name, the ``"module:Class"`` it stands for, the extra that installs what it needs, and its aliases.
Packages add entries through the entry-point group ``nbdeploy.targets`` (name = ``module:Class``).
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any

from nbdeploy.errors import MissingExtra, RetiredName, UnknownName


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a table."""

    path: str
    """``"module:Class"``"""
    summary: str
    extra: str = ""
    """The extra of nbdeploy that installs what it needs; empty for the base install."""
    aliases: tuple[str, ...] = ()
    package: str = "nbdeploy"
    """The distribution that brought it."""


@dataclass(frozen=True, slots=True)
class Retired:
    """What became of something that went, or what it runs on, in one sentence; and what to take in its place."""

    names: tuple[str, ...]
    """In small letters, without hyphens."""
    became: str
    replacement: str


@dataclass(frozen=True)
class Registry(Mapping[str, Entry]):
    """A table of one kind of thing; `load` imports the class a name stands for."""

    kind: str
    group: str
    own: dict[str, Entry] = field(default_factory=dict)
    retired: tuple[Retired, ...] = ()

    def _all(self) -> dict[str, Entry]:
        found = dict(self.own)
        for point in entry_points(group=self.group):
            package = point.dist.name if point.dist else "?"
            # A third party may add a name but never take over one of ours.
            found.setdefault(point.name, Entry(point.value, f"from {package}", package=package))
        return dict(sorted(found.items()))

    def __getitem__(self, name: str) -> Entry:
        return self._all()[self.canonical(name)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def names(self) -> list[str]:
        """Every name and alias, sorted: what completion offers."""
        return sorted([*self, *(alias for entry in self._all().values() for alias in entry.aliases)])

    def canonical(self, name: str) -> str:
        """The name itself for a name or an alias. Raises UnknownName, or RetiredName where it is known what became."""
        table = self._all()
        if name in table:
            return name
        for known, entry in table.items():
            if name in entry.aliases:
                return known
        plain = re.sub(r"[\W_]", "", str(name).lower())
        for gone in self.retired:
            if plain in gone.names:
                raise RetiredName(self.kind, name, self.names(), became=gone.became, replacement=gone.replacement)
        raise UnknownName(self.kind, name, self.names())

    def load(self, name: str) -> Any:
        """The class that `name` stands for. Raises UnknownName or MissingExtra."""
        entry = self[name]
        module, _, attribute = entry.path.partition(":")
        try:
            return getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as error:
            raise MissingExtra(f'{self.kind} "{name}"', error.name or module, entry.extra) from error


engines = Registry(
    "engine",
    "nbdeploy.engines",
    {
        "local": Entry("nbdeploy.data.pool:engine", "processes on this machine"),
        "ray": Entry("nbdeploy.data.raycluster:engine", "a Ray cluster", extra="ray"),
    },
)

widgets = Registry(
    "widget",
    "nbdeploy.widgets",
    {"stop": Entry("nbdeploy.jupyter.widgets.stopper:Stopper", "a button that ends the work of the running cell")},
)
"""What lower layers show in a notebook and cannot import."""

tuners = Registry(
    "engine",
    "nbdeploy.tuners",
    {
        "local": Entry("nbdeploy.tuning.workers:engine", "processes on this machine"),
        "ray": Entry("nbdeploy.tuning.raytune:engine", "a Ray cluster, by Ray Tune", extra="ray"),
    },
)

# Said of what people ask for by the names of older articles and of services that run another format.
_RETIRED = (
    Retired(
        ("caffe2", "pytorchcaffe2", "onnxcaffe2"),
        "Caffe2 was merged into PyTorch in 2018 and taken out in 2024; ExecuTorch runs PyTorch models on devices.",
        "executorch",
    ),
    Retired(
        ("pytorchmobile", "torchmobile", "ptl", "pytorchlite"),
        "PyTorch Mobile (2019) is no longer supported: PyTorch names ExecuTorch as its successor since 2024.",
        "executorch",
    ),
    Retired(
        ("torchscript", "torchjit"),
        "TorchScript is deprecated since 2025: PyTorch names torch.export as its successor.",
        "torch",
    ),
    Retired(
        ("tensorflowmobile", "tfmobile"),
        "TensorFlow Mobile gave way to TensorFlow Lite (2017), which is called LiteRT since 2024.",
        "tflite",
    ),
    Retired(
        ("tensorflowlite",),
        "TensorFlow Lite is called LiteRT since 2024; its files are .tflite as before.",
        "tflite",
    ),
    Retired(
        ("tensorflow", "tf", "savedmodel", "onnxtf", "onnxtensorflow"),
        "The way from PyTorch over ONNX to TensorFlow (onnx-tf) is no longer kept up; LiteRT takes PyTorch directly.",
        "tflite",
    ),
    Retired(("mlkit", "googlemlkit"), "ML Kit is no format of its own: it runs .tflite files.", "tflite"),
    Retired(
        ("firebase", "firebaseml", "firebasemlkit"),
        "Firebase's ML Kit became ML Kit without Firebase in 2020; both take .tflite files.",
        "tflite",
    ),
    Retired(
        ("mediapipe", "mediapipetasks"), "MediaPipe Tasks is no format of its own: it runs .tflite files.", "tflite"
    ),
    Retired(
        ("nnapi", "androidnnapi"),
        "Android's NNAPI is deprecated since Android 15 (2024); LiteRT brings its own ways to the phone's processors.",
        "tflite",
    ),
    Retired(
        ("snpe", "dlc", "qnn"),
        "Qualcomm's SNPE and its successor QNN are reached from LiteRT and from onnxruntime.",
        "onnx",
    ),
    Retired(
        ("coremlneuralnetwork", "mlmodel", "coremlmodel"),
        "Core ML's neural network (.mlmodel) gave way to the ML program (.mlpackage) in 2021.",
        "coreml",
    ),
    Retired(
        ("tensorflowjs",),
        "TensorFlow.js is called tfjs here.",
        "tfjs",
    ),
    Retired(("onnxjs",), "ONNX.js gave way to onnxruntime-web in 2021.", "web"),
)

targets = Registry(
    "target",
    "nbdeploy.targets",
    {
        "cloud": Entry(
            "nbdeploy.targets.cloud:CloudTarget",
            "endpoint: ONNX, and a server that answers over HTTP",
            aliases=("endpoint", "server"),
        ),
        "coreml": Entry(
            "nbdeploy.targets.coreml:CoremlTarget",
            "Core ML, run here by a reference interpreter",
            extra="coreml",
            aliases=("mlpackage",),
        ),
        "executorch": Entry(
            "nbdeploy.targets.executorch:ExecutorchTarget", "ExecuTorch, run by its XNNPACK backend", extra="executorch"
        ),
        "onnx": Entry("nbdeploy.targets.onnx:OnnxTarget", "ONNX, run by onnxruntime"),
        "openvino": Entry("nbdeploy.targets.openvino:OpenvinoTarget", "OpenVINO IR, run by OpenVINO", extra="openvino"),
        "tfjs": Entry("nbdeploy.targets.tfjs:TfjsTarget", "web page, run by LiteRT.js", "tfjs", ("tensorflow-js",)),
        "tflite": Entry("nbdeploy.targets.tflite:TfliteTarget", "TFLite, run by LiteRT", aliases=("litert",)),
        "torch": Entry("nbdeploy.targets.torch:TorchTarget", "torch.export, run by PyTorch"),
        "web": Entry("nbdeploy.targets.web:WebTarget", "web page, run by onnxruntime-web", "web", ("pwa",)),
    },
    _RETIRED,
)

providers = Registry(
    "provider",
    "nbdeploy.providers",
    {
        "azureml": Entry(
            "nbdeploy.providers.azureml:AzureMl", "Azure Machine Learning: two YAML files and az's commands"
        ),
        "cloudinit": Entry("nbdeploy.providers.cloudinit:CloudInit", "any rented machine: cloud-config user data"),
        "cloudrun": Entry(
            "nbdeploy.providers.cloudrun:CloudRun", "Google Cloud Run: service.yaml and gcloud's commands"
        ),
        "container": Entry("nbdeploy.providers.container:ContainerProvider", "a container on this machine"),
        "flyio": Entry("nbdeploy.providers.flyio:FlyIo", "Fly.io: fly.toml and fly's commands", aliases=("fly",)),
        "heroku": Entry("nbdeploy.providers.heroku:Heroku", "Heroku: heroku.yml and heroku's commands"),
        "huggingface": Entry(
            "nbdeploy.providers.huggingface:HuggingFace", "a Docker Space on Hugging Face", aliases=("spaces",)
        ),
        "kubernetes": Entry(
            "nbdeploy.providers.kubernetes:Kubernetes", "a Kubernetes cluster, plain or KServe", aliases=("k8s",)
        ),
        "lambda": Entry("nbdeploy.providers.awslambda:AwsLambda", "AWS Lambda: a container image and aws's commands"),
        "local": Entry("nbdeploy.providers.local:LocalProvider", "a process on this machine"),
        "ray": Entry(
            "nbdeploy.providers.rayplace:RayProvider", "Ray Serve, on a cluster or on this machine", extra="ray"
        ),
        "render": Entry("nbdeploy.providers.render:Render", "Render: render.yaml and git's commands"),
        "sagemaker": Entry("nbdeploy.providers.sagemaker:SageMaker", "Amazon SageMaker, by boto3", extra="aws"),
        "ssh": Entry("nbdeploy.providers.ssh:SshProvider", "any machine that you can log in to by SSH", extra="ssh"),
        "vertex": Entry("nbdeploy.providers.vertex:Vertex", "Google Vertex AI: gcloud's commands"),
    },
)
