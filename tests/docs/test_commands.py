"""Every command that README and docs show is run, in one folder and in the order of the pages, or says why not.

A command is really run: `nbdeploy ...` by the command's own entry, cells in a real IPython shell. `sandbox.SMALLER`
says what is made smaller. A block that needs an account, a phone, a network, or ends never, stands after a comment
`<!-- not run: why -->` of the page; its nbdeploy commands and magics are then at least parsed.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from nbdeploy.cli import parser
from nbdeploy.errors import NbdeployError, UsageError
from nbdeploy.options import MAGICS, VERBS, add_options
from nbdeploy.parsing import Parser
from tests.docs.blocks import PYTHON, SHELL, TOOLS, Block, blocks, pages, spans
from tests.docs.sandbox import Sandbox

ROOT = Path(__file__).resolve().parents[2]
PAGES = pages(ROOT)
MAGIC = re.compile(rf"^\s*(?:\w+ = )?%({'|'.join(MAGICS)})\b(.*)$", re.MULTILINE)


def of(page: Path) -> list[Block]:
    return blocks(page.read_text(encoding="utf-8"), page.relative_to(ROOT).as_posix())


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with pytest.MonkeyPatch.context() as patch:
        made = Sandbox(tmp_path_factory.mktemp("pages"), patch)
        yield made
        made.close()


def check_words(block: Block) -> None:
    """Parse what a block shows, by nbdeploy's own parsers. Raises NbdeployError, SyntaxError or AssertionError."""
    if block.kind == "shell":
        for line in block.lines:
            words = shlex.split(line)
            assert words[0] in SHELL, f"{block.place}: what is {words[0]}?"
            if words[0] == "nbdeploy" and "--help" not in words:
                assert parser().parse_args(words[1:]).verb in {*VERBS, "completion"}
    elif block.kind == "python":
        for verb, line in MAGIC.findall(block.text):
            if "--help" not in line:
                add_options(Parser(), verb, notebook=True).parse_args(shlex.split(line.partition("#")[0]))
        ast.parse(TransformerManager().transform_cell(block.text))
    else:
        hidden = [line for line in block.lines if re.match(rf"(?:{'|'.join(SHELL - TOOLS)}) \w", line)]
        assert [] == hidden or block.why_not, f"{block.place} shows commands and is marked as text"
        assert not re.search(r"^\s*(?:import nbdeploy|(?:\w+ = )?%[a-z]+ )", block.text, re.MULTILINE), block.place


def run(block: Block, sandbox: Sandbox) -> None:
    """Run what a block shows. Fails where it cannot run here and does not say so."""
    if block.kind == "python":
        sandbox.cell(block.text)
    for line in block.lines if block.kind == "shell" else ():
        assert line.startswith("nbdeploy "), (
            f"{block.place}: {line.split()[0]} cannot run here: say why, <!-- not run: ... -->"
        )
        ends = not re.match(r"nbdeploy (serve|endpoints .*--watch|demo)\b", line)
        assert ends, f"{block.place}: it ends late or never: say why, <!-- not run: ... -->"
        sandbox.terminal(line)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_is_one_that_the_parsers_take(page: Path) -> None:
    for block in of(page):
        check_words(block)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_within_a_sentence_has_a_verb_and_options_that_there_are(page: Path) -> None:
    for piece in spans(page.read_text(encoding="utf-8")):
        if "..." in piece or not (found := re.match(r"(nbdeploy |%)([a-z]+)\b(.*)", piece)):
            continue
        start, verb, rest = found.groups()
        if start == "%" and verb not in MAGICS:
            assert verb in {"load", "pip"}, f"{piece}: there is no such magic"
            continue
        assert verb in (MAGICS if start == "%" else {*VERBS, "completion"}), f"{piece}: there is no such verb"
        known = {
            option
            for action in add_options(Parser(), verb, notebook=start == "%").actions()
            for option in action.option_strings
        }
        assert set(re.findall(r"(?<!\S)--?[a-z][\w-]*", rest)) <= known | {"--help"}, piece


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_runs_or_says_why_not(page: Path, sandbox: Sandbox) -> None:
    for block in of(page):
        if block.why_not:
            print(f"not run: {block.place}: {block.why_not}")
        else:
            run(block, sandbox)
    sandbox.end_page()


def test_a_reason_is_a_reason() -> None:
    short = [block.place for page in PAGES for block in of(page) if block.why_not and len(block.why_not.split()) < 4]
    assert [] == short


def test_no_reason_stands_without_its_block() -> None:
    said = sum(len(re.findall(r"^\s*<!-- not run: ", page.read_text(encoding="utf-8"), re.MULTILINE)) for page in PAGES)
    assert said == sum(bool(block.why_not) for page in PAGES for block in of(page))


@pytest.mark.parametrize(
    ("shown", "error"),
    [
        ("```bash\nnbdeploy deploy build/model --target tflight -o build/x\n```", NbdeployError),
        ("```bash\nnbdeploy deploy build/model --taget tflite -o build/x\n```", UsageError),
        ("    nbdeploy depoly build/model", NbdeployError),
        ("```python\n%deploy --target tflite --reciep fp16\n```", UsageError),
        ("```python\nbundle = nd.deploy(learn\n```", SyntaxError),
        ("```text\nnbdeploy train data/digits\n```", AssertionError),
        ("```bash\nfrobnicate build/model\n```", AssertionError),
    ],
)
def test_a_wrong_command_in_a_page_is_found(shown: str, error: type[Exception]) -> None:
    (block,) = blocks(f"# A page\n\nType:\n\n{shown}\n", "page.md")
    with pytest.raises(error):
        check_words(block)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shown", "error"),
    [
        ("```bash\nnbdeploy predict build/nothing photo.jpg\n```", AssertionError),
        ("```bash\nnbdeploy deploy build/model --target torch --recipe static_int8 -o build/x\n```", AssertionError),
        ("```bash\ncurl http://127.0.0.1:8000/predict\n```", AssertionError),
        ("```python\nimport nbdeploy as nd\nnd.Bundle.load('build/nothing')\n```", NbdeployError),
        ("```python\nimport nbdeploy as nd\nnd.depoly\n```", AttributeError),
    ],
)
def test_a_command_that_does_not_work_is_found_when_it_is_run(
    shown: str, error: type[Exception], sandbox: Sandbox
) -> None:
    (block,) = blocks(f"# A page\n\nType:\n\n{shown}\n", "page.md")
    check_words(block)
    with pytest.raises(error):
        run(block, sandbox)


def test_a_block_is_told_by_its_words_and_by_its_mark() -> None:
    text = """
Some words.

    nbdeploy doctor

<!-- not run: it needs
     an account at Example -->
```bash
curl http://x
```

    learn = %train data

- in a list

      pip install x

      and: a tree
"""
    found = blocks(text, "page.md")
    assert ["shell", "shell", "python", "shell"] == [block.kind for block in found]
    assert ["", "it needs an account at Example", "", ""] == [block.why_not for block in found]
    assert PYTHON.search("bundle = nd.deploy(learn)")
