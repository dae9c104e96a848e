"""A partner's table becomes referrals: each row once, even after kills, and no column that names a person."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest

from jalons.embedded.stack import Stack
from tests.support.network import Network, eventually

HEADINGS = (
    "N° dossier;Tranche d'âge;Sexe;Commune;Études;Statut;Ménage;Freins;Destinataire;Moment;Motif;Objectif;Choisi par"
    ";Contact;Date;Accord;Données partagées"
)
ROW = (
    "25-29;Femme;6990;Secondaire inférieur;ris;alone;Mobilité|langue;le-trusquin;formation;training;qualify;ensemble"
    ";receiver_calls_referrer;16/11/2026;paper;age_band"
)


def table(count: int, *more: str) -> str:
    mark = uuid.uuid4().hex[:6]
    return "\r\n".join([HEADINGS, *(f"D{mark}-{number};{ROW}" for number in range(count)), *more])


def posted(network: Network, content: bytes, key: str | None = None, **more: str) -> httpx.Response:
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


def test_a_spreadsheets_csv_becomes_referrals_once(network: Network) -> None:
    sheet = table(3).encode("cp1252")
    tried = _finished(network, posted(network, sheet, dry_run="true"))
    assert (tried["done"], tried["refused"]) == (3, 0)
    assert not any("ref" in row for row in tried["items"]), "a dry run promises no reference"

    first = _finished(network, posted(network, sheet))
    assert (first["rows"], first["done"], first["already_done"], first["refused"]) == (3, 3, 0, 0)
    seen = network["le-trusquin"].done("GET", f"/referrals/{first['items'][0]['ref']}")
    assert (seen["status"], seen["disclosed"]) == ("sent", {"age_band": "25-29"})

    again = _finished(network, posted(network, sheet.replace(b"\r\n", b"\n")))
    assert (again["done"], again["already_done"]) == (0, 3)
    assert [row["ref"] for row in again["items"]] == [row["ref"] for row in first["items"]]

    named = [row["ref"] for row in first["items"]]
    kept = [network["integra-plus"].done("GET", f"/audit?reference={ref}")["items"] for ref in named]
    sent = [{line["call"] for line in lines if line["action"] == "sent"} for lines in kept]
    assert [len(calls) for calls in sent] == [1, 1, 1] and len(set.union(*sent)) == 3, "each row is a call of its own"


def test_a_refused_row_has_a_reason_and_does_not_stop_the_others(network: Network) -> None:
    wrong = f"D{uuid.uuid4().hex[:6]};{ROW}"
    sheet = table(
        2,
        wrong.replace("le-trusquin", "forem-marche"),
        wrong.replace("16/11/2026", "31/02/2026"),
        wrong.replace("16/11/2026", "16/11/2199"),
        f";{ROW}",
        wrong.replace("qualify", "devenir riche"),
    )
    done = _finished(network, posted(network, sheet.encode()))
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
    [fault] = refused[8]["faults"]
    assert (fault["column"], fault["field"], len(fault["allowed"])) == ("Objectif", "goal", 10)
    assert "riche" not in str(done)
    path = f"/imports/{done['import_id']}?outcome=refused"
    for language, said in (
        ("fr", "valeur inconnue ; permis : "),
        ("nl", "onbekende waarde"),
        ("de", "unbekannter Wert"),
    ):
        items = network["cpas-hotton"].done("GET", path, headers={"Accept-Language": language})["items"]
        told = next(row for row in items if row["row"] == 8)
        assert told["cause"].startswith("Objectif : ") and said in told["cause"]


def test_what_offices_type_is_taken(network: Network) -> None:
    typed = (
        'Relais du mois;;;;\r\n;;\r\nN° Dossier;TRANCHE D’ÂGE;Sexe;Commune;Niveau d’études;Statut;Ménage;"Freins'
        '\n(tous)";Destinataire;Moment;Motif;Objectif;Choisi par;Contact;Date;Accord;;;\r\n'
        f"D{uuid.uuid4().hex[:6]}-1;25-29 ans;F;Hotton;secondaire inférieur;RIS;Isolée;mobilité, Garde d’enfants"
        ";EFT Le Trusquin;FORMATION;Formation;se qualifier;ensemble;le partenaire appelle;16/11/26;papier;;;\r\n"
    )
    network["cpas-hotton"].done("PUT", "/imports/mapping", {"Freins (tous)": "obstacles"})
    done = _finished(network, posted(network, typed.encode()))
    assert (done["done"], done["refused"]) == (1, 0), done["items"]
    seen = network["cpas-hotton"].done("GET", f"/referrals/{done['items'][0]['ref']}")
    assert (seen["recipient"], seen["reason"], seen["contact"]) == (
        "le-trusquin",
        "training",
        "receiver_calls_referrer",
    )
    person = network["cpas-hotton"].done("GET", f"/beneficiaries/{seen['beneficiary']}")["profile"]
    assert (person["commune_nis"], person["obstacles"]) == ("83028", ["mobilite", "garde_enfants"])


def test_a_row_that_differs_from_its_referral_is_not_sent_and_says_what_differs(network: Network) -> None:
    sheet = table(2)
    first = _finished(network, posted(network, sheet.encode()))
    changed = sheet.replace(";qualify;", ";Découvrir;", 1)
    again = _finished(network, posted(network, changed.encode()))
    by_row = {row["row"]: row for row in again["items"]}
    assert (by_row[3]["outcome"], by_row[2]["code"], by_row[2]["differs"]) == ("already_done", "differs", ["Objectif"])
    assert by_row[2]["ref"] == first["items"][0]["ref"] and first["items"][0]["ref"] in by_row[2]["cause"]


def test_an_exported_table_is_imported_as_done_and_its_date_is_the_days_it_was_sent(network: Network) -> None:
    sheet = table(1)
    done = _finished(network, posted(network, sheet.encode()))
    hotton = network["cpas-hotton"]
    url = f"{network.info['referrals']}/referrals.csv?box=sent"
    text = network.http.get(url, headers={"Authorization": f"Bearer {hotton.token()}"}).text
    heading, *lines = text.lstrip("\ufeff").splitlines()
    [line] = [line for line in lines if line.startswith(done["items"][0]["ref"])]
    assert dict(zip(heading.split(";"), line.split(";"), strict=True))["Date du relais"] == "2026-11-16"
    again = _finished(network, posted(network, f"{heading}\r\n{line}".encode()))
    assert (again["already_done"], again["rows"]) == (1, 1)


def test_what_is_wrong_with_a_file_is_said_in_the_readers_language(network: Network) -> None:
    hotton = network["cpas-hotton"]
    headers = {"Authorization": f"Bearer {hotton.token()}", "Accept-Language": "fr-BE,fr;q=0.9"}
    content = table(1).replace("Ménage", "Remarques").encode()
    url = f"{network.info['referrals']}/imports"
    problem = network.http.post(
        url, headers=headers | {"Idempotency-Key": str(uuid.uuid4())}, files={"file": ("a.csv", content)}
    ).json()
    assert problem["detail"] == "Le hub ne connaît pas ces colonnes : G « Remarques »."
    assert '{"Remarques": "-"}' in problem["cure"], "the cure can be sent as it stands"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda sheet: sheet.replace("Ménage", "Nom et prénom"), "names_a_person"),
        (lambda sheet: sheet.replace("Ménage", "Date de naissance"), "names_a_person"),
        (lambda sheet: sheet.replace("D", "85.07.30-033.28", 1) + "\n85.07.30-033.28;", "national_number"),
        (lambda sheet: sheet.replace("Ménage", "Remarques"), "unknown_columns"),
        (lambda sheet: sheet.replace("Ménage;", "").replace(";alone;", ";"), "missing_columns"),
        (lambda sheet: sheet.replace("Ménage", "Sexe"), "column_twice"),
        (lambda _table: "PK\x03\x04 nothing of the kind", "unreadable"),
        (lambda sheet: sheet.split("\r\n")[0], "empty"),
    ],
)
def test_a_table_that_names_a_person_or_is_unreadable_is_refused(network: Network, change: Any, code: str) -> None:
    answer = posted(network, change(table(1)).encode())
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer.json()["cure"]


def test_a_partners_heading_mapping_is_stored(network: Network) -> None:
    hotton = network["cpas-hotton"]
    sheet = table(1).replace("Motif", "Pourquoi").replace("Ménage", "Foyer")
    assert posted(network, sheet.encode()).json()["code"] == "unknown_columns"
    hotton.done("PUT", "/imports/mapping", {"Pourquoi": "reason", "Foyer": "household"})
    assert _finished(network, posted(network, sheet.encode()))["done"] == 1
    assert hotton.call("PUT", "/imports/mapping", {"Pourquoi": "salary"}).status_code == 422


def test_only_the_partner_itself_sees_an_import(network: Network) -> None:
    answer = posted(network, table(1).encode())
    path = f"/imports/{answer.json()['import_id']}"
    assert network["le-trusquin"].call("GET", path).status_code == 404
    _finished(network, answer)


def test_the_import_command_checks_sends_and_can_be_repeated(network: Network, stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "relais.csv"
    wrong = f"D{uuid.uuid4().hex[:6]};{ROW}".replace("le-trusquin", "forem-marche")
    file.write_text(table(2, wrong), "utf-8")
    refused = _command(network, stack, file)
    assert (refused.returncode, "2 to be sent" in refused.stdout, "1 would be refused" in refused.stdout) == (
        1,
        True,
        True,
    )
    assert "row 4: No convention" in refused.stdout

    sent = _command(network, stack, file, "--yes")
    assert (sent.returncode, "2 sent, 0 done before, 1 refused" in sent.stdout) == (1, True)

    file.write_text(file.read_text("utf-8").removesuffix(wrong), "utf-8")
    again = _command(network, stack, file)
    assert (again.returncode, "0 sent, 2 done before, 0 refused" in again.stdout) == (0, True), (
        again.stdout + again.stderr
    )

    file.write_text("Nom;Prénom\nDupont;Marie\n", "utf-8")
    named = _command(network, stack, file)
    assert (named.returncode, "Dupont" in named.stdout + named.stderr) == (1, False)
    assert "the hub must not receive it" in named.stderr


def _command(network: Network, stack: Stack, file: Path, *more: str) -> subprocess.CompletedProcess[str]:
    hotton = network["cpas-hotton"]
    return subprocess.run(
        [
            *(sys.executable, "-m", "jalons", "import", str(file), "--as", hotton.client_id),
            *("--data", str(stack.folder.path), *more),
        ],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        env=os.environ | {"JALONS_CLIENT_SECRET": hotton.client_secret, "COLUMNS": "200"},
    )
