"""The options of the verbs that work on data: dataset, collect, audit, clean."""

from __future__ import annotations

from nbdeploy.core.finding import KINDS
from nbdeploy.errors import UnknownName
from nbdeploy.parsing import Named, Parser, share, whole
from nbdeploy.questions.common import ENGINE, listed, seed


def _datasets() -> list[str]:
    from nbdeploy.data.cards import dataset_cards  # noqa: PLC0415 - reads the cards

    return list(dataset_cards())


def _dataset(name: str) -> str:
    from nbdeploy.data.cards import card  # noqa: PLC0415 - reads the cards

    return card(name).name


DATASET = Named(_datasets, _dataset)


def dataset_options(parser: Parser, *, notebook: bool) -> None:
    """Give `parser` the options of `dataset`."""
    del notebook
    parser.add_argument("name", nargs="?", type=DATASET, metavar="NAME", help="which data set; --list shows them")
    parser.add_argument("-o", "--out", metavar="DIR", help="the folder to make")
    parser.add_argument("--overwrite", action="store_true", help="take the place of a folder that exists")
    parser.add_argument("--list", action="store_true", help="list the data sets, and do nothing else")


def collect_options(parser: Parser, *, notebook: bool) -> None:
    """Give `parser` the options of `collect`."""
    del notebook
    parser.add_argument("folder", metavar="DIR", help="the folder to collect into; made where it is not there")
    parser.add_argument("--classes", type=listed, default=(), metavar="A,B", help="classes to begin with")
    parser.add_argument("--valid", type=share, default=0.2, metavar="SHARE", help="share of files held out (0.2)")
    seed(parser)


def _kind(name: str) -> str:
    if name not in KINDS:
        raise UnknownName("kind of finding", name, KINDS)
    return name


def audit_options(parser: Parser, *, notebook: bool) -> None:
    """Give `parser` the options of `audit`."""
    del notebook
    what = (
        "a folder of pictures or of .txt files; a table (.csv, .tsv, .jsonl, .parquet); or a .zip or .tar of pictures"
    )
    parser.add_argument("data", metavar="DATA", help=what)
    parser.add_argument("--label", default="", metavar="COLUMN", help="the column of a table that is to be predicted")
    parser.add_argument("--text", metavar="COLUMN", help="the column of a table that holds text; found out by default")
    parser.add_argument("--split", default="", metavar="COLUMN", help="the column of a table that says train or valid")
    kinds = Named(lambda: KINDS, _kind)
    parser.add_argument("--kind", type=kinds, metavar="KIND", help=f"show one kind only: {', '.join(KINDS)}")
    parser.add_argument("--top", type=whole(1), metavar="N", help="show the N most suspect only")
    parser.add_argument(
        "--engine", type=ENGINE, default="local", help="where files are measured: local (default) or ray"
    )
    seed(parser)


def clean_options(parser: Parser, *, notebook: bool) -> None:
    """Give `parser` the options of `clean`."""
    del notebook
    what = "a folder of pictures, fit to train on or not; a .csv, .zip or .tar; or the name of an ImageSet"
    parser.add_argument("images", metavar="DIR", help=what)
    parser.add_argument("--learn", metavar="NAME", help="the name of a Learner, which then judges, not thumbnails")
    parser.add_argument("--journal", metavar="FILE", help="where decisions are kept (decisions.jsonl beside the data)")
    seed(parser)
