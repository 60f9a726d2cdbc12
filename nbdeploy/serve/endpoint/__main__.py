"""``python app/server`` from a bundle's folder."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

# onnxruntime reports usage to its makers unless told not to before it is loaded.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"


def _load() -> None:
    """Make this folder a package of its own. Its files must not be found as modules of others: limits, say."""
    folder = Path(__file__).resolve().parent
    sys.dont_write_bytecode = True  # a bundle stays as it was made
    sys.path[:] = [place for place in sys.path if Path(place or ".").resolve() != folder]
    spec = importlib.util.spec_from_file_location(
        "bundle_server", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    sys.modules["bundle_server"] = package = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)


if __name__ == "__main__":
    _load()
    try:
        commands = importlib.import_module("bundle_server.command")
    except ModuleNotFoundError as error:
        here = Path(__file__).resolve()
        sys.exit(f"{error}. Type: pip install -r {here.with_name('requirements.txt')}")
    raise SystemExit(commands.main(sys.argv[1:]))
