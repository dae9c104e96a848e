"""Writes e-mails: something awaits the partner, with a reference and a contact; never who it is about, nor why."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from email import policy
from email.errors import MessageError
from email.headerregistry import Address, BaseHeader, HeaderRegistry
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, cast
from uuid import UUID

from jinja2 import Environment, PackageLoader, StrictUndefined, Template, select_autoescape

from jalons.clock import BRUSSELS
from jalons.mailboxes import NotAMailbox, ascii_mailbox
from jalons.privacy.links import AnswerLinks, LinkTarget, Noun
from jalons.privacy.own_ids import minute_of
from schemas.routing import COORDINATOR, FRONT
from services.notifications.deliveries.gate import PartnerRecord
from services.notifications.deliveries.rows import Delivery
from services.notifications.routing.rules import awaits_answer

FALLBACK = "fr"
OPEN_ACTS = "jalons.waiting.asked.v1"
"""The type of a mail that lists all that awaits a partner: sent on request, about no event."""
_SERVICE = "services.notifications.emails"
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class _Headers(HeaderRegistry):
    """The library's header classes, cached by name instead of made for every header."""

    @cache  # noqa: B019 - one instance, for as long as the process lives
    def __getitem__(self, name: str) -> type[BaseHeader]:
        return super().__getitem__(name)


_HEADERS = _Headers()
_POLICY = policy.default.clone(header_factory=_HEADERS)


@lru_cache(maxsize=512)
def _parsed(name: str, value: str) -> BaseHeader:
    """A header that many mails share, parsed once: parsing takes longer than rendering the text."""
    header: BaseHeader = _HEADERS(name, value)
    return header


@dataclass(frozen=True, slots=True)
class _Named:
    """The partners that a mail has to do with besides its recipient: whom it names, whose telephone it gives, who is
    answered."""

    contact: PartnerRecord
    phone_of: PartnerRecord
    answered: PartnerRecord | None


class InvalidMailbox(Exception):
    """The recipient's mailbox is not an e-mail address."""


class MessageWriter:
    """Writes the hub's mails. A language is a folder of templates: two layouts and a catalogue of texts.

    public_url: the base of links; None for mails without links.
    """

    def __init__(self, network: str, mail_from: str, public_url: str | None, links: AnswerLinks) -> None:
        self._network = _one_line(network)
        self._links = links
        self._from = parseaddr(mail_from)[1]
        self._public_url = public_url
        self._templates = Environment(
            loader=PackageLoader(_SERVICE, "templates"),
            autoescape=select_autoescape(["html.j2"], default_for_string=False),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._compiled_texts: dict[str, Template] = {}
        folders = files(_SERVICE).joinpath("templates").iterdir()
        self._catalogues = {each.name: tomllib.loads(each.joinpath("catalogue.toml").read_text()) for each in folders}

    def write(
        self,
        delivery: Delivery,
        recipient: PartnerRecord,
        contact: PartnerRecord,
        now: datetime,
        known: Mapping[str, PartnerRecord] | None = None,
    ) -> EmailMessage:
        """The mail for a delivery, the same each time but for its date. Raises InvalidMailbox.

        contact: the partner that the mail names. known: other partners that the delivery's facts name, by slug.
        """
        language = recipient.language if recipient.language in self._catalogues else FALLBACK
        known = {**(known or {}), recipient.slug: recipient}
        if delivery.about_type == OPEN_ACTS:
            return self._open_acts(delivery, recipient, language, now, known)
        catalogue = self._catalogues[language]
        facts = delivery.facts or {}
        named = _Named(contact, known.get(facts.get("phone_of", ""), contact), _answered(facts, contact, known))
        context = self._context(catalogue, delivery, facts, recipient, named)
        frame = self._texts(catalogue, "frame", context)
        texts = self._texts(catalogue, f"{delivery.about_type}/{facts['role']}", context | {"frame": frame})
        subject = f"{frame['mark']} {texts['subject']}" if delivery.trial else texts["subject"]
        message = self._message(delivery, recipient, subject, now, named.answered)
        return self._lay_out(message, f"{language}/message", context | texts | {"frame": frame})

    def _open_acts(
        self,
        delivery: Delivery,
        recipient: PartnerRecord,
        language: str,
        now: datetime,
        known: Mapping[str, PartnerRecord],
    ) -> EmailMessage:
        """All that awaits a partner, each with the link by which it is answered. Raises InvalidMailbox."""
        catalogue, acts = self._catalogues[language], (delivery.facts or {})["acts"]
        about: dict[str, Any] = {"network": self._network, "recipient": _one_line(recipient.name), "count": len(acts)}
        about["more"] = (delivery.facts or {})["more"]
        frame = self._texts(catalogue, "frame", about | dict(_NO_CONTACT))
        waiting = []
        for act in acts:
            texts = self._texts(catalogue, f"{OPEN_ACTS}/partner", about | {"reference": act["reference"]})
            path = self._answer(LinkTarget(act["noun"], UUID(act["id"]), delivery.recipient))
            waiting.append({"what": texts[act["noun"]], "link": self._public(path)})
        texts = self._texts(catalogue, f"{OPEN_ACTS}/partner", about | {"reference": ""})
        answered = known.get(COORDINATOR) or known.get(FRONT)
        message = self._message(delivery, recipient, texts["subject"], now, answered)
        return self._lay_out(message, f"{language}/waiting", texts | {"frame": frame, "waiting": waiting})

    def _message(
        self,
        delivery: Delivery,
        recipient: PartnerRecord,
        subject: str,
        now: datetime,
        answered: PartnerRecord | None,
    ) -> EmailMessage:
        message = EmailMessage(_POLICY)
        message["Subject"] = subject
        message["From"] = _parsed("From", str(Address(self._network, addr_spec=self._from)))
        message["To"] = _parsed("To", str(_address(recipient.mailbox)))
        message["Date"] = format_datetime(minute_of(now.astimezone(BRUSSELS)))
        message["Message-ID"] = f"<{delivery.delivery_id}@{self._from.rpartition('@')[2]}>"
        message["Auto-Submitted"] = _parsed("Auto-Submitted", "auto-generated")
        reply_to = _reply_to(answered) if answered else None
        if reply_to is not None:
            message["Reply-To"] = _parsed("Reply-To", str(reply_to))
        return message

    def _lay_out(self, message: EmailMessage, layout: str, context: Mapping[str, Any]) -> EmailMessage:
        message.set_content(self._render(f"{layout}.txt.j2", context), cte="quoted-printable")
        html = self._render(f"{layout}.html.j2", context)
        message.add_alternative(html, subtype="html", cte="quoted-printable")
        return message

    def _context(
        self,
        catalogue: Mapping[str, Any],
        delivery: Delivery,
        facts: Mapping[str, Any],
        recipient: PartnerRecord,
        named: _Named,
    ) -> dict[str, Any]:
        dates = {name: date.fromisoformat(facts[name]) for name in _DATES if name in facts}
        return {
            "network": self._network,
            "reference": delivery.reference,
            "trial": delivery.trial,
            "recipient": _one_line(recipient.name),
            "contact": _one_line(named.contact.name),
            "phone": _one_line(named.phone_of.phone),
            "phone_hours": _one_line(named.phone_of.phone_hours or ""),
            "answered": _one_line(named.answered.name) if named.answered and named.answered is not recipient else None,
            "own": named.answered is recipient,
            "first_contact": facts.get("contact"),
            "role": facts["role"],
            "number": facts.get("number"),
            "about": facts.get("about"),
            "months": facts.get("months"),
            "agreement_ended": facts.get("agreement_ended"),
            "reported": facts.get("reported_by") == "referrer",
            **self._link(delivery, facts),
            "dates": {name: in_words(day, catalogue["dates"]) for name, day in dates.items()},
        }

    def _link(self, delivery: Delivery, facts: Mapping[str, Any]) -> dict[str, Any]:
        """`link`: the page of the act, if there is a public URL; `to_answer`: whether an answer is awaited there."""
        if "act" not in facts:
            return {"link": None, "to_answer": False}
        noun = cast("Noun", facts["noun"])
        path = self._answer(LinkTarget(noun, UUID(facts["act"]), delivery.recipient))
        return {"link": self._public(path), "to_answer": awaits_answer(delivery.about_type, facts["role"])}

    def _answer(self, named: LinkTarget) -> str:
        return f"/answer/{self._links.token(named)}"

    def _public(self, path: str) -> str | None:
        return f"{self._public_url}{path}" if self._public_url else None

    def _texts(self, catalogue: Mapping[str, Any], entry: str, context: Mapping[str, Any]) -> dict[str, str]:
        """The rendered texts of one entry; plain, one line each."""
        rendered = {name: _one_line(self._compiled(text).render(context)) for name, text in catalogue[entry].items()}
        return {name: text[:1].upper() + text[1:] for name, text in rendered.items()} if "/" in entry else rendered

    def _compiled(self, text: str) -> Template:
        """A text of the catalogue, compiled once: compiling takes longer than the rest of a mail."""
        if text not in self._compiled_texts:
            self._compiled_texts[text] = self._templates.from_string(text)
        return self._compiled_texts[text]

    def _render(self, template: str, context: Mapping[str, Any]) -> str:
        return self._templates.get_template(template).render(context)


_NO_CONTACT: Mapping[str, Any] = {
    "contact": None,
    "answered": None,
    "own": False,
    "phone": "",
    "phone_hours": "",
    "reference": "",
    "role": "partner",
    "link": None,
    "to_answer": False,
}
"""What the frame needs where there is no other party."""
_DATES = (
    *("reply_by", "first_contact_on", "expected_on", "started_on"),
    *("planned_start", "planned_end", "ended_on", "since", "ends_on", "cancelled_on"),
)


def in_words(day: date, words: Mapping[str, Any]) -> str:
    """A date in words, « mardi 1er décembre 2026 ». words: `days`, `months`, `first` of a catalogue."""
    number = words["first"] if day.day == 1 else str(day.day)
    return f"{words['days'][day.weekday()]} {number} {words['months'][day.month - 1]} {day.year}"


def _one_line(text: str) -> str:
    """A partner's text as one line without control characters, so that it cannot start a header or a paragraph."""
    return " ".join(_UNPRINTABLE.sub(" ", text).split())


def _address(mailbox: str, name: str = "") -> Address:
    """Raises InvalidMailbox for what the rule of the door (`jalons.mailboxes`) does not take."""
    try:
        return Address(name, addr_spec=ascii_mailbox(mailbox))
    except (NotAMailbox, ValueError, IndexError, MessageError):
        raise InvalidMailbox from None


def _answered(
    facts: Mapping[str, Any], contact: PartnerRecord, known: Mapping[str, PartnerRecord]
) -> PartnerRecord | None:
    """Who is answered: whom the facts name, else the contact. The front stands in for a coordinator without a mailbox;
    None if there is neither, and the answer goes to the hub's own address."""
    if "answer" not in facts:
        return contact
    return known.get(facts["answer"]) or known.get(FRONT)


def _reply_to(answered: PartnerRecord) -> Address | None:
    try:
        return _address(answered.mailbox, _one_line(answered.name))
    except InvalidMailbox:
        return None
