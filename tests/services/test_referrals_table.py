"""`GET /referrals.csv`: each reader's own part of each referral, as `GET /referrals/{id}` shows it, however many."""

from __future__ import annotations

import csv
import io
import uuid
from datetime import timedelta
from typing import Any

import pytest

from jalons.clock import local_date, now
from jalons.privacy.references import new_reference
from services.referrals.exports import http as table
from tests.support.apps import Apps
from tests.support.calls import refused
from tests.support.imports import worked_off
from tests.support.network import PROFILE, Partner

Row = dict[str, str]


def rows(who: Partner, box: str, **asked: Any) -> list[Row]:
    """A partner's table, as a spreadsheet reads it."""
    answer = who.call("GET", "/referrals.csv", params={"box": box, **asked})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.content.startswith("Relais;Dossier;".encode("utf-8-sig"))
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""), delimiter=";"))


def of(who: Partner, box: str, ref: str) -> Row:
    """One row of it."""
    [found] = [row for row in rows(who, box) if row["Relais"] == ref]
    return found


def numbered(apps: Apps, **more: Any) -> tuple[dict[str, Any], str]:
    """A referral of a person of CPAS Hotton with a dossier number."""
    local_ref = f"T-{uuid.uuid4().hex[:8]}"
    person = {"profile": PROFILE, "local_ref": local_ref}
    return apps.network["cpas-hotton"].refer("le-trusquin", person=person, **more), local_ref


def test_the_dossier_number_comes_back_to_its_home_partner_alone(apps: Apps) -> None:
    home, operator = apps.network["cpas-hotton"], apps.network["le-trusquin"]
    made, local_ref = numbered(apps)
    operator.done("POST", f"/referrals/{made['ref']}/decline", {"reason": "no_place", "declined_by": "provider"})
    mine, theirs = of(home, "sent", made["ref"]), of(operator, "received", made["ref"])
    assert (mine["Dossier"], mine["État du relais"], mine["Refusé pour"]) == (local_ref, "Refusé", "Plus de place")
    assert (mine["Bénéficiaire"], mine["Envoyé par"]) == (made["beneficiary"], "cpas-hotton")
    assert theirs["Dossier"] == ""
    assert theirs["Bénéficiaire"] == operator.done("GET", f"/referrals/{made['ref']}")["beneficiary"]
    assert theirs["Bénéficiaire"] != mine["Bénéficiaire"]
    assert (theirs["Âge"], theirs["Freins"]) == ("25 à 29 ans", "Mobilité|Garde d'enfants")
    assert (theirs["Ménage"], theirs["Statut"]) == ("", ""), "it was not told"
    assert local_ref not in operator.call("GET", "/referrals.csv").text


def test_an_employer_reads_neither_who_sends_nor_why(apps: Apps) -> None:
    home, employer = apps.network["cpas-hotton"], apps.network["home-hotton"]
    made = home.refer("home-hotton", moment="experience", reason="work_experience")
    row = of(employer, "received", made["ref"])
    assert (row["Envoyé par"], row["Motif"], row["Objectif"], row["Freins"]) == ("", "", "", "")
    assert row["État du relais"] == "Envoyé"


def test_a_receiver_that_was_left_reads_the_status_only(apps: Apps) -> None:
    home, operator = apps.network["cpas-hotton"], apps.network["le-trusquin"]
    made, _ = numbered(apps)
    home.done("POST", f"/referrals/{made['ref']}/void", {"reason": "wrong_person"})
    row = of(operator, "received", made["ref"])
    assert {heading for heading, cell in row.items() if cell} == {"Relais", "État du relais", "Modifié le"}


def test_what_has_changed_since_comes_and_nothing_else(apps: Apps) -> None:
    home, operator = apps.network["cpas-hotton"], apps.network["le-trusquin"]
    made, _ = numbered(apps)
    later = (now() + timedelta(minutes=10)).isoformat()
    assert rows(home, "sent", changed_since=later) == []
    assert made["ref"] in {row["Relais"] for row in rows(home, "sent", changed_since=local_date(now()).isoformat())}
    long_ago = now() - timedelta(days=3)
    apps.rows("referrals", "UPDATE referrals SET changed = %s WHERE reference = %s RETURNING id", long_ago, made["ref"])
    since = (now() - timedelta(days=1)).isoformat()
    assert made["ref"] not in {row["Relais"] for row in rows(home, "sent", changed_since=since)}
    operator.done("POST", f"/referrals/{made['ref']}/receive", {})
    [again] = [row for row in rows(home, "sent", changed_since=since) if row["Relais"] == made["ref"]]
    assert again["État du relais"] == "Reçu"
    refused(home.call("GET", "/referrals.csv?changed_since=hier"), 422, "invalid")


def test_what_was_being_written_when_it_was_asked_for_is_not_missed(apps: Apps) -> None:
    made, _ = numbered(apps)
    since = (now() + timedelta(seconds=30)).isoformat()
    assert made["ref"] in {row["Relais"] for row in rows(apps.network["cpas-hotton"], "sent", changed_since=since)}


def test_a_long_table_is_read_in_parts_and_each_row_once(apps: Apps, monkeypatch: pytest.MonkeyPatch) -> None:
    home = apps.network["cpas-hotton"]
    made = [home.refer("le-trusquin")["ref"] for _ in range(5)]
    monkeypatch.setattr(table, "PAGE", 2)
    found = [row["Relais"] for row in rows(home, "sent")]
    assert found[:5] == made[::-1]
    assert len(found) == len(set(found)) == len([*home.done("GET", "/referrals?box=sent&limit=500")["items"]])


def test_each_row_is_a_look_and_a_disclosure(apps: Apps) -> None:
    home, operator = apps.network["cpas-hotton"], apps.network["le-trusquin"]
    made = home.refer("le-trusquin")
    of(operator, "received", made["ref"])
    looks = home.done("GET", f"/audit?beneficiary={made['beneficiary']}")["items"]
    assert ("le-trusquin", "referral", "read", made["ref"]) in {
        (each["partner"], each["noun"], each["action"], each["reference"]) for each in looks
    }
    agreed = home.done("GET", f"/beneficiaries/{made['beneficiary']}/consents")["items"][0]["consent_id"]
    home.done("DELETE", f"/beneficiaries/{made['beneficiary']}/consents/{agreed}")
    assert of(operator, "received", made["ref"])["Freins"] == "", "no agreement covers it any more"


def test_an_erased_person_is_in_nobodys_table(apps: Apps) -> None:
    home, operator = apps.network["cpas-hotton"], apps.network["le-trusquin"]
    made, _ = numbered(apps)
    home.done("DELETE", f"/beneficiaries/{made['beneficiary']}")
    for who, box in ((home, "sent"), (operator, "received")):
        row = of(who, box, made["ref"])
        assert (row["Dossier"], row["Bénéficiaire"], row["Freins"], row["Motif"]) == ("", "", "", "")


def test_a_table_that_comes_back_is_done_already_but_for_its_new_rows(apps: Apps) -> None:
    home = apps.network["cpas-hotton"]
    made, _ = numbered(apps)
    text = home.call("GET", "/referrals.csv?box=sent").content.decode("utf-8-sig")
    heading, *lines = text.splitlines()
    [line] = [each for each in lines if made["ref"] in each]
    strange, nobodys = line.replace(made["ref"], "R-PERSONNE"), line.replace(made["ref"], new_reference("R"))
    others = line.replace(made["ref"], apps.network["cpas-erezee"].refer("le-trusquin")["ref"])
    back = "\r\n".join([heading, line, line.replace(made["ref"], ""), strange, nobodys, others]).encode()
    taken = worked_off(apps, home, back, dry_run=True)
    known = {each["row"]: each for each in taken["items"]}
    assert known[2] == {"row": 2, "outcome": "already_done", "ref": made["ref"]}
    assert {each["code"] for each in known[3]["faults"]} == {"missing"}, "it is a new row, which must say all"
    assert {row: known[row].get("code") for row in (4, 5, 6)} == dict.fromkeys((4, 5, 6), "invalid")
    assert "no_reference" in {each["code"] for each in known[4]["faults"]}
    assert [each["code"] for row in (5, 6) for each in known[row]["faults"]] == ["no_reference"] * 2
    assert taken["rows"] == 5


def test_a_table_that_comes_back_changed_says_what_differs(apps: Apps) -> None:
    home = apps.network["cpas-hotton"]
    made, _ = numbered(apps)
    heading, *lines = home.call("GET", "/referrals.csv?box=sent").content.decode("utf-8-sig").splitlines()
    [line] = [each for each in lines if made["ref"] in each]
    cells = dict(zip(heading.split(";"), line.split(";"), strict=True))
    changes = {"Objectif": "Découvrir", "Dossier": "T-1", "Âge": "30-44", "Destinataire": "Nulle part"}
    lines = [";".join((cells | {name: text}).values()) for name, text in changes.items()]
    told = worked_off(apps, home, "\r\n".join([heading, line, *lines]).encode())["items"]
    assert told[0] == {"row": 2, "outcome": "already_done", "ref": made["ref"]}
    assert [(each["code"], each["ref"], each["differs"]) for each in told[1:]] == [
        ("differs", made["ref"], [name]) for name in changes
    ]


def test_it_is_a_partners_own(apps: Apps) -> None:
    refused(apps.network["integra-plus"].call("GET", "/referrals.csv"), 403, "wrong_scope")
    assert rows(apps.network["forem-marche"], "sent") == []
