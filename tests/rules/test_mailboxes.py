"""A mailbox is one address that a mail server takes, international domains included."""

from __future__ import annotations

import pytest

from jalons.mailboxes import NotAMailbox, ascii_mailbox, mailbox


@pytest.mark.parametrize(
    ("text", "stored", "sent"),
    [
        ("insertion@cpas-hotton.be", "insertion@cpas-hotton.be", "insertion@cpas-hotton.be"),
        ("accueil@cpas-érezée.be", "accueil@cpas-érezée.be", "accueil@xn--cpas-reze-f4ad.be"),
        ("accueil@xn--cpas-reze-f4ad.be", "accueil@cpas-érezée.be", "accueil@xn--cpas-reze-f4ad.be"),
        (" Relais+1@FOREM.example ", "Relais+1@forem.example", "Relais+1@forem.example"),
    ],
)
def test_an_address_is_stored_in_letters_and_sent_in_ascii(text: str, stored: str, sent: str) -> None:
    assert mailbox(text) == stored == mailbox(stored)
    assert ascii_mailbox(stored) == sent


@pytest.mark.parametrize(
    "text",
    [
        *(
            "a@b",
            "a@@b.be",
            "a b@c.be",
            "a@b..be",
            ".a@b.be",
            "a@b.be,c@d.be",
            "Marie <a@b.be>",
            "a@[127.0.0.1]",
            "é@b.be",
        ),
        *("a@-b.be", "a@b_c.be", "a@localhost", "a@b.local", "a\n@b.be", "@b.be", "a@", "", "a@b.be\r\nBcc: c@d.be"),
    ],
)
def test_what_is_no_address_is_refused_at_the_door(text: str) -> None:
    with pytest.raises(NotAMailbox):
        mailbox(text)
