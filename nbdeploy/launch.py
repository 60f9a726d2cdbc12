"""From a model or a bundle to an endpoint: what `nd.deploy` does with a provider."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbdeploy import registry
from nbdeploy.core.bundle import Bundle
from nbdeploy.core.report import Status
from nbdeploy.core.working import phase
from nbdeploy.errors import ProviderError, UsageError
from nbdeploy.providers import store
from nbdeploy.providers.base import Plan, Provider
from nbdeploy.providers.endpoint import Endpoint, Make, as_bundle, name_for, name_from

TARGET = "cloud"


def launch(
    model: Any,
    *,
    make: Make,
    provider: str,
    endpoint: str | None,
    settings: Mapping[str, str] | None,
    dry_run: bool,
    **asked: Any,
) -> Endpoint | Plan:
    """Put `model` at the `provider`; `make` makes a bundle of it, with what else was `asked`. Raises ProviderError."""
    asked = {**asked, "target": asked["target"] or TARGET} if as_bundle(model) is None else asked
    settings = {key: str(value) for key, value in (settings or {}).items()}
    place: Provider = registry.providers.load(provider)(**settings)
    name = None if endpoint is None else name_for(endpoint)
    if dry_run:
        return _planned(model, place, name, make, asked)
    with phase("plan"):
        _insist(place)
        known = None if name is None else _taken(name, place, make, overwrite=asked["overwrite"])
    bundle = _bundle(model, make, asked)
    if name is None:
        name = name_from(bundle.name)
        known = _taken(name, place, make, overwrite=asked["overwrite"])
    with phase("start"):
        if known is not None:
            return known.update(bundle)
        return Endpoint.create(bundle, name, place, settings, make=make)


def _planned(model: Any, place: Provider, name: str | None, make: Make, asked: dict[str, Any]) -> Plan:
    """The plan alone: a bundle that is made for it goes away again."""
    with tempfile.TemporaryDirectory(prefix="nbdeploy-") as folder:
        bundle = _bundle(model, make, {**asked, "out": Path(folder) / "bundle"})
        return place.plan(bundle, name or name_from(bundle.name))


def _bundle(model: Any, make: Make, asked: dict[str, Any]) -> Bundle:
    bundle = as_bundle(model)
    if bundle is None:
        return make(model, **asked)
    if asked["target"] not in {None, bundle.target}:
        raise UsageError(
            f"{bundle.path} is a bundle for {bundle.target}, not for {asked['target']}.",
            hint="Leave the target out, or name the model that the bundle was made from.",
        )
    return bundle


def _insist(place: Provider) -> None:
    """Raise ProviderError where something stands in the way, before minutes of work."""
    wrong = next((check for check in place.check() if check.status is Status.failed), None)
    if wrong is not None:
        raise ProviderError(f"{place.name} is not ready: {wrong.why}", hint="nbdeploy doctor says what is there.")


def _taken(name: str, place: Provider, make: Make, *, overwrite: bool) -> Endpoint | None:
    """The endpoint of that name that is to be updated; None where there is none. Raises UsageError."""
    if name not in {kept.name for kept in store.every()}:
        return None
    known = Endpoint.load(name, make=make)
    if not overwrite or known.provider != place.name:
        raise UsageError(
            f"There is an endpoint {name} already ({known.provider}).",
            hint="Choose another name (--endpoint NAME), or let the new bundle take its place: "
            f"nbdeploy endpoints {name} update BUNDLE"
            + (" (or --overwrite)." if known.provider == place.name else f"; or remove it: endpoints {name} remove."),
        )
    return known
