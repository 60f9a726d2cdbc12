"""GET /openapi.json: what can be asked, for people's tools."""

from __future__ import annotations

from typing import Any

from .given import most_of
from .model import Model
from .payload import MOST
from .tensors import DATATYPES

_RETRY = {"Retry-After": {"schema": {"type": "string"}, "description": "Seconds"}}
_WHY = {
    400: "The request cannot be read",
    401: "A token is needed",
    408: "The body came too slowly",
    413: "The body is too large",
    415: "A content type that is not taken",
    422: "Not what this model takes",
    429: "Too many requests of this caller",
    503: "Not ready, or too many requests at the same time",
}
_ANSWERED = {"type": "object", "additionalProperties": True}


def document(model: Model, *, asked: bool, vertex: list[str], vertex_health: list[str]) -> dict[str, Any]:
    """OpenAPI 3.1. `asked`: a token is needed, and labels are not told to who has none; `vertex` and `vertex_health`
    are the routes that Vertex AI chose.
    """
    labels = [] if asked else model.labels
    what = "a picture shows" if model.noun == "picture" else f"fits a {model.noun}"
    about = f"Says which of {len(model.labels)} labels {what}. {', '.join(labels[:20])}"
    predict, bare = _predict("predict", model), _predict("predictForVertex", model, bare=True)
    health = {path: {"get": _get(f"health{n}", "Ready, for the platform")} for n, path in enumerate(vertex_health)}
    paths: dict[str, Any] = {
        "/predict": {"post": predict},
        "/invocations": {"post": {**predict, "operationId": "invocations", "summary": "The same, as SageMaker asks"}},
        **health,
        **{path: {"post": bare} for path in vertex},
        "/healthz": {"get": _get("healthz", "Whether the process lives", busy=False)},
        "/readyz": {"get": _get("readyz", "Whether the model answers, and which it is")},
        "/ping": {"get": _get("ping", "Ready, as SageMaker asks")},
        "/metrics": {"get": _metrics()},
        "/v2/health/live": {"get": _get("v2Live", "Open Inference Protocol: lives", v2=True, busy=False)},
        "/v2/health/ready": {"get": _get("v2Ready", "Open Inference Protocol: ready", v2=True)},
        "/v2": {"get": _get("v2Server", "Open Inference Protocol: the server", v2=True, busy=False, free=False)},
        "/v2/models/{name}": {"get": _model("v2Model", "Open Inference Protocol: the model's tensors", model)},
        "/v2/models/{name}/ready": {"get": _model("v2ModelReady", "Open Inference Protocol: model ready", model)},
        "/v2/models/{name}/infer": {"post": _infer(model)},
    }
    found: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": model.name,
            "version": model.version,
            "description": about.strip(),
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": _schemas(model, labels)},
    }
    if asked:
        found["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        for path in paths.values():
            for operation in path.values():
                if not operation.pop("x-free", False):
                    operation["security"] = [{"token": []}]
    else:
        for path in paths.values():
            for operation in path.values():
                operation.pop("x-free", None)
                operation["responses"].pop("401", None)
    return found


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _errors(*statuses: int, v2: bool = False) -> dict[str, Any]:
    errors: dict[str, Any] = {}
    for status in statuses:
        errors[str(status)] = {"description": _WHY[status], "content": _json(_ref("TextError" if v2 else "Error"))}
        if status in {429, 503}:
            errors[str(status)]["headers"] = _RETRY
    return errors


def _predict(name: str, model: Model, *, bare: bool = False) -> dict[str, Any]:
    noun = model.noun
    file = {"type": "string", "format": "binary", "description": f"A {noun}'s file"}
    form = {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "array", "items": file, "minItems": 1, "maxItems": most_of(noun)}},
    }
    taken: dict[str, Any] = {
        "picture": {"image/*": {"schema": file}, "application/octet-stream": {"schema": file}},
        "row": {},
        "text": {"text/plain": {"schema": {"type": "string"}}},
    }[noun]
    return {
        "operationId": name,
        "summary": "What pictures show" if noun == "picture" else f"What fits {noun}s",
        "requestBody": {
            "required": True,
            "content": {
                **taken,
                "multipart/form-data": {"schema": form},
                **_json(_ref("Instances" if noun == "picture" else "Asked")),
            },
        },
        "responses": {
            "200": {
                "description": f"One prediction a {noun}",
                "content": _json(_ref("Bare" if bare else "Predictions")),
            },
            **_errors(400, 401, 408, 413, 415, 422, 429, 503),
        },
    }


def _get(name: str, summary: str, *, v2: bool = False, busy: bool = True, free: bool = True) -> dict[str, Any]:
    responses: dict[str, Any] = {"200": {"description": "Yes", "content": _json(_ANSWERED)}}
    if busy:
        responses["503"] = {"description": _WHY[503], "content": _json(_ANSWERED), "headers": _RETRY}
    if not free:
        responses |= _errors(401, 429, v2=v2)
    return {"operationId": name, "summary": summary, "responses": responses, "x-free": free}


def _metrics() -> dict[str, Any]:
    text = {"text/plain": {"schema": {"type": "string"}}}
    return {
        "operationId": "metrics",
        "summary": "Figures for Prometheus",
        "responses": {"200": {"description": "In Prometheus' text", "content": text}, **_errors(401, 429)},
    }


def _model(name: str, summary: str, model: Model) -> dict[str, Any]:
    unknown = {"description": "There is no such model", "content": _json(_ref("TextError"))}
    operation = _get(name, summary, v2=True, free=False)
    operation["parameters"] = [
        {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}, "example": model.name}
    ]
    operation["responses"]["404"] = unknown
    return operation


def _infer(model: Model) -> dict[str, Any]:
    operation = _model("v2Infer", "Open Inference Protocol: tensors in, tensors out", model)
    operation["requestBody"] = {"required": True, "content": _json(_ref("Tensors"))}
    operation["responses"] |= _errors(400, 401, 408, 413, 415, 422, 429, 503, v2=True)
    return operation


def _schemas(model: Model, labels: list[str]) -> dict[str, Any]:
    probability = {"type": "number", "minimum": 0, "maximum": 1.0001}
    prediction = {
        "type": "object",
        "required": ["label", "probabilities"],
        "properties": {
            "label": {"type": "string", **({"enum": labels} if labels else {})},
            "probabilities": {
                "type": "object",
                "required": labels,
                "properties": dict.fromkeys(labels, probability),
                "additionalProperties": probability,
            },
        },
    }
    predictions = {"type": "array", "items": _ref("Prediction")}
    whole = {"predictions": predictions, "model": _ref("Model"), "inference_ms": {"type": "number", "minimum": 0}}
    text = {"type": "string"}
    return {
        "Prediction": prediction,
        "Predictions": {"type": "object", "required": list(whole), "properties": whole},
        "Bare": {"type": "object", "required": ["predictions"], "properties": {"predictions": predictions}},
        "Model": _object({"name": text, "version": text, "sha256": text}),
        "Error": _object({"error": _object({"code": text, "message": text, "hint": text})}),
        "TextError": _object({"error": text}),
        **_asked(model, told=bool(labels)),
        "Instances": {
            "type": "object",
            "required": ["instances"],
            "additionalProperties": False,
            "properties": {
                "instances": {"type": "array", "minItems": 1, "maxItems": MOST, "items": _ref("Instance")},
                "parameters": {"type": "object", "description": "Not used"},
            },
        },
        "Instance": {
            "type": "object",
            "required": ["b64"],
            "additionalProperties": False,
            "properties": {"b64": {"type": "string", "contentEncoding": "base64", "description": "A picture's file"}},
        },
        "Tensors": _tensors(model),
    }


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


def _asked(model: Model, *, told: bool) -> dict[str, Any]:
    """What JSON a model of rows or texts takes: one, or a list of them. Columns are named only where that is `told`."""
    if model.noun == "picture":
        return {}
    one: dict[str, Any] = {"type": "string"}
    if model.noun == "row":
        of = {"number": {"type": ["number", "null"]}, "category": {"type": ["string", "number", "boolean", "null"]}}
        columns = {
            str(column["name"]): {
                **of[column["kind"]],
                **({"examples": column["categories"][:20]} if column["categories"] else {}),
            }
            for column in model.columns
        }
        one = {"type": "object", **({"additionalProperties": False, "properties": columns} if told else {})}
    named = {"type": "object", "required": [model.noun], "properties": {model.noun: _ref("One")}}
    several = {"type": "array", "minItems": 1, "maxItems": most_of(model.noun), "items": _ref("One")}
    return {"One": one, "Asked": {"anyOf": [_ref("One"), named, several]}}


def _tensors(model: Model) -> dict[str, Any]:
    own = DATATYPES[model.input["dtype"]]
    shape = ", ".join(str(side) for side in model.input["shape"][1:])
    what = {"picture": "files of pictures", "row": "rows as JSON", "text": "texts"}[model.noun]
    of = "Numbers 0 to 255, or files in base64" if own == "UINT8" else f"Numbers, or {what}"
    data = {"type": "array", "description": f"{of}; flat or in rows"}
    tensor = {
        "type": "object",
        "required": ["name", "datatype", "shape"],
        "description": f"{own} [n, {shape}], or BYTES [n]: {what}",
        "properties": {
            "name": {"type": "string", "const": model.input["name"]},
            "datatype": {"type": "string", "enum": [own, "BYTES"]},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1, "maxItems": 4},
            "data": data,
            "parameters": {"type": "object"},
        },
    }
    return {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": "string"},
            "inputs": {"type": "array", "items": tensor, "minItems": 1, "maxItems": 1},
        },
    }
