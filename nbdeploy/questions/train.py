"""The options of train."""

from __future__ import annotations

from nbdeploy.parsing import Parser, rate, share, whole
from nbdeploy.questions.common import NET, seed

KEEP = ("last", "best", "accuracy")
PRECISIONS = ("auto", "fp32", "fp16", "bf16")


def _rate(text: str) -> float | str:
    return text if text == "find" else rate(text)


def train_options(parser: Parser, *, notebook: bool) -> None:
    """Give `parser` the options of `train`."""
    where = "a folder of pictures or .txt files, one sub-folder a class; or a .csv, .zip or .tar"
    parser.add_argument(
        "data", metavar="DIR", help=where + ("; or the name of an ImageSet, Table or Texts" if notebook else "")
    )
    parser.add_argument("--label", metavar="COLUMN", help="DIR is a table: learn from its rows to tell this column")
    parser.add_argument("--text", metavar="COLUMN", help="with --label: learn from the texts in this column alone")
    if not notebook:  # a notebook keeps the Learner; a terminal has to keep a file
        parser.add_argument("-o", "--out", metavar="MODEL", required=True, help="the folder to save the model in")
        parser.add_argument("--overwrite", action="store_true", help="take the place of a model that exists")
        parser.add_argument("--report", metavar="FILE.html", help="write a page on what it gets right and wrong")
    parser.add_argument("--arch", type=NET, default="resnet18", help="any torchvision or timm name (resnet18)")
    parser.add_argument("--epochs", type=whole(1), metavar="N", help="passes over the data (5; of rows and texts more)")
    parser.add_argument("--size", type=whole(1), metavar="PIXELS", help="side of the square the model sees")
    parser.add_argument(
        "--lr", type=_rate, metavar="RATE", help='highest learning rate, or "find" to look for one first; usual: 0.002'
    )
    parser.add_argument("--batch-size", type=whole(1), metavar="N", help="pictures, rows or texts a step (64)")
    parser.add_argument("--from-scratch", dest="pretrained", action="store_false", help="use no pretrained weights")
    parser.add_argument(
        "--no-flip", dest="flip", action="store_false", help="mirror no pictures: for digits, text, signs"
    )
    parser.add_argument("--class-weights", action="store_true", help="weigh rare classes more in the loss")
    parser.add_argument(
        "--keep",
        choices=KEEP,
        default="last",
        help="the epoch whose weights are kept: last, best (lowest held-out loss), accuracy (highest)",
    )
    parser.add_argument("--resume", action="store_true", help="go on where a killed training of the same line stopped")
    parser.add_argument(
        "--precision", choices=PRECISIONS, default="auto", help="mixed precision on a GPU (auto); weights stay float32"
    )
    parser.add_argument("--raw", action="store_true", help="without what was decided about the pictures")
    parser.add_argument("--valid", type=share, default=0.2, metavar="SHARE", help="share of files held out (0.2)")
    parser.add_argument("--log", metavar="NAME", help="send figures to mlflow or tensorboard, where you have it")
    seed(parser)


def pretrained_options(parser: Parser, *, notebook: bool) -> None:
    """Give `parser` the options of `pretrained`."""
    parser.add_argument("arch", type=NET, metavar="ARCH", help="any torchvision or timm name that has weights")
    if not notebook:
        parser.add_argument("-o", "--out", metavar="MODEL", required=True, help="the folder to save the model in")
        parser.add_argument("--overwrite", action="store_true", help="take the place of a model that exists")
    where = "a folder of pictures" + (", or the name of an ImageSet," if notebook else "")
    parser.add_argument("--images", metavar="DIR", help=f"{where} to compare and calibrate with; made-up ones else")
    parser.add_argument("--weights", metavar="FILE", help="your own: .pth, .pt or .safetensors")
    parser.add_argument("--labels", metavar="FILE", help="its labels, one a line, in output order")
    seed(parser)
