"""Writes the operator's mails: which parts do not work, never what they were at work on."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined

from jalons.clock import BRUSSELS
from services.notifications.operator.rules import Kind, Trouble


def kind_of(part: str) -> str:
    """A part's name without the number that tells threads of one kind apart."""
    return re.sub(r"-\d+$", "", part)


class OperatorMails:
    """network: its name, which stands in each subject. mail_from: the hub's own address. to: the operator's."""

    def __init__(self, network: str, mail_from: str, to: str) -> None:
        self._network = network
        self._from = parseaddr(mail_from)[1]
        self._to = to
        self._texts: dict[str, Any] = tomllib.loads(
            files("services.notifications.operator").joinpath("texts/fr.toml").read_text("utf-8")
        )
        self._environment = Environment(  # noqa: S701 - plain text mails
            undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )

    def write(self, kind: Kind, troubles: Sequence[Trouble], backup: datetime | None, now: datetime) -> EmailMessage:
        """One mail. backup: when the newest backup was made, if it is known."""
        parts, services = self._texts["parts"], self._texts["services"]
        context = {
            "network": self._network,
            "troubles": [f"{services[each.service]} : {parts.get(kind_of(each.part), each.part)}" for each in troubles],
            "backup": f"{backup.astimezone(BRUSSELS):%d/%m/%Y à %H:%M}" if backup else None,
        }
        message = EmailMessage()
        message["Subject"] = self._text(kind, "subject", context)
        message["From"] = str(Address(self._network, addr_spec=self._from))
        message["To"] = self._to
        message["Date"] = format_datetime(now)
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(self._text(kind, "text", context))
        return message

    def _text(self, kind: Kind, name: str, context: dict[str, Any]) -> str:
        return self._environment.from_string(self._texts[kind][name]).render(context).strip()
