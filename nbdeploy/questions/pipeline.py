"""The options of run and init, and of the cell magic %%pipeline."""

from __future__ import annotations

from nbdeploy.parsing import Parser
from nbdeploy.questions.common import TARGET, seed
from nbdeploy.registry import targets


def run_options(parser: Parser, *, notebook: bool) -> None:
    """Give `parser` the options of `run`; in a notebook those of `%%pipeline`, whose cell is the file."""
    if notebook:
        parser.add_argument("name", nargs="?", metavar="NAME", default="pipeline", help="the variable of the result")
    else:
        what = "the file (pipeline.yaml)"
        parser.add_argument("file", nargs="?", metavar="FILE", default="pipeline.yaml", help=what)
    until = "do this step and what it needs, no more: data, clean, train, deploy, deploy:tflite-fp32"
    parser.add_argument("--until", metavar="STEP", help=until)
    again = "do this step again though nothing changed; may be given more than once"
    parser.add_argument("--force", metavar="STEP", action="append", default=[], help=again)
    parser.add_argument("--provide", action="store_true", help="put bundles at the providers that the file names, too")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace folders and endpoints that this pipeline did not make"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be done and why, and do nothing")
    if not notebook:
        check = "the same, and exit with status 1 where something is not up to date"
        parser.add_argument("--check", action="store_true", help=check)
        parser.add_argument("--schema", action="store_true", help="print the file's JSON Schema, for editors, and end")


def init_options(parser: Parser, *, notebook: bool) -> None:
    """Give `parser` the options of `init`."""
    del notebook
    parser.add_argument("folder", nargs="?", metavar="DIR", default=".", help="the folder to write the project in (.)")
    what = "your data: a folder of pictures or .txt files, one sub-folder a class; or a .csv, .zip or .tar"
    parser.add_argument("--data", metavar="DATA", required=True, help=what)
    parser.add_argument("--label", metavar="COLUMN", help="DATA is a table: the column to tell")
    parser.add_argument("--text", metavar="COLUMN", help="with --label: learn from the texts in this column alone")
    names = ", ".join(targets)
    parser.add_argument("--target", type=TARGET, default="tflite", help=f"what the bundle is for: {names} (tflite)")
    parser.add_argument("--name", help="what the model is called (the folder's name)")
    seed(parser)
