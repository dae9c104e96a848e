"""The mail catcher keeps each message once, as a Maildir that any reader opens."""

from __future__ import annotations

import mailbox
import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from multiprocessing import get_context
from pathlib import Path

import pytest
from conftest import eventually

from jalons.embedded import mail
from jalons.embedded.folder import DataFolder
from jalons.embedded.stack import greets


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    folder = DataFolder(tmp_path / "data")
    folder.open()
    chosen = folder.ports("smtp")["smtp"]
    url = f"smtp://hub:secret@127.0.0.1:{chosen}?starttls=0"
    process = get_context("spawn").Process(target=mail.serve, args=(url, str(tmp_path / "mail")))
    process.start()
    eventually(lambda: greets(chosen))
    yield chosen
    process.terminate()
    process.join(5)
    assert process.exitcode == 0
    folder.close()


def a_message(ident: str | None) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "hub@localhost", "accueil@cpas.example", "Nouvelle orientation"
    if ident:
        message["Message-ID"] = ident
    message.set_content("Une personne vous est adressée.\n")
    return message


def send(port: int, *messages: EmailMessage) -> None:
    with smtplib.SMTP("127.0.0.1", port) as server:
        server.login("hub", "secret")
        for message in messages:
            server.send_message(message)


def test_a_message_sent_twice_is_one_message_even_once_read(port: int, tmp_path: Path) -> None:
    send(port, a_message("<1@hub>"), a_message("<1@hub>"), a_message("<2@hub>"))
    box = mailbox.Maildir(tmp_path / "mail", create=False)
    assert sorted(message["Message-ID"] for message in box) == ["<1@hub>", "<2@hub>"]
    for new in (tmp_path / "mail" / "new").iterdir():  # a reader moves what it has shown
        new.rename(tmp_path / "mail" / "cur" / f"{new.name}:2,S")
    send(port, a_message("<1@hub>"))
    assert not list((tmp_path / "mail" / "new").iterdir())
    assert not list((tmp_path / "mail" / "tmp").iterdir())


def test_what_is_stored_is_what_was_sent_and_to_whom(port: int, tmp_path: Path) -> None:
    send(port, a_message("<1@hub>"))
    (kept,) = mailbox.Maildir(tmp_path / "mail", create=False)
    assert kept["Subject"] == "Nouvelle orientation"
    assert kept["Delivered-To"] == "accueil@cpas.example"
    assert "adressée" in kept.get_payload(decode=True).decode()


def test_without_a_message_id_nothing_is_taken_for_the_same(port: int, tmp_path: Path) -> None:
    send(port, a_message(None), a_message(None))
    assert len(mailbox.Maildir(tmp_path / "mail", create=False)) == 2


def test_a_full_disk_is_not_answered_with_250(port: int, tmp_path: Path) -> None:
    (tmp_path / "mail" / "tmp").rmdir()
    with pytest.raises(smtplib.SMTPDataError, match="451"):
        send(port, a_message("<1@hub>"))


@pytest.mark.parametrize("known", [None, ("hub", "wrong"), ("other", "secret"), ("hub", "")])
def test_who_does_not_know_the_password_sends_nothing(port: int, tmp_path: Path, known: tuple[str, str] | None) -> None:
    with smtplib.SMTP("127.0.0.1", port) as server:
        if known:
            with pytest.raises(smtplib.SMTPAuthenticationError):
                server.login(*known)
        with pytest.raises(smtplib.SMTPResponseException, match="530"):
            server.send_message(a_message("<forged@hub>"))
    assert not list((tmp_path / "mail" / "new").iterdir())
