"""LitServe as its guide has it, with a worker a processor: litserve_app.py BUNDLE PORT WORKERS."""

import sys
from typing import Any

import litserve
from fastapi import Request
from predict import Classifier

BUNDLE, PORT, WORKERS = sys.argv[1:4]


class Api(litserve.LitAPI):
    """One picture a request."""

    def setup(self, device: str) -> None:
        """Called once a worker."""
        self.classifier = Classifier(BUNDLE, threads=1)

    def decode_request(self, request: Request) -> bytes:
        """The uploaded file."""
        return request["file"].file.read()

    def predict(self, x: bytes) -> dict[str, Any]:
        """The answer to one file."""
        return self.classifier.predict(x)

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        """It is JSON already."""
        return output


if __name__ == "__main__":
    server = litserve.LitServer(Api(), accelerator="cpu", workers_per_device=int(WORKERS))
    server.run(host="127.0.0.1", port=int(PORT), generate_client_file=False)
