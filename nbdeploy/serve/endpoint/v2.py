"""The Open Inference Protocol, version 2: /v2/... as KServe and Triton speak it."""

from __future__ import annotations

from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from . import tensors
from .given import Inputs
from .pool import Pool, State
from .refusal import Refused, as_json, busy, encoded

_BYTES = {"picture": "files of pictures", "row": "rows as JSON", "text": "texts"}
LIVE, READY = "/v2/health/live", "/v2/health/ready"


class OpenInference:
    """One model, under its own name and version."""

    def __init__(self, pool: Pool, *, most_pixels: int) -> None:
        self.pool, self.model = pool, pool.model
        self.inputs = Inputs(pool.model, most_pixels=most_pixels)

    def routes(self) -> list[Route]:
        """All of them."""
        model = "/v2/models/{name}"
        found = [Route(LIVE, self.live), Route(READY, self.ready), Route("/v2", self.server)]
        for path in (model, f"{model}/versions/{{version}}"):
            found += [
                Route(path, self.metadata),
                Route(f"{path}/ready", self.model_ready),
                Route(f"{path}/infer", self.infer, methods=["POST"]),
            ]
        return found

    async def live(self, _: Request) -> Response:
        """200 for as long as the process answers."""
        return as_json({"live": True})

    async def ready(self, _: Request) -> Response:
        """200 when the model answers, else 503."""
        return self._readiness({"ready": True})

    async def server(self, _: Request) -> Response:
        """What speaks."""
        return as_json({"name": "nbdeploy", "version": "2", "extensions": ["binary_tensor_data"]})

    async def metadata(self, request: Request) -> Response:
        """The model's tensors. BYTES of the same input's name are files of pictures, rows as JSON, or texts."""
        self._asked_for(request)
        return as_json(
            {
                "name": self.model.name,
                "versions": [self.model.version],
                "platform": f"nbdeploy_{self.model.manifest['target']}",
                "inputs": [
                    {
                        "name": self.model.input["name"],
                        "datatype": tensors.DATATYPES[self.model.input["dtype"]],
                        "shape": [-1, *self.model.input["shape"][1:]],
                    }
                ],
                "outputs": [
                    {"name": self.model.output_name, "datatype": "FP32", "shape": [-1, len(self.model.labels)]}
                ],
                "parameters": {
                    "labels": self.model.labels,
                    "sha256": self.model.sha256,
                    "files": f"{self.model.input['name']} may also be BYTES of shape [-1]: {_BYTES[self.model.noun]}",
                },
            }
        )

    async def model_ready(self, request: Request) -> Response:
        """200 when the model answers, else 503."""
        self._asked_for(request)
        return self._readiness({"name": self.model.name, "ready": True})

    def _readiness(self, yes: dict[str, Any]) -> Response:
        if self.pool.state is not State.ready:
            raise busy("not_ready", f"The model is {self.pool.state.value}.")
        return as_json(yes)

    async def infer(self, request: Request) -> Response:
        """Tensors in, tensors out."""
        self._asked_for(request)
        body, length = await request.body(), request.headers.get(tensors.LENGTH)
        content, head = await self.pool.run(lambda classifier: self._work(classifier, body, length))
        if head is None:
            return Response(content, media_type="application/json")
        return Response(content, media_type="application/octet-stream", headers={tensors.LENGTH: str(head)})

    def _work(self, classifier: Any, body: bytes, length: str | None) -> tuple[bytes, int | None]:
        asked = tensors.read(body, length, input=self.model.input, output=self.model.output_name)
        if asked.values is not None:
            inputs = [asked.values[n : n + 1] for n in range(len(asked.values))]
        else:
            inputs = [self.inputs.ready(classifier, file) for file in asked.files]
        values = np.stack([classifier.probabilities(one) for one in inputs])
        output: dict[str, Any] = {"name": self.model.output_name, "datatype": "FP32", "shape": list(values.shape)}
        answer = {"model_name": self.model.name, "model_version": self.model.version, "outputs": [output]}
        if asked.ident is not None:
            answer["id"] = asked.ident
        if not asked.binary:
            output["data"] = values.ravel().tolist()
            return encoded(answer), None
        raw = values.astype("<f4").tobytes()
        output["parameters"] = {"binary_data_size": len(raw)}
        head = encoded(answer)
        return head + raw, len(head)

    def _asked_for(self, request: Request) -> None:
        """Raise Refused for another model or version than there is."""
        name, version = request.path_params["name"], request.path_params.get("version", self.model.version)
        if name != self.model.name:
            raise Refused(404, "unknown_model", "There is no such model here.", hint=f"It is {self.model.name}.")
        if version != self.model.version:
            raise Refused(404, "unknown_version", "There is no such version here.", hint=f"It is {self.model.version}.")
