"""Endpoint: a bundle that answers somewhere, and what can be done with it."""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, overload

from nbdeploy.core import look
from nbdeploy.core.asked import Asked, raw
from nbdeploy.core.bundle import MANIFEST, Bundle
from nbdeploy.core.prediction import Prediction, Predictions
from nbdeploy.errors import DataError, ProviderError, UsageError
from nbdeploy.providers import store
from nbdeploy.providers.asking import Answer, ask_again
from nbdeploy.providers.base import Provider, Record
from nbdeploy.providers.figures import figures
from nbdeploy.providers.probe import identity
from nbdeploy.registry import providers

Make = Callable[..., Bundle]
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
_QUIET_S = 3.0


class Endpoint:
    """A bundle at a place, under a name of the user's. What is known of it survives the notebook.

    ``name``; ``provider`` (its name); ``url``, empty where a person has to act first; ``record``, what the provider
    remembers of it. `nd.deploy(..., provider=...)` makes one, `nd.endpoints()` finds it again.
    """

    def __init__(self, name: str, place: Provider, record: Mapping[str, Any], *, make: Make | None = None) -> None:
        self.name, self.place, self.record, self._make = name, place, dict(record), make

    @classmethod
    def load(cls, name: str, *, make: Make | None = None) -> Endpoint:
        """The endpoint of that name. Raises UnknownName, and MissingExtra where its provider's package is missing."""
        kept = store.one(name)
        settings = {**kept.settings, **store.secret_settings(name)}
        return cls(name, providers.load(kept.provider)(**settings), kept.record, make=make)

    @classmethod
    def create(
        cls, bundle: Bundle, name: str, place: Provider, settings: Mapping[str, str], *, make: Make | None = None
    ) -> Endpoint:
        """Put `bundle` at `place` as the endpoint `name`, and remember it. Raises ProviderError."""
        secret = {setting.name for setting in place.settings if setting.secret}
        with store.held(name):
            made = cls(name, place, {}, make=make)
            try:
                record = place.apply(bundle, name)
            except BaseException:
                store.forget(name)  # the token that it would have had
                raise
            store.keep_secret_settings(name, {key: text for key, text in settings.items() if key in secret})
            made._settings = {key: text for key, text in settings.items() if key not in secret}
            made._keep({**record, **_about(bundle)})
        return made

    _settings: dict[str, str] | None = None

    @property
    def provider(self) -> str:
        """The place's name."""
        return self.place.name

    @property
    def url(self) -> str:
        """Where it answers."""
        return str(self.record.get("url", ""))

    @property
    def token(self) -> str:
        """What callers show; "" where none is asked. It is kept in a file that only the user may read."""
        return store.token(self.name)

    @overload
    def predict(self, file: Asked, /) -> Prediction: ...
    @overload
    def predict(self, file: Asked, /, *files: Asked) -> Prediction | list[Prediction]: ...
    def predict(self, file: Asked, /, *files: Asked) -> Prediction | list[Prediction]:
        """Ask it about a picture (a path, or the bytes of a file), a row (a dict) or a text, or several: then a list.

        Raises DataError for what it does not take, ProviderError where it does not answer.
        """
        answers = Predictions(self._one(item) for item in (file, *files))
        return answers if files else answers[0]

    def status(self) -> dict[str, Any]:
        """``{"state": "up" | "down" | "unknown", "why", "model": {"name", "version"}, ...}``, and where it says them
        ``requests errors p50_ms p99_ms``. Does not raise for one that is down.
        """
        found = {"model": self.record.get("model", {}), **self.place.status(self.record)}
        if "canary" in self.record:
            found["canary"] = self.record["canary"]
        if self.url and found["state"] != "down":
            try:
                said = self._ask("/metrics")
            except (ProviderError, OSError) as error:
                return {**found, "state": "down", "why": getattr(error, "message", str(error))}
            if said.status == http.client.OK:
                found |= figures(said.body.decode("utf-8", "replace"))
        return found

    def logs(self, lines: int = 100) -> list[str]:
        """Its last lines, oldest first. Raises ProviderError."""
        return self.place.logs(self.record, lines)

    def update(self, model: Any = None, **options: Any) -> Endpoint:
        """Let another bundle answer: a Bundle, its folder, or whatever `nd.deploy` takes, with its `options`.

        Without `model` the bundle that answers now is put there anew. Raises ProviderError where the new one does not
        answer as it should; then the old one still answers.
        """
        bundle = self._bundle(model, **options)
        with store.held(self.name):
            before = self._fresh()
            self._keep({**self.place.update(bundle, before), **_about(bundle, before=before)})
        return self

    def rollback(self) -> Endpoint:
        """Back to the release before. Raises ProviderError where there is none."""
        with store.held(self.name):
            before = self._fresh()
            record = {**_ours(before), **self.place.rollback(before)}
            models = list(record.get("models", []))[:-1]
            now = models[-1] if models else {}
            self._keep({**record, "models": models, "model": now.get("model", {}), "bundle": now.get("bundle", "")})
        return self

    def canary(self, model: Any, share: float = 0.1, **options: Any) -> Endpoint:
        """Let another bundle answer `share` of the requests, 0..1; ``canary(None)`` ends that, `update` decides for it.

        Where the other one fails, the first answers. Raises UsageError where the place cannot divide requests.
        """
        if model is not None and not 0 < share < 1:
            raise UsageError(f"share is a number between 0 and 1, not {share}.", hint="Type: canary(bundle, 0.1)")
        bundle = None if model is None else self._bundle(model, **options)
        with store.held(self.name):
            before = self._fresh()
            self._keep({**_ours(before), **self.place.canary(bundle, before, share if bundle else 0.0)})
        return self

    def remove(self, *, forget: bool = False) -> None:
        """Take it away with all that was made for it. Twice is once. `forget` where its place is gone for good: what
        cannot be reached is left. Raises ProviderError.
        """
        with store.held(self.name):
            try:
                self.place.remove(self.record)
            except ProviderError as error:
                if not forget:
                    raise ProviderError(
                        error.message,
                        hint=f"{error.hint} Where it is gone for good: nbdeploy endpoints {self.name} remove --forget",
                    ) from error
            store.forget(self.name)

    def __repr__(self) -> str:
        return f"Endpoint({self.name!r}, {self.provider}, {self.url or 'no address yet'})"

    def __str__(self) -> str:
        model = self.record.get("model", {})
        what = f"{self.name}: {model.get('name', '')} {model.get('version', '')} at {self.url or 'no address yet'}"
        return "\n".join([f"{what} ({self.provider})", *self.usage()])

    def usage(self) -> list[str]:
        """How to ask it."""
        if not self.url:
            return ["Type what the plan says, then: nbdeploy endpoints"]
        if tunnel := self.record.get("tunnel"):
            return [f"Ask it from here: nd.endpoints()[{self.name!r}].predict(FILE)", f"Elsewhere: {tunnel}"]
        secret = ' -H "Authorization: Bearer $TOKEN"' if self.token else ""
        tokens = ["The token for TOKEN: nd.endpoints()[NAME].token".replace("NAME", repr(self.name))] if secret else []
        return [f"Ask it: curl{secret} --data-binary @photo.jpg {self.url}/predict", *tokens]

    def to_dict(self) -> dict[str, Any]:
        """Plain data: ``name provider url model``, and the provider's record. The token is not in it."""
        keys = ("name", "version", "sha256")
        model = {key: self.record.get("model", {}).get(key) for key in keys}
        return {
            "name": self.name,
            "provider": self.provider,
            "url": self.url,
            "model": model,
            "record": dict(self.record),
        }

    def _repr_html_(self) -> str:
        model = self.record.get("model", {})
        title = f"{self.name}: {model.get('name', '')} {model.get('version', '')} on {self.provider}"
        here = look.Html(f'<a href="{look.html(self.url)}" target="_blank" rel="noopener">{look.html(self.url)}</a>')
        lines = [look.tag("div", "", look.tag("code", "nbd-mono", line)) for line in self.usage()]
        return look.output(look.head(title), here if self.url else look.quiet("no address yet"), *lines)

    def _one(self, source: Asked) -> Prediction:
        try:
            name, file = raw(source, str(self.record.get("kind", "image")))
        except DataError as error:  # no such file
            raise DataError(f"{source!s} cannot be read ({error.message})", hint=error.hint) from error
        try:
            body = file if isinstance(file, bytes) else file.read_bytes()
        except OSError as error:
            raise DataError(f"{name} cannot be read ({error.strerror}).", hint="Give the path of a file.") from error
        answer = self._ask("/predict", body=body)
        if answer.status != http.client.OK:
            kind = ProviderError if answer.status in {401, 403, 404, 429} or answer.status >= 500 else DataError  # noqa: PLR2004
            raise kind(f"{name}: {answer.reason}", hint=f"{self.name} answered with status {answer.status}.")
        said = answer.json()
        row = said["predictions"][0]
        return Prediction(name, row["label"], row["probabilities"], said.get("inference_ms", float("nan")))

    def _ask(self, path: str, *, body: bytes | None = None) -> Answer:
        if not self.url:
            raise ProviderError(f"{self.name} has no address yet.", hint="Type what its plan says first.")
        return ask_again(self.url, path, body=body, token=self.token, reach=self.place.reach(self.record))

    def _bundle(self, model: Any, **options: Any) -> Bundle:
        if model is None:
            model = self.record.get("bundle", "")
            if not model or not Path(model, MANIFEST).is_file():
                raise UsageError(f"The bundle of {self.name} is no longer at {model}.", hint="Name a bundle's folder.")
        if found := as_bundle(model):
            return found
        if self._make is None:
            raise UsageError("update takes a bundle.", hint="Make one: nd.deploy(model, target=...)")
        return self._make(model, **{"target": self.record.get("target", "cloud"), **options})

    def _fresh(self) -> Record:
        """The record as it is now, which another process may have changed. Raises UnknownName where it was removed."""
        self.record = dict(store.one(self.name).record)
        return self.record

    def _keep(self, record: Mapping[str, Any]) -> None:
        settings = self._settings if self._settings is not None else store.one(self.name).settings
        store.keep(self.name, self.provider, settings, record)
        self.record = dict(record)


def as_bundle(model: Any) -> Bundle | None:
    """`model` as the bundle that it is; None for anything else."""
    if isinstance(model, Bundle):
        return Bundle.load(model.path)
    if isinstance(model, str | Path) and Path(model, MANIFEST).is_file():
        return Bundle.load(model)
    return None


def name_for(text: str) -> str:
    """An endpoint's name, good for every provider. Raises UsageError."""
    if not _NAME.fullmatch(text):
        raise UsageError(
            f'"{text}" is no name for an endpoint.',
            hint="Small letters, digits and hyphens, at most 40, a letter first: --endpoint pets",
        )
    return text


def name_from(text: str) -> str:
    """A name made of a model's name."""
    made = re.sub(r"[^a-z0-9]+", "-", text.lower()).lstrip("-0123456789")[:40].rstrip("-")
    return made or "model"


def _ours(record: Mapping[str, Any]) -> dict[str, Any]:
    """What `_about` put into the record; the rest is the provider's."""
    return {key: record[key] for key in ("model", "bundle", "target", "models") if key in record}


def _about(bundle: Bundle, *, before: Mapping[str, Any] | None = None) -> dict[str, Any]:
    one = {"model": identity(bundle), "bundle": str(bundle.path)}
    return {
        **one,
        "target": bundle.target,
        "kind": bundle.signature.kind,
        "models": [*(before or {}).get("models", []), one],
    }
