"""What every provider promises. A provider's test is a subclass with its name; the tests come from here.

class TestMine(ProviderContract):
    provider = "mine"
    settings = {"host": "127.0.0.1"}

One that acts here runs its whole life once a class, with a real bundle; the tests look at what was seen on the way. One
that cannot act where the tests run says why in `cannot_act`: then its plan alone is held to the contract.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest

import nbdeploy as nd
from nbdeploy import registry
from nbdeploy.core.report import Check, Status
from nbdeploy.errors import MissingExtra, ProviderError, UsageError
from nbdeploy.providers import store
from nbdeploy.providers.base import Provider
from nbdeploy.providers.endpoint import Endpoint
from nbdeploy.providers.table import Endpoints

SECRET = "a-secret-of-the-test"


@dataclass
class Life:
    """What was seen of an endpoint from its making to its end."""

    seen: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.seen[name]


class ProviderContract:
    """Bind `provider`, and `settings` where it needs some."""

    provider: ClassVar[str]
    settings: ClassVar[dict[str, str]] = {}
    cannot_act: ClassVar[str] = ""
    name: ClassVar[str] = "colours-test"

    @pytest.fixture(scope="class")
    def given(self) -> dict[str, str]:
        """The settings; a subclass overrides it where they are found out first."""
        return dict(self.settings)

    @pytest.fixture
    def place(self, given: dict[str, str]) -> Provider:
        made: Provider = registry.providers.load(self.provider)(**given)
        return made

    @pytest.fixture(scope="class")
    def life(self, given: dict[str, str], cloud_bundle: nd.Bundle, version_of: Callable[[str], nd.Bundle]) -> Life:
        if self.cannot_act:
            pytest.skip(self.cannot_act)
        place: Provider = registry.providers.load(self.provider)(**given)
        seen: dict[str, Any] = {"checks": place.check()}
        picture = cloud_bundle.path / cloud_bundle.manifest["samples"][0]
        one = Endpoint.create(cloud_bundle, self.name, place, given)
        try:
            seen["record"], seen["url"] = dict(one.record), one.url
            seen["status"], seen["answer"] = one.status(), one.predict(picture)
            seen["again"] = Endpoints()[self.name].predict(picture)
            one.update(version_of("2.0.0"))
            seen["updated"] = one.status()
            seen["rows"] = Endpoints().rows()
            one.rollback()
            seen["back"] = one.status()
            with pytest.raises(ProviderError) as none:
                one.rollback()
            seen["no_more"], seen["logs"] = none.value, one.logs(5)
        finally:
            one.remove()
        seen["gone"] = place.status(seen["record"])
        seen["place"] = place
        return Life(seen)

    def test_its_plan_touches_nothing(
        self, place: Provider, cloud_bundle: nd.Bundle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """No network, no file, no process."""

        def refuse(*_: Any, **__: Any) -> None:
            raise AssertionError("a plan asked the network or started a process")

        monkeypatch.setattr(socket.socket, "connect", refuse)
        monkeypatch.setattr("subprocess.Popen.__init__", refuse)
        monkeypatch.setenv("NBDEPLOY_STATE", str(tmp_path / "state"))
        monkeypatch.chdir(tmp_path)
        plan = place.plan(cloud_bundle, self.name)
        assert [] == list(tmp_path.iterdir())
        assert (self.provider, self.name) == (plan.provider, plan.name)
        assert plan.steps
        assert plan.price or plan.why_no_price

    def test_its_plan_can_be_read_and_stored(self, place: Provider, cloud_bundle: nd.Bundle) -> None:
        plan = place.plan(cloud_bundle, self.name)
        assert all(step in str(plan) for step in plan.steps)
        assert self.name in plan._repr_html_()
        assert plan.to_dict() == json.loads(json.dumps(plan.to_dict()))

    def test_what_is_secret_is_not_in_its_plan(self, given: dict[str, str], cloud_bundle: nd.Bundle) -> None:
        kind = registry.providers.load(self.provider)
        secret = {setting.name: SECRET for setting in kind.settings if setting.secret}
        assert SECRET not in str(kind(**{**given, **secret}).plan(cloud_bundle, self.name))

    def test_it_refuses_a_setting_that_it_does_not_know(self, given: dict[str, str]) -> None:
        with pytest.raises(UsageError, match="knows no setting"):
            registry.providers.load(self.provider)(**given, no_such_setting="1")

    def test_it_names_the_settings_that_it_needs(self) -> None:
        kind = registry.providers.load(self.provider)
        needed = [setting.name for setting in kind.settings if setting.default is None]
        if not needed:
            kind()
            return
        with pytest.raises(UsageError, match=needed[0]):
            kind()

    def test_a_package_that_is_missing_is_named_with_its_extra(
        self, given: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kind = registry.providers.load(self.provider)
        monkeypatch.setattr(kind, "requires", ("no_such_package",))
        with pytest.raises(MissingExtra, match="no_such_package"):
            kind(**given)

    def test_every_setting_says_what_it_is(self) -> None:
        kind = registry.providers.load(self.provider)
        assert [] == [setting.name for setting in kind.settings if not setting.about]
        assert kind.status_here in {"run", "contract-tested", "generated"}
        assert kind.name == self.provider == registry.providers.canonical(self.provider)

    def test_nothing_stands_in_its_way(self, life: Life) -> None:
        assert [] == [check for check in life["checks"] if check.status is Status.failed]
        assert all(isinstance(check, Check) for check in life["checks"])

    def test_it_answers_as_the_bundle_does(self, life: Life, cloud_bundle: nd.Bundle) -> None:
        here = cloud_bundle.predict(cloud_bundle.path / cloud_bundle.manifest["samples"][0])
        assert here.label == life["answer"].label
        assert here.probabilities == pytest.approx(life["answer"].probabilities, abs=1e-4)

    def test_it_is_up_and_is_found_again_by_its_name(self, life: Life) -> None:
        assert "up" == life["status"]["state"]
        assert life["answer"].probabilities == pytest.approx(life["again"].probabilities, abs=1e-6)

    def test_an_update_answers_and_a_rollback_brings_back_what_was(self, life: Life) -> None:
        assert ["1.0.0", "2.0.0", "1.0.0"] == [life[at]["model"]["version"] for at in ("status", "updated", "back")]
        assert "up" == life["back"]["state"]
        (row,) = [row for row in life["rows"] if row["name"] == self.name]
        assert ("up", "2.0.0", "1.0.0") == (row["state"], row["version"], row["back"])

    def test_without_an_earlier_release_there_is_no_way_back(self, life: Life) -> None:
        assert "no release before" in str(life["no_more"])

    def test_its_record_is_plain_and_holds_no_token(self, life: Life) -> None:
        assert life["record"] == json.loads(json.dumps(life["record"]))
        assert "token" not in life["record"]

    def test_it_has_logs(self, life: Life) -> None:
        assert life["logs"]
        assert all(isinstance(line, str) for line in life["logs"])

    def test_nothing_is_left_of_it_and_removing_it_twice_is_once(self, life: Life) -> None:
        assert "up" != life["gone"]["state"]
        assert self.name not in {kept.name for kept in store.every()}
        assert "" == store.token(self.name)
        life["place"].remove(life["record"])
