"""A network's file: Intégra Plus is whole, and a file that is wrong is refused with the line at which it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from jalons.cli.network.file import NetworkFile, WrongFile, read, shipped
from schemas import codes
from services.referrals.directory.communes import NIS_OF_POSTAL_CODE

INTEGRA = shipped("integra-plus.yaml")


@pytest.fixture(scope="module")
def integra() -> NetworkFile:
    return read(INTEGRA)


def test_integra_plus_has_the_partners_its_source_names(integra: NetworkFile) -> None:
    """Domain.md, section 1: five CPAS and over 25 partners."""
    assert len(integra.partners) > 25
    cpas = {slug for slug, partner in integra.partners.items() if partner.kind == "cpas"}
    five = {"cpas-durbuy", "cpas-hotton", "cpas-erezee", "cpas-rendeux", "cpas-la-roche"}
    assert cpas == five | {"cpas-marche"}
    assert {partner.kind for partner in integra.partners.values()} == set(get_args(codes.PartnerKind))
    assert {partner.commune_nis for partner in integra.partners.values()} == set(NIS_OF_POSTAL_CODE.values())
    assert all(partner.mailbox.endswith(".example") for partner in integra.partners.values())
    assert five <= {party for each in integra.conventions if len(each.parties) == 5 for party in each.parties}
    assert [each.valid_from.year for each in integra.conventions] == [1996, 1997, 2000, 2002, 2002, 2003, 2005]


def test_who_serves_a_moment_offers_something_for_it_and_somebody_may_refer_there(integra: NetworkFile) -> None:
    offered = {(offer.partner, offer.moment) for offer in integra.offers.values()}
    served = {(slug, moment) for slug, partner in integra.partners.items() for moment in partner.moments}
    assert offered == served
    rows = [row for each in integra.conventions for row in each.body()["scope"]]
    assert {(row["to"], moment) for row in rows for moment in row["moments"]} == served
    assert sum(offer.places for offer in integra.offers.values() if offer.type == "bilan") == 300, "l.72 and 73"


def test_no_pair_of_partners_is_given_the_same_moment_twice(integra: NetworkFile) -> None:
    rows = [
        (row["from"], row["to"], moment)
        for each in integra.conventions
        for row in each.body()["scope"]
        for moment in row["moments"]
    ]
    assert len(rows) == len(set(rows))


def _replaced(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return change


WRONG: dict[str, tuple[Callable[[str], str], str, str]] = {
    # what is wrong: (the change, the text of the line that is named, what is said)
    "unknown key": (_replaced("  name: Intégra Plus", "  nom: Intégra Plus"), "  nom: Intégra Plus", "network.nom"),
    "unknown code": (_replaced("kind: cpas", "kind: ocmw"), "    kind: ocmw", "partners.cpas-durbuy.kind"),
    "number for a code": (_replaced('"83028"', "83028"), "    commune_nis: 83028", "valid string"),
    "not a mailbox": (_replaced("relais@slaie.example", "slaie"), "    mailbox: slaie", "partners.slaie.mailbox"),
    "not a slug": (_replaced("  le-trusquin:\n", "  Le Trusquin:\n"), "  Le Trusquin:", "partners.Le Trusquin"),
    "label missing": (_replaced("    accueil: Accueil\n", ""), "  moments:", "no label for accueil"),
    "key twice": (_replaced("  cpas-hotton:\n", "  cpas-durbuy:\n"), "  cpas-durbuy:", "a second time"),
    "party unknown": (
        _replaced("      - commune-hotton\n", "      - commune-x\n"),
        "  - valid_from: 1997",
        "commune-x",
    ),
    "no party of it": (_replaced("to: ale-durbuy", "to: forem-marche"), "  - valid_from: 1997", "no party of it"),
    "not served": (_replaced("slaie, moments: [projet]", "slaie, moments: [accueil]"), "  - valid_from: 1997", "slaie"),
    "no such day": (_replaced("2003-01-01", "2003-13-01"), "", "month must be in 1..12"),
    "over too soon": (
        _replaced("  - valid_from: 1996-01-01\n", "  - valid_from: 1996-01-01\n    valid_to: 1995-01-01\n"),
        "  - valid_from: 1996",
        "before valid_from",
    ),
    "nobody's offer": (_replaced("partner: slaie", "partner: slaia"), "  bsp-slaie:", "there is no partner slaia"),
    "negative places": (_replaced("places: 150", "places: -1"), "    places: -1", "offers.bilan-nouveau.places"),
    "code of nothing": (
        lambda text: f"{text}\ncodes:\n  decline_reason:\n    no_bus: {{parent: moved, label: Pas de bus}}\n",
        "    no_bus:",
        "codes.decline_reason.no_bus: there is no moved in that list",
    ),
    "code of its list": (
        lambda text: f"{text}\ncodes:\n  end_reason:\n    moved: {{parent: no_show, label: Parti}}\n",
        "    moved:",
        "the list has it already",
    ),
    "codes of a band": (
        lambda text: f"{text}\ncodes:\n  household:\n    three: {{parent: alone, label: Trois}}\n",
        "  household:",
        "finer codes hang under referral_reason, decline_reason, end_reason",
    ),
    "not yaml": (_replaced("moments: [accueil, experience]", "moments: [accueil"), "", "not YAML"),
    "holds itself": (_replaced("&two [cpas-durbuy", "&two [*two, cpas-durbuy"), "", "not YAML of this form"),
    "nothing": (lambda _: "# nothing\n", "", "is empty"),
    "a national number": (
        _replaced("name: Commune de Hotton", "name: Commune 85.07.30-033.28"),
        "",
        "national register number",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_refused_with_its_line(name: str, tmp_path: Path) -> None:
    change, line, said = WRONG[name]
    file = tmp_path / "wrong.yaml"
    file.write_text(change(INTEGRA.read_text("utf-8")), "utf-8")
    with pytest.raises(WrongFile) as error:
        read(file)
    assert said in str(error.value)
    if line:
        number = int(str(error.value).partition("line ")[2].partition(":")[0])
        assert file.read_text("utf-8").splitlines()[number - 1].startswith(line)


def test_the_same_parties_and_first_day_make_one_convention(tmp_path: Path) -> None:
    text = INTEGRA.read_text("utf-8")
    first = text.index("  # 1996")
    again = text[first : text.index("  # 1997")]
    file = tmp_path / "twice.yaml"
    file.write_text(text[:first] + again + text[first:], "utf-8")
    with pytest.raises(WrongFile, match=r"conventions\.1: another one has the same parties and first day"):
        read(file)


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(WrongFile, match="cannot be read"):
        read(tmp_path / "none.yaml")
