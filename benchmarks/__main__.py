"""Run the benchmarks: `make bench`, or `make bench ARGS="deploy --quick"`. Figures are printed as Markdown tables."""

from __future__ import annotations

import argparse
import importlib

NAMES = ("clean", "coreml", "deploy", "grid", "lines", "serve", "tables", "tutorials", "web")


def main() -> None:
    """Run the named benchmarks, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(NAMES)}; all when none is named")
    parser.add_argument("--quick", action="store_true", help="less training and fewer runs, to see that it works")
    options = parser.parse_args()
    for name in options.names or NAMES:
        if name not in NAMES:
            parser.error(f'there is no benchmark "{name}"; known: {", ".join(NAMES)}')
        importlib.import_module(f"benchmarks.{name}").run(quick=options.quick)


if __name__ == "__main__":
    main()
