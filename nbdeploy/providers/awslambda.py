"""AWS Lambda: the endpoint as a function in a container image, with a function URL."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbdeploy.providers.base import Setting
from nbdeploy.providers.image import image_files
from nbdeploy.providers.plain import from_json
from nbdeploy.providers.written import COMMON, IMAGE, Commands, Written

if TYPE_CHECKING:
    from nbdeploy.core.bundle import Bundle

HOSTS = Path(__file__).resolve().parents[1] / "templates" / "hosts"
_PARTS = ("inprocess.py", "awslambda.py")


class AwsLambda(Written):
    """A Containerfile that starts the adapter, and aws's commands."""

    name = "lambda"
    summary = "AWS Lambda: a container image with an adapter, and aws's commands"
    tool = "aws"
    get = "See docs.aws.amazon.com/cli."
    credentials = ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_ROLE_ARN")
    sign_in = "type aws configure, or aws sso login"
    needs_image = True
    guarded = False
    settings = (
        IMAGE,
        Setting("role", "the ARN of the role that the function runs as"),
        Setting("region", "where it runs, as eu-central-1"),
        Setting("memory", "megabytes; processors grow with it", "1769"),
        Setting("architecture", "x86_64 or arm64: what the image was built for", "x86_64"),
        *COMMON,
    )
    notes = (
        "The function URL asks callers for a signature of AWS (AWS_IAM), so the server asks for no token of its own.",
        "Lambda takes 6 MB of request: one picture of at most 4.4 MB. The first one after a pause waits for a start.",
        "Where docker builds with buildx, add --provenance=false: Lambda takes plain images only.",
    )

    def files(self, bundle: Bundle, name: str) -> Mapping[str, str]:
        return {f"hosts/{part}": (HOSTS / part).read_text(encoding="utf-8") for part in _PARTS}

    def image(self, bundle: Bundle) -> dict[str, str]:
        return image_files(bundle, 'ENTRYPOINT ["python3", "hosts/awslambda.py", "."]', "CMD []")

    def commands(self, name: str, tag: str) -> Commands:
        given, region = self.given, f"--region {self.given['region']}"
        image = f"{given['image']}:{tag}"
        code = f"aws lambda update-function-code --function-name {name} --image-uri {image} --publish {region}"
        create = (
            f"aws lambda create-function --function-name {name} --package-type Image --code ImageUri={image} "
            f"--role {given['role']} --memory-size {given['memory']} --timeout 30 "
            f"--architectures {given['architecture']} "
            f"--environment Variables={{NBDEPLOY_PUBLIC=1,ORT_DISABLE_TELEMETRY=1}} {region}"
        )
        return Commands(
            create=(
                create,
                f"aws lambda wait function-active-v2 --function-name {name} {region}",
                f"aws lambda create-function-url-config --function-name {name} --auth-type AWS_IAM {region}",
            ),
            update=(code, f"aws lambda wait function-updated-v2 --function-name {name} {region}"),
            rollback=(code, f"aws lambda wait function-updated-v2 --function-name {name} {region}"),
            remove=(f"aws lambda delete-function --function-name {name} {region}",),
            status=f"aws lambda get-function --function-name {name} {region} --output json",
            logs=f"aws logs tail /aws/lambda/{name} --since 1h --format short {region}",
        )

    def read(self, said: str) -> dict[str, Any]:
        function = from_json(said).get("Configuration", {})
        state = {"Active": "up", "Inactive": "up", "Failed": "down"}.get(function.get("State", ""), "unknown")
        why = function.get("StateReason") or f"the function is {function.get('State', 'not described')}"
        return {"state": state, "why": why}
