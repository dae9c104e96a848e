"""Finds the headings of a partner's own table, and refuses a table that has a column for what names a person."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from jalons.privacy.national_number import is_uuid
from services.referrals.imports.table import MOST_ABOVE, Cells, NotTaken, Table, letters

HEADINGS: dict[str, tuple[str, ...]] = {
    "local_ref": (
        *("dossier", "n dossier", "n de dossier", "no dossier", "no de dossier", "num dossier", "numero de dossier"),
        *("numero dossier", "nr dossier", "reference interne", "dossiers", "ref dossier", "reference du dossier"),
        *("dossiernummer", "dossiernr", "nummer dossier", "aktenzeichen", "aktennummer", "file", "file number"),
        *("case", "case number", "file no", "n du dossier", "numero du dossier"),
    ),
    "age_band": (
        *("age", "tranche d age", "tranche age", "classe d age", "leeftijd", "leeftijdsgroep"),
        *("alter", "altersgruppe", "age band", "age group"),
    ),
    "sex": ("sexe", "genre", "geslacht", "geschlecht", "gender", "h f", "f h", "m f", "f m"),
    "commune_nis": (
        *("commune", "code postal", "ins", "nis", "code ins", "code nis", "cp", "gemeente", "postcode", "postnummer"),
        *("gemeinde", "postleitzahl", "plz", "municipality", "postal code", "zip"),
    ),
    "education": (
        *("niveau d etudes", "niveau d etude", "niveau etudes", "etudes", "diplome", "opleidingsniveau", "diploma"),
        *("bildungsniveau", "schulabschluss", "education", "education level"),
    ),
    "status": ("statut", "situation", "statut social", "statuut", "status", "social status"),
    "household": (
        *("menage", "situation familiale", "composition de menage", "composition du menage", "gezin"),
        *("gezinssituatie", "gezinssamenstelling", "haushalt", "household"),
    ),
    "obstacles": ("freins", "frein", "obstacles", "obstacle", "hindernissen", "drempels", "hindernisse", "hurden"),
    "recipient": (
        *("destinataire", "partenaire", "operateur", "envoye a", "bestemmeling", "partner", "empfanger", "recipient"),
    ),
    "offer": ("offre", "offre de formation", "aanbod", "angebot", "offer"),
    "moment": ("moment", "etape"),
    "reason": ("motif", "raison", "motif du relais", "reden", "grund", "reason"),
    "goal": ("objectif", "but", "doel", "ziel", "goal"),
    "chosen_by": ("choisi par", "choix", "gekozen door", "gewahlt von", "chosen by"),
    "contact": ("contact", "prise de contact", "mode de contact", "kontakt"),
    "happened_on": ("date", "date du relais", "date d envoi", "datum", "date sent"),
    "channel": ("accord", "canal de l accord", "akkoord", "einverstandnis", "agreement"),
    "attributes": ("donnees partagees", "gedeelde gegevens", "geteilte daten", "shared data"),
    "expires_on": (
        *("accord jusqu au", "accord jusque", "fin de l accord", "akkoord tot", "einverstandnis bis"),
        *("agreement until",),
    ),
    "evidence_ref": ("preuve", "reference de l accord", "bewijs", "nachweis", "evidence"),
    "ref": ("relais", "reference du relais"),
}
"""Field → the headings recognised for it without a mapping, as `plain` writes them, besides its own name."""

ANSWERS: Mapping[str, str] = {
    "beneficiary": "Bénéficiaire",
    "referrer": "Envoyé par",
    "state": "État du relais",
    "reply_by": "Réponse attendue pour le",
    "first_contact_on": "Premier contact le",
    "place": "Lieu",
    "rank": "Rang d'attente",
    "expected_on": "Place attendue le",
    "decline_reason": "Refusé pour",
    "declined_by": "Refusé par",
    "started_on": "Commencé le",
    "outcome": "Résultat",
    "stop_reason": "Arrêté pour",
    "redirected_reference": "Remplacé par",
    "changed": "Modifié le",
}
"""Field → heading of the columns that an exported table has in addition. An import ignores them."""

_OF_PERSON = ("local_ref", "age_band", "sex", "commune_nis", "education", "status", "household")
REQUIRED = (*_OF_PERSON, "recipient", "moment", "reason", "goal", "chosen_by", "contact")
"""The fields that every table must have a column for."""
IGNORED = "-"
"""The field to which a mapping maps a column that is to be left out."""

_WHO = frozenset(
    (
        *("nom", "noms", "nomjf", "prenom", "prenoms", "pren", "surnom", "surnoms", "patronyme", "patronymes"),
        *("nationalite", "nationalites", "identite", "signature", "photo"),
        *("name", "names", "naam", "namen", "naams", "rufname", "nickname", "nationality", "nationaliteit"),
        *("staatsangehorigkeit", "handtekening", "unterschrift"),
    )
)
"""Words that are a person's, unless the heading speaks of an organisation."""
_NUMBERS = frozenset(
    (
        *("niss", "inss", "insz", "nir", "nirs", "nrn", "rn", "rrn", "rnn", "ssn", "ehk", "ssin"),
        *("naiss", "nais", "ddn", "dn", "dob", "geb", "gebdatum", "gebdat", "ne", "nee", "nes", "born", "geboren"),
        *("tel", "tels", "teleph", "gsm", "gsms", "mobile", "mobiles", "mobiel", "mobil", "portable", "portables"),
        *("phone", "phones", "cell", "handy", "handynr", "fax", "mail", "mails", "email", "emails", "mel", "whatsapp"),
        *("adresse", "adresses", "adr", "rue", "rues", "domicile", "straat", "strasse", "street", "woonplaats"),
        *("wohnort", "anschrift", "iban", "compte"),
    )
)
"""Words of a person's numbers, dates and addresses: a column that has one is never taken."""
_STEMS = re.compile(
    "naissan|telepho|telefo|courriel|adress|address|adres$|adressen$|geboort|geburt|birth|prenom|voorna|vorna|achterna"
    "|familiena|nachna|zuname|surname|firstname|lastname|forename|rijksreg|nationalreg|registrenat|straat|mailad|emailad"
    "|mobilnum|handynum|gsmnum|telnum|gsmnr|telnr|rijksnr|nationalnum"
)
"""What a word that names a person begins with, in the compounds of Dutch and German."""
_ENDS = re.compile("(?:[a-z]{2,}(?:naam|namen|name|names|telefoon|telefon|adres|adresse|datum geb))$")
_PHRASES = re.compile(
    r"\bnationa{1,2}l\w* (?:numm?er|numero|numbers?|regist\w+)|\bn n\b|\bsteuer(?:nummer|id)"
    r"|\bregistres? national|\bn(?:o|r|um|umero)? ?nat(?:ional|ionaux)?\b|\b(?:numero|nummer|number|nr|no) nation"
    r"|\bnat(?:ional)? ?(?:n|nr|no|number|nummer|numero)\b|\bsecurite sociale\b|\bsocial security\b"
    r"|\bcarte d identite\b|\bidentity card\b"
    r"|\bidentiteitskaart\b|\be mails?\b|\bne e le\b|\bdate nais|\bjour de nais|\breg nat\b"
    r"|\bnational registe?r|\brijks register|\bsozialversicherung"
)
_ORGANISATION = frozenset(
    (
        *("partenaire", "partenaires", "operateur", "operateurs", "destinataire", "offre", "offres", "employeur"),
        *("commune", "communes", "service", "services", "organisme", "formation", "partner", "aanbod", "angebot"),
        *("organisation", "organization", "institution", "cpas", "ocmw", "gemeente", "gemeinde", "employer", "offer"),
    )
)
"""With one of these, a name is that of an organisation, an offer or a place."""


def plain(text: str) -> str:
    """Lower case, no accents, letters and digits only, one space between words."""
    joined = re.sub("[’‘ʼ´`]", "'", text.replace("º", "o").replace("œ", "oe").replace("Œ", "oe"))
    bare = unicodedata.normalize("NFKD", joined.casefold()).encode("ascii", "ignore").decode()
    return " ".join(re.findall(r"[a-z0-9]+", bare))


def names_a_person(heading: str) -> bool:
    """Whether a heading in one of four languages is one for a name, a number, a birth date or an address."""
    text = plain(heading)
    words = text.split()
    if not words or text in _KNOWN:
        return False
    if _NUMBERS & set(words) or _PHRASES.search(text) or any(_STEMS.match(word) for word in words):
        return True
    return bool(_WHO & set(words) or any(_ENDS.match(word) for word in words)) and not _ORGANISATION & set(words)


_KNOWN = {heading: field for field, known in HEADINGS.items() for heading in (plain(field), *known)} | {
    plain(heading): IGNORED for heading in ANSWERS.values()
}


class Headings:
    """What each column of a table is. mapping: the partner's own headings → field or IGNORED."""

    def __init__(self, mapping: Mapping[str, str]) -> None:
        self._own = {plain(heading): field for heading, field in mapping.items()}

    def field(self, heading: str) -> str | None:
        """The field of a heading, IGNORED, or None if it is not known."""
        text = plain(heading)
        return self._own.get(text) or _KNOWN.get(text)

    def score(self, row: Iterable[str]) -> int:
        """How many headings of a row are known, or name a person."""
        return len({self.field(each) or plain(each) for each in row if self.field(each) or names_a_person(each)})

    def find(self, table: Table) -> int:
        """The index of the row of headings: the one with most of them near the top; else the first with two cells."""
        if not table.rows:
            raise NotTaken("empty")
        top = table.rows[:MOST_ABOVE]
        scores = [self.score(cell.text for cell in cells.values()) for _, cells in top]
        if max(scores) >= 2:
            return scores.index(max(scores))
        return next((at for at, (_, cells) in enumerate(top) if len(cells) > 1), 0)

    def columns(self, headings: Cells) -> dict[str, int]:
        """The column of each field. Raises NotTaken: a column, mapped or not, that names a person refuses the file."""
        for column, cell in sorted(headings.items()):
            if names_a_person(cell.text):
                raise NotTaken("names_a_person", column=letters(column))
        found: dict[str, int] = {}
        unknown: list[tuple[str, str]] = []
        for column, cell in sorted(headings.items()):
            field = self.field(cell.text)
            if field is None:
                unknown.append((letters(column), " ".join(cell.text.split())[:60]))
            elif field != IGNORED:
                if field in found:
                    raise NotTaken("column_twice", field=field, first=letters(found[field]), second=letters(column))
                found[field] = column
        if unknown:
            raise NotTaken("unknown_columns", columns=unknown)
        missing = [field for field in REQUIRED if field not in found]
        if missing:
            raise NotTaken("missing_columns", fields=missing)
        return found


def check_ids(headings: Cells, rows: Sequence[tuple[int, Cells]]) -> None:
    """The hub's own heading for the person stands over ids only: an office writes names under it. Raises NotTaken."""
    named = plain(ANSWERS["beneficiary"])
    for column in (column for column, cell in headings.items() if plain(cell.text) == named):
        if any(column in cells and not is_uuid(cells[column].text) for _, cells in rows):
            raise NotTaken("names_a_person", column=letters(column))
