"""The documents agree with the code: commands, options, links, problem codes and generated pages."""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
from collections.abc import Iterator
from fnmatch import fnmatchcase
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import typer.main

from jalons.cli import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "services").glob("*/README.md")],
)
VERBS = frozenset(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))

_BLOCK = re.compile(r"^ *```.*?\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`]+)`")
_JALONS = re.compile(r"""(?:^|[\s"'(/])jalons +([a-z<-].*)""")
_IN_A_CONTAINER = re.compile(r"docker compose run (?:--\S+ )*(?:referrals|observation|notifications) (.*)")
_MAKE = re.compile(r"""(?:^|[\s(])make ([a-z-]+)(?: ARGS="([^"]*)")?""")
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def _named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def code_of(text: str) -> Iterator[str]:
    """Every line of code, in blocks and inline; continued lines are joined."""
    blocks = _BLOCK.findall(text)
    for block in blocks:
        yield from block.replace("\\\n", " ").splitlines()
    yield from (span.replace("\n", " ") for span in _SPAN.findall(_BLOCK.sub("", text)))


def unknown_in(line: str) -> str | None:
    """The first command, option or make verb of a line that does not exist."""
    for verb, arguments in _MAKE.findall(line):
        if verb not in VERBS:
            return f"make {verb}"
        if arguments and (wrong := _unknown(f"{verb} {arguments}")):
            return wrong
    for called in (*_JALONS.findall(line), *_IN_A_CONTAINER.findall(line)):
        if wrong := _unknown(called):
            return wrong
    return None


def _unknown(called: str) -> str | None:
    words = shlex.split(re.split(r"[|;>)…]|&&|`| #", called)[0])
    command: Any = typer.main.get_command(app)
    while words and hasattr(command, "commands") and not words[0].startswith("-"):
        name = words.pop(0).rstrip(",.:")
        if name not in command.commands:
            return f"jalons {name}"
        command = command.commands[name]
    known = {"--help"} | {option for each in command.params for option in each.opts}
    return next((word for word in words if word.startswith("-") and word.split("=")[0] not in known), None)


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent.name != "decisions"], ids=_named)
def test_every_command_in_the_documents_exists(page: Path) -> None:
    wrong = {line: unknown for line in code_of(page.read_text("utf-8")) if (unknown := unknown_in(line))}
    assert wrong == {}


@pytest.mark.parametrize(
    "line",
    [
        "jalons sing --data data",
        ".venv/bin/jalons tail --louder",
        "docker compose exec referrals jalons dead-letters burn",
        "docker compose run --rm --no-deps referrals publish referrals",
        "make coffee",
        'make demo ARGS="--forever"',
    ],
)
def test_an_unknown_command_is_detected(line: str) -> None:
    assert unknown_in(line)


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_every_link_resolves(page: Path) -> None:
    for link in _LINK.findall(_BLOCK.sub("", page.read_text("utf-8"))):
        if link.startswith(("http://", "https://")):
            continue
        path, _, heading = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if heading:
            assert heading in _headings(target), link


def _headings(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.*)$", _BLOCK.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


_SOURCE = re.compile(r"^(?:jalons|schemas|services|tests|deploy|docs|bench)/[\w./-]*[\w/]$")


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent.name != "decisions"], ids=_named)
def test_every_file_named_in_a_document_exists(page: Path) -> None:
    named = {
        span
        for span in _SPAN.findall(_BLOCK.sub("", page.read_text("utf-8")))
        if _SOURCE.match(span) and "NAME" not in span
    }
    assert {path for path in named if not (ROOT / path).exists()} == set()


def test_every_document_is_in_the_index() -> None:
    index = {(ROOT / "docs" / link).resolve() for link in _LINK.findall((ROOT / "docs/README.md").read_text("utf-8"))}
    documents = {page for page in (ROOT / "docs").rglob("*.md") if page.parent.name not in {"docs", "decisions"}}
    assert documents <= index


def test_generated_reference_pages_are_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs/generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    assert generate.main(["--check"]) == 0, capsys.readouterr().err


CODE_AT = {"Problem": 1, "_always": 1, "_oauth": 1, "NotTaken": 0, "RowOutcome": 3}
"""At which place each of these takes its code."""


def codes_in_the_source() -> set[str]:
    """Problem codes in the source; a part that is computed at run time is `*`."""
    found: set[str] = set()
    for path in (p for folder in ("jalons", "services") for p in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and len(node.args) > (at := CODE_AT.get(_called(node), len(node.args))):
                found |= set(_words(node.args[at]))
            elif isinstance(node, ast.Assign) and any(ast.unparse(each) == "code" for each in node.targets):
                found |= set(_words(node.value))
    return found


def _called(node: ast.Call) -> str:
    return ast.unparse(node.func).rpartition(".")[2]


def _words(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from (*_words(node.body), *_words(node.orelse))
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in node.values)


def test_every_problem_is_in_the_reference_with_its_cause_and_cure() -> None:
    page = (ROOT / "docs/reference/problems.md").read_text("utf-8")
    rows = re.findall(r"^\| `([a-z_]+)` \| (\d{3}(?:, \d{3})*) \| (.+) \| (.+) \|$", page, re.MULTILINE)
    documented = {code for code, *_ in rows}
    source = codes_in_the_source()
    assert len(source) > 30, "codes are found in the source"
    missing = {code for code in source if not any(fnmatchcase(each, code) for each in documented)}
    assert missing == set()
    of_http = {status.phrase.lower().replace(" ", "_") for status in HTTPStatus}
    gone = {each for each in documented - of_http if not any(fnmatchcase(each, code) for code in source)}
    assert gone == set()
