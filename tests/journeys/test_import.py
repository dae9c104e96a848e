"""A partner's own table becomes referrals: each row once, whatever kills the hub, and nothing that names a person."""

from __future__ import annotations

import io
import uuid
from typing import Any

import httpx
import pytest

from tests.support.network import Network, eventually

HEADINGS = (
    "N° dossier;Tranche d'âge;Sexe;Commune;Études;Statut;Ménage;Freins;Destinataire;Moment;Motif;Objectif;Choisi par"
    ";Contact;Date;Accord;Données partagées"
)
ROW = (
    "25-29;F;6990;lower_secondary;ris;alone;mobilite|langue;le-trusquin;formation;training;qualify;together"
    ";receiver_calls_referrer;16/11/2026;paper;age_band"
)


def _table(count: int, *more: str) -> str:
    mark = uuid.uuid4().hex[:6]
    return "\r\n".join([HEADINGS, *(f"D{mark}-{number};{ROW}" for number in range(count)), *more])


def _post(network: Network, content: bytes, key: str | None = None, **more: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {network['cpas-hotton'].token()}", "Idempotency-Key": key or str(uuid.uuid4())}
    url = f"{network.info['referrals']}/imports"
    return network.http.post(url, headers=headers, files={"file": ("relais.csv", io.BytesIO(content))}, data=more)


def _finished(network: Network, answer: httpx.Response, seconds: float = 60) -> dict[str, Any]:
    assert answer.status_code == 202, answer.text
    path = f"/imports/{answer.json()['import_id']}?limit=500"

    def found() -> dict[str, Any] | None:
        seen = network["cpas-hotton"].done("GET", path)
        return seen if seen["status"] == "finished" else None

    done: dict[str, Any] = eventually(found, seconds)
    return done


def test_a_table_as_a_spreadsheet_saves_it_becomes_referrals_once(network: Network) -> None:
    table = _table(3).encode("cp1252")
    tried = _finished(network, _post(network, table, dry_run="true"))
    assert (tried["done"], tried["refused"]) == (3, 0)
    assert network["cpas-hotton"].call("GET", f"/referrals/{tried['items'][0]['ref']}").status_code == 404

    first = _finished(network, _post(network, table))
    assert (first["rows"], first["done"], first["already_done"], first["refused"]) == (3, 3, 0, 0)
    seen = network["le-trusquin"].done("GET", f"/referrals/{first['items'][0]['ref']}")
    assert (seen["status"], seen["disclosed"]) == ("sent", {"age_band": "25-29"})

    again = _finished(network, _post(network, table.replace(b"\r\n", b"\n")))
    assert (again["done"], again["already_done"]) == (0, 3)
    assert [row["ref"] for row in again["items"]] == [row["ref"] for row in first["items"]]


def test_what_a_row_is_refused_for_is_said_and_holds_up_no_other(network: Network) -> None:
    wrong = f"D{uuid.uuid4().hex[:6]};{ROW}"
    table = _table(
        2,
        wrong.replace("le-trusquin", "forem-marche"),
        wrong.replace("16/11/2026", "31/02/2026"),
        wrong.replace("16/11/2026", "16/11/2199"),
        f";{ROW}",
        wrong.replace("qualify", "devenir riche"),
    )
    done = _finished(network, _post(network, table.encode()))
    assert (done["done"], done["refused"]) == (2, 5)
    refused = {row["row"]: row for row in done["items"] if row["outcome"] == "refused"}
    assert [row["code"] for row in refused.values()] == [
        "no_convention",
        "invalid",
        "invalid",
        "local_ref_missing",
        "invalid",
    ]
    assert all(row["cause"] and row["cure"] for row in refused.values())
    assert refused[8]["cause"].startswith("goal")
    assert "riche" not in str(done)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda table: table.replace("Ménage", "Nom et prénom"), "names_a_person"),
        (lambda table: table.replace("Ménage", "Date de naissance"), "names_a_person"),
        (lambda table: table.replace("D", "85.07.30-033.28", 1) + "\n85.07.30-033.28;", "national_number"),
        (lambda table: table.replace("Ménage", "Remarques"), "unknown_columns"),
        (lambda table: table.replace("Ménage;", "").replace(";alone;", ";"), "missing_columns"),
        (lambda table: table.replace("Ménage", "Sexe"), "column_twice"),
        (lambda _table: "PK\x03\x04 nothing of the kind", "unreadable"),
        (lambda table: table.split("\r\n")[0], "empty"),
    ],
)
def test_a_table_that_could_name_a_person_or_is_none_is_refused_whole(network: Network, change: Any, code: str) -> None:
    answer = _post(network, change(_table(1)).encode())
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer.json()["cure"]


def test_a_partners_own_headings_are_kept(network: Network) -> None:
    hotton = network["cpas-hotton"]
    table = _table(1).replace("Motif", "Pourquoi").replace(";Choisi par", ";Choisi par").replace("Ménage", "Foyer")
    assert _post(network, table.encode()).json()["code"] == "unknown_columns"
    hotton.done("PUT", "/imports/mapping", {"Pourquoi": "reason", "Foyer": "household"})
    assert _finished(network, _post(network, table.encode()))["done"] == 1
    assert hotton.call("PUT", "/imports/mapping", {"Pourquoi": "salary"}).status_code == 422


def test_an_import_is_its_partners_alone(network: Network) -> None:
    answer = _post(network, _table(1).encode())
    path = f"/imports/{answer.json()['import_id']}"
    assert network["le-trusquin"].call("GET", path).status_code == 404
    _finished(network, answer)
