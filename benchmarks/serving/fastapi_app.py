"""FastAPI as its tutorial has it: an upload, answered in its pool of threads: fastapi_app.py BUNDLE PORT."""

import sys
from typing import Any

import uvicorn
from fastapi import FastAPI, UploadFile
from predict import Classifier

BUNDLE, PORT = sys.argv[1:3]

app = FastAPI()
classifier = Classifier(BUNDLE, threads=1)


@app.post("/predict")
def predict(file: UploadFile) -> dict[str, Any]:
    """One picture."""
    return classifier.predict(file.file.read())


uvicorn.run(app, host="127.0.0.1", port=int(PORT))
