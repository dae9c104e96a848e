"""One rule says what a mailbox is: where a partner's record is written, and where a mail is sent."""

from __future__ import annotations

from typing import Annotated

from email_validator import EmailNotValidError, ValidatedEmail, validate_email
from pydantic import AfterValidator, WithJsonSchema


class NotAMailbox(ValueError):
    """A text that is not the address of one mailbox."""


def mailbox(text: str) -> str:
    """An address as it is stored: its domain in letters (`accueil@cpas-érezée.be`). Raises NotAMailbox."""
    return _checked(text).normalized


def ascii_mailbox(text: str) -> str:
    """An address as a mail server takes it: its domain in IDNA (`accueil@xn--…`). Raises NotAMailbox."""
    address = _checked(text).ascii_email
    if address is None:
        raise NotAMailbox("not an e-mail address")
    return address


def _checked(text: str) -> ValidatedEmail:
    try:
        return validate_email(text.strip(), check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError:
        raise NotAMailbox("not an e-mail address such as accueil@cpas.be; the domain may have accents") from None


Mailbox = Annotated[
    str,
    AfterValidator(mailbox),
    WithJsonSchema({"type": "string", "maxLength": 254, "format": "idn-email", "description": "an office's mailbox"}),
]
"""The type of a body's field that is a mailbox."""
