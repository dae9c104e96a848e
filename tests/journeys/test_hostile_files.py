"""Whatever file is given to be imported, no process dies, the sender is told cause and cure, and others go on."""

from __future__ import annotations

import asyncio
import io
import random
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from services.referrals.imports import reading, telling
from services.referrals.imports.table import NotTaken, letters
from services.referrals.pages.words import LANGUAGES
from tests.journeys.test_import import HEADINGS, ROW, _finished, posted, table
from tests.support.network import Network
from tests.support.workbooks import packed, rows, workbook

COLUMNS = HEADINGS.split(";")
LINE = f"H-1;{ROW}".split(";")
MILLION = 1_000_000


def _bomb() -> bytes:
    """A sheet of 105 MB of spaces within a small file."""
    written = io.BytesIO(packed(rows([COLUMNS])))
    with (
        zipfile.ZipFile(written, "a", zipfile.ZIP_DEFLATED) as file,
        file.open("xl/worksheets/sheet1.xml", "w") as part,
    ):
        for _ in range(105):
            part.write(b" " * MILLION)
    return written.getvalue()


def _broken() -> bytes:
    content = bytearray(workbook(COLUMNS, LINE))
    content[200:260] = b"\0" * 60
    return bytes(content)


def _overlapping() -> bytes:
    """Two hundred sheets, all of them the same large part."""
    sheets = "".join(f'<sheet name="s{at}" sheetId="{at}" r:id="r1"/>' for at in range(1, 201))
    book = f'<workbook xmlns:r="r"><sheets>{sheets}</sheets></workbook>'
    return packed(rows([[" " * 30_000] * 100] * 10), **{"xl/workbook.xml": book})


_NESTED = "".join(f'<!ENTITY {letters(at + 1)} "{f"&{letters(at)};" * 10}">' for at in range(12))
ENTITIES = f'<!DOCTYPE a [<!ENTITY A "lollollol">{_NESTED}]>'
OUTSIDE = '<!DOCTYPE a SYSTEM "file:///etc/passwd">'
HOSTILE: dict[str, tuple[Callable[[], bytes], set[str]]] = {
    "only a cell far away": (
        lambda: packed('<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'),
        {"unknown_columns"},
    ),
    "a cell beyond any sheet": (lambda: packed('<row r="1"><c r="ZZZ1"><v>1</v></c></row>'), {"unreadable"}),
    "a row beyond any sheet": (lambda: packed('<row r="99999999"><c><v>1</v></c></row>'), {"unreadable"}),
    "a wide row": (lambda: packed(rows([range(16_384)])), {"too_many_cells"}),
    "wide rows": (lambda: packed(rows([range(16_384)]) * 80), {"too_many_cells"}),
    "rows without end": (lambda: packed(rows([COLUMNS]) + rows([["x"]]) * 25_000), {"too_many_rows"}),
    "a bomb": (_bomb, {"too_many_cells", "unreadable"}),
    "styled cells without text": (
        lambda: packed("<row>" + '<c s="1"/>' * 3 * MILLION + "</row>"),
        {"unreadable", "too_heavy"},
    ),
    "shared strings without end": (
        lambda: packed("", f"<sst>{'<si><t>x</t></si>' * 500_001}</sst>"),
        {"too_many_cells"},
    ),
    "a long shared string": (
        lambda: packed("", f"<sst><si><t>{'x' * 51 * MILLION}</t></si></sst>"),
        {"too_many_cells"},
    ),
    "a long text": (lambda: workbook(COLUMNS, ["x" * 40_000]), {"cell_too_long"}),
    "entities": (lambda: packed(rows([["x"]]), before=ENTITIES), {"unreadable"}),
    "an entity outside": (lambda: packed(rows([["x"]]), before=OUTSIDE), {"unreadable"}),
    "elements within elements": (lambda: packed("<row>" * 200_000), {"unreadable", "too_heavy"}),
    "a sheet often": (_overlapping, {"too_many_cells"}),
    "merged without end": (
        lambda: packed(rows([COLUMNS, LINE]), after='<mergeCell ref="A1:XFD1048576"/>' * 200_000),
        {"too_many_cells"},
    ),
    "a string that is not there": (lambda: packed('<row><c t="s"><v>7</v></c></row>'), {"unreadable"}),
    "a number that is none": (lambda: packed("<row><c><v>1e999999</v></c><c><v>x</v></c></row>"), {"unreadable"}),
    "a broken zip": (_broken, {"unreadable"}),
    "a truncated zip": (lambda: workbook(COLUMNS, LINE)[:900], {"unreadable"}),
    "another zip": (lambda: _zip("a.txt"), {"unreadable"}),
    "an old workbook": (lambda: bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 4096, {"unreadable"}),
    "a picture": (
        lambda: b"\x89PNG\r\n\x1a\n" + random.Random(1).randbytes(4096),
        {"unreadable", "empty", "unclosed_quote"},
    ),
    "nothing": (lambda: b"", {"empty"}),
    "NULs": (lambda: table(1).encode() + b"\0", {"unreadable"}),
    "no text": (lambda: b"\xff\xfe" + b"\x00\xd8" * 99, {"unreadable"}),
    "a line without end": (lambda: b"x" * 19 * MILLION, {"too_many_cells"}),
    "a line of separators": (lambda: b";" * 19 * MILLION, {"too_many_cells"}),
    "a cell a line": (lambda: b"x;y\n" * 4 * MILLION, {"too_many_rows"}),
    "a million headings": (lambda: b"x;" * 5 * MILLION, {"too_many_cells", "too_heavy"}),
    "a mark that swallows all": (
        lambda: table(9).replace(";le-trusquin", ';"le-trusquin').encode(),
        {"unclosed_quote"},
    ),
    "marks without end": (lambda: b'"' * 9 * MILLION, {"too_many_cells"}),
    "JSON": (lambda: b"[" * 200_000, {"empty", "cell_too_long"}),
}


def _zip(name: str) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as file:
        file.writestr(name, "x")
    return written.getvalue()


@contextmanager
def others_call(network: Network) -> Iterator[list[int]]:
    """The statuses that another partner's calls get in the meantime."""
    seen: list[int] = []
    over = threading.Event()

    def call() -> None:
        while not over.wait(0.02):
            seen.append(network["cpas-erezee"].call("GET", "/referrals?box=sent").status_code)

    calling = threading.Thread(target=call)
    calling.start()
    try:
        yield seen
    finally:
        over.set()
        calling.join()


IN_THE_HUB = ("only a cell far away", "styled cells without text", "a line of separators")
"""Files that are given to a running hub. The others are given to the reading process, which is what meets them."""


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_file_is_refused_within_the_bounds_of_its_process(what: str) -> None:
    content, codes = HOSTILE[what]
    with pytest.raises(NotTaken) as refused:
        reading.sheet(asyncio.run(reading.Files().read(content(), {})))
    assert refused.value.code in codes
    for language in LANGUAGES:
        said = telling.problem(refused.value, language)
        assert said.code == refused.value.code and said.detail and said.cure


def test_a_hostile_file_is_refused_with_cause_and_cure_and_nobody_else_is(network: Network) -> None:
    network["cpas-erezee"].token()
    for what in IN_THE_HUB:
        content, codes = HOSTILE[what]
        with others_call(network) as seen:
            answer = posted(network, content())
        problem = answer.json()
        assert (answer.status_code, problem["code"] in codes) == (422, True), problem
        assert problem["detail"] and problem["cure"]
        assert seen.count(200) == len(seen) > 0


def test_an_honest_table_with_one_cell_far_away_is_imported(network: Network) -> None:
    line = [f"H{random.SystemRandom().randrange(10**9)}-1", *LINE[1:]]
    far = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    answer = posted(network, packed(rows([COLUMNS, line]) + far))
    done = _finished(network, answer)
    assert (done["rows"], done["done"], done["refused"]) == (1, 1, 0)
    assert "1048576" in answer.json()["outside"][0]
