"""Hugging Face: a Docker Space, uploaded with huggingface_hub."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from nbdeploy.core.report import Check, Status
from nbdeploy.errors import ProviderError
from nbdeploy.providers import store
from nbdeploy.providers.base import Record, Setting
from nbdeploy.providers.image import image_files
from nbdeploy.providers.plain import as_yaml
from nbdeploy.providers.probe import insist, probe
from nbdeploy.providers.releases import before, insist_new, tag_of
from nbdeploy.providers.written import COMMANDS, COMMON, Commands, Written

if TYPE_CHECKING:
    from huggingface_hub import HfApi

    from nbdeploy.core.bundle import Bundle

_PORT = 7860  # what a Space takes for granted
_PAUSE_S = 5.0
_PATIENCE_S = 1800.0
_UP = {"RUNNING", "RUNNING_BUILDING", "RUNNING_APP_STARTING"}
_GOING = {"BUILDING", "APP_STARTING"} | _UP


class HuggingFace(Written):
    """Acts where a token is known (HF_TOKEN, or ``hf auth login``); the Space builds the image itself."""

    name = "huggingface"
    summary = "Hugging Face: a Docker Space, uploaded with huggingface_hub"
    acts = True
    tool = "hf"
    get = "It comes with huggingface_hub."
    settings = (
        Setting("owner", "your name there, or your organisation's"),
        Setting("hardware", "the Space's hardware", "cpu-basic"),
        *COMMON,
    )
    notes = (
        "The Space is public: anyone can read its files, the model too. The server asks for the bearer token.",
        "On free hardware a Space goes to sleep after some days without a request, and wakes with the next one.",
    )

    def check(self) -> list[Check]:
        from huggingface_hub import get_token  # noqa: PLC0415

        known = get_token() is not None
        why = "A token is known." if known else "No token is known: export HF_TOKEN=..., or type hf auth login"
        return [Check("credentials", Status.passed if known else Status.failed, why=why)]

    def files(self, bundle: Bundle, name: str) -> Mapping[str, str]:
        front = {
            "title": name,
            "emoji": "📦",
            "colorFrom": "gray",
            "colorTo": "blue",
            "sdk": "docker",
            "app_port": _PORT,
            "pinned": False,
            "short_description": f"{bundle.name} {bundle.version}"[:60],
        }
        about = f"# {bundle.name} {bundle.version}\n\nPOST a picture to /predict with the bearer token; see /docs.\n"
        return {"README.md": f"---\n{as_yaml(front)}---\n\n{about}"}

    def image(self, bundle: Bundle) -> dict[str, str]:
        made = image_files(bundle, f"ENV PORT={_PORT}")
        return {"Dockerfile": made["Containerfile"], ".dockerignore": made[".dockerignore"]}

    def commands(self, name: str, tag: str) -> Commands:
        space = f"{self.given['owner']}/{name}"
        upload = f"hf upload {space} . . --repo-type space --delete '*' --commit-message {tag}"
        return Commands(
            create=(f"hf repo create {space} --repo-type space --space-sdk docker --exist-ok", upload),
            update=(upload,),
            remove=(f"hf repo delete {space} --repo-type space",),
        )

    def address(self, name: str) -> str:
        return f"https://{self.given['owner']}-{name}.hf.space".lower()

    def apply(self, bundle: Bundle, name: str) -> Record:
        record, api, space = super().apply(bundle, name), self.api(), self._space(name)
        secret = {"key": "NBDEPLOY_TOKEN_SHA256", "value": store.token_hash(name)}
        fixed = [{"key": "ORT_DISABLE_TELEMETRY", "value": "1"}]
        made, hardware = False, cast("Any", self.given["hardware"])  # whatever the place offers by now
        try:
            with _said():
                api.create_repo(
                    space,
                    repo_type="space",
                    space_sdk="docker",
                    space_hardware=hardware,
                    space_secrets=[secret],
                    space_variables=fixed,
                )
                made = True
            self._release(bundle, record, tag_of(bundle))
        except ProviderError:
            if made:
                self.remove(record)
            else:
                shutil.rmtree(record["folder"])
            raise
        return {**record, "commands": []}

    def status(self, record: Record) -> dict[str, Any]:
        try:
            with _said():
                stage = str(self.api().get_space_runtime(self._space(record["name"])).stage)
        except ProviderError as error:
            return {"state": "unknown", "why": error.message}
        return {"state": "up" if stage in _UP else "down", "why": f"the Space says {stage}"}

    def logs(self, record: Record, lines: int = 100) -> list[str]:
        with _said():
            every = list(self.api().fetch_space_logs(self._space(record["name"])))
        return [line.rstrip("\n") for line in every][-lines:]

    def update(self, bundle: Bundle, record: Record) -> Record:
        tag = tag_of(bundle)
        insist_new(record["name"], tag, record["tags"])
        self._write(bundle, record["name"], store.token(record["name"]))
        commit = self._last(record)
        try:
            self._release(bundle, record, tag)
        except ProviderError:
            self._back(record, commit)
            raise
        commits = {**record.get("commits", {}), record["tags"][-1]: commit}
        return {**record, "tags": [*record["tags"], tag], "made": [*record["made"], tag], "commits": commits}

    def rollback(self, record: Record) -> Record:
        self._back(record, record["commits"][before(record["name"], record["tags"])])
        return {**record, "tags": record["tags"][:-1]}

    def remove(self, record: Record) -> None:
        with _said():
            self.api().delete_repo(self._space(record["name"]), repo_type="space", missing_ok=True)
        if (Path(record["folder"]) / COMMANDS).is_file():
            shutil.rmtree(record["folder"])

    def api(self) -> HfApi:
        """huggingface_hub's client."""
        from huggingface_hub import HfApi  # noqa: PLC0415

        return HfApi()

    def _space(self, name: str) -> str:
        return f"{self.given['owner']}/{name}"

    def _last(self, record: Record) -> str:
        with _said():
            return str(self.api().list_repo_commits(self._space(record["name"]), repo_type="space")[0].commit_id)

    def _release(self, bundle: Bundle, record: Record, tag: str) -> None:
        """Upload the folder, wait until the Space runs it, and hold it to the samples. Raises ProviderError."""
        self._upload(record, Path(record["folder"]), tag)
        insist(
            probe(record["url"], bundle, store.token(record["name"]), ready_s=_PATIENCE_S),
            f"{record['name']} does not answer as it should",
        )

    def _upload(self, record: Record, folder: Path, message: str) -> None:
        api, space = self.api(), self._space(record["name"])
        with _said():
            api.upload_folder(
                repo_id=space,
                folder_path=folder,
                repo_type="space",
                commit_message=message,
                ignore_patterns=[COMMANDS],
                delete_patterns=["*"],
            )
        until = time.monotonic() + _PATIENCE_S
        while True:
            with _said():
                stage = str(api.get_space_runtime(space).stage)
            if stage == "RUNNING":
                return
            if stage not in _GOING or time.monotonic() > until:
                raise ProviderError(f"The Space {space} does not run ({stage}).", hint="Its build log says why.")
            time.sleep(_PAUSE_S)

    def _back(self, record: Record, commit: str) -> None:
        """Upload once more what the Space held at `commit`."""
        with tempfile.TemporaryDirectory(prefix="nbdeploy-") as place:
            with _said():
                self.api().snapshot_download(
                    self._space(record["name"]), repo_type="space", revision=commit, local_dir=place
                )
            shutil.rmtree(Path(place) / ".cache", ignore_errors=True)
            self._upload(record, Path(place), f"back to {commit[:8]}")


@contextmanager
def _said() -> Iterator[None]:
    """The hub's refusals as ProviderErrors."""
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError  # noqa: PLC0415

    try:
        yield
    except (HfHubHTTPError, LocalTokenNotFoundError, OSError, ValueError) as error:
        why = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ProviderError(f"Hugging Face refused: {why}", hint="Is HF_TOKEN one that may write?") from error
