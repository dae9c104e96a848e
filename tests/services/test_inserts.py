"""What a transaction gathers for several tables is there as it was given, all of it or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from jalons.database import engine as open_engine
from jalons.database import execute, transaction
from jalons.embedded.stack import Servers
from jalons.inserts import Inserts, Into


class Taken(Exception):
    """There is such a stake already."""


STAKES = Into("stakes", "name text, tags text[]", taken={"stakes_name": Taken})
MARKS = Into("marks", "id uuid, note text", "ON CONFLICT DO NOTHING")
ODD = ["plain", 'with "quotes"', "a \\ backslash", "a, comma", "{brace}", "", "NULL"]


@pytest.fixture
def pool(servers: Servers) -> Iterator[Engine]:
    """Two tables, in a schema of their own."""
    schema = f"inserts_{uuid4().hex[:8]}"
    pool = open_engine(servers.database_url, schema)
    with transaction(pool) as conn:
        execute(conn, f"CREATE SCHEMA {schema}")
        execute(conn, "CREATE TABLE stakes (name text NOT NULL, tags text[] NOT NULL)")
        execute(conn, "CREATE UNIQUE INDEX stakes_name ON stakes (name)")
        execute(conn, "CREATE TABLE marks (id uuid PRIMARY KEY, note text)")
    yield pool
    pool.dispose()


@pytest.mark.parametrize("number", [1, 8, 9, 200])
def test_few_rows_and_many_are_kept_as_they_were_given(pool: Engine, number: int) -> None:
    marks = [(uuid4(), None if n % 2 else f"note {n}") for n in range(number)]
    rows = Inserts()
    for n in range(number):
        rows.add(STAKES, (f"stake {n:03}", ODD if n % 3 else []))
    rows.add(MARKS, *marks, marks[0])
    with transaction(pool) as conn:
        rows.write(conn)
        rows.write(conn)  # there is nothing left to write
    with transaction(pool) as conn:
        stakes = [tuple(row) for row in execute(conn, "SELECT name, tags FROM stakes ORDER BY name")]
        assert stakes == [(f"stake {n:03}", ODD if n % 3 else []) for n in range(number)]
        assert {tuple(row) for row in execute(conn, "SELECT id, note FROM marks")} == set(marks)


def test_a_row_that_is_there_is_refused_by_name_and_nothing_is_kept(pool: Engine) -> None:
    rows = Inserts()
    rows.add(MARKS, (uuid4(), None))
    rows.add(STAKES, ("one", []), ("one", []))
    with pytest.raises(Taken), transaction(pool) as conn:
        rows.write(conn)
    with transaction(pool) as conn:
        assert execute(conn, "SELECT count(*) FROM marks").fetchone() == (0,)
