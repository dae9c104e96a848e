"""SMTP and HTTP for real, on loopback, and the fakes held to the same contract."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from email.message import EmailMessage

import pytest

from services.notifications.deliveries.outcome import Deferred, Delivered, Gone, Refused
from services.notifications.emails.mailer import Mailer, MemoryMailer
from services.notifications.emails.smtp import MAX_MESSAGES, NoMailServer, SmtpMailer
from services.notifications.webhooks.client import MemoryWebhookClient, WebhookClient
from services.notifications.webhooks.http_client import HttpWebhookClient
from tests.services.test_notifications_stage import MailServer

pytest_plugins = ["tests.services.test_notifications_stage"]

HEADERS = {"webhook-id": "1", "content-type": "application/json"}


def _message(to: str = "accueil@trusquin.example") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "jalons@integra.example", to, "Relais"
    message.set_content("Bonjour")
    return message


# The contract of a mailer, kept in memory and for real


@pytest.fixture(params=["memory", "smtp"])
def mailer(request: pytest.FixtureRequest, mail: MailServer) -> tuple[Mailer, MailServer | MemoryMailer]:
    if request.param == "memory":
        fake = MemoryMailer(lambda m: Refused("mailbox_refused") if "unknown@" in m["To"] else Delivered())
        return fake, fake
    mail.rejects["unknown@trusquin.example"] = "550 5.1.1 no such mailbox"
    return SmtpMailer(mail.url), mail


def test_a_message_is_handed_over_once(mailer):
    out, server = mailer
    assert out.send(_message()) == Delivered()
    assert len(server.raw if isinstance(server, MailServer) else server.taken) == 1


def test_an_unknown_mailbox_is_refused_at_once(mailer):
    out, server = mailer
    assert out.send(_message("unknown@trusquin.example")) == Refused("mailbox_refused")
    assert not (server.raw if isinstance(server, MailServer) else server.taken)


# What only real mail servers do


def test_a_full_mailbox_is_tried_again(mail):
    mail.rejects["accueil@trusquin.example"] = "452 4.2.2 full"
    assert SmtpMailer(mail.url).send(_message()) == Deferred("mailbox_busy")


def test_a_mail_server_that_is_away_is_tried_again(mail):
    mail.stop()
    assert SmtpMailer(mail.url).send(_message()) == Deferred("mail_server_away")


def test_message_after_message_goes_on_one_connection_until_there_is_a_rest(mail):
    out = SmtpMailer(mail.url)
    for _ in range(3):
        assert out.send(_message()) == Delivered()
    mail.rejects["unknown@trusquin.example"] = "550 5.1.1 no such mailbox"
    assert out.send(_message("unknown@trusquin.example")) == Refused("mailbox_refused")
    assert out.send(_message()) == Delivered()
    assert list(mail.carried.values()) == [4]
    assert not mail.hung_up
    out.disconnect()
    assert mail.hung_up == list(mail.carried)
    assert out.send(_message()) == Delivered()
    assert list(mail.carried.values()) == [4, 1]


def test_a_connection_carries_no_more_messages_than_servers_take(mail):
    out = SmtpMailer(mail.url)
    for _ in range(MAX_MESSAGES + 1):
        assert out.send(_message()) == Delivered()
    assert list(mail.carried.values()) == [MAX_MESSAGES, 1]


def test_a_server_that_takes_no_more_on_a_connection_is_called_anew(mail):
    out = SmtpMailer(mail.url)
    out.send(_message())
    mail.full |= mail.carried.keys()
    assert out.send(_message()) == Delivered()
    assert list(mail.carried.values()) == [1, 1]


def test_a_server_that_was_restarted_meanwhile_is_called_anew(mail):
    out = SmtpMailer(mail.url)
    out.send(_message())
    mail.stop()
    assert out.send(_message()) == Deferred("mail_server_away")
    mail.start()
    assert out.send(_message()) == Delivered()
    assert list(mail.carried.values()) == [1, 1]


def test_an_answer_that_comes_late_is_not_taken_for_the_next_ones():
    """A server that is slower than we wait: nobody knows whether it has the message, and it is not asked on there."""
    with SlowServer() as slow:
        out = SmtpMailer(slow.url, seconds=0.3)
        assert out.send(_message()) == Deferred("mail_server_away")
        assert out.send(_message()) == Deferred("mail_server_away")
        assert slow.connections == 2


class SlowServer:
    """Takes everything at once, but says so of a whole message a second late."""

    def __init__(self) -> None:
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"smtp://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> SlowServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rwb") as line, suppress(OSError):

            def say(answer: bytes) -> None:
                line.write(answer + b"\r\n")
                line.flush()

            say(b"220 slow")
            while heard := line.readline():
                if not heard.lower().startswith(b"data"):
                    say(b"250 OK")
                    continue
                say(b"354 go on")
                while line.readline() != b".\r\n":
                    pass
                time.sleep(1)
                say(b"250 stored")


def test_a_mail_server_that_hangs_is_given_up_in_time():
    with socket.create_server(("127.0.0.1", 0)) as mute:
        assert SmtpMailer(f"smtp://127.0.0.1:{mute.getsockname()[1]}", seconds=0.3).send(_message()) == Deferred(
            "mail_server_away"
        )


def test_a_password_is_not_sent_without_encryption(mail):
    out = SmtpMailer(mail.url.replace("//", "//someone:secret@"))
    assert out.send(_message()) == Deferred("mail_server_without_tls")
    assert not mail.raw


def test_encryption_that_is_insisted_on_is_not_forgone(mail):
    assert SmtpMailer(mail.url + "?starttls=1").send(_message()) == Deferred("mail_server_without_tls")


@pytest.mark.parametrize("url", ["http://mail.example", "smtp://", "smtp://mail.example?starttls=maybe"])
def test_a_wrong_mail_address_is_said_at_the_start(url):
    with pytest.raises(ValueError, match="JALONS_SMTP_URL"):
        SmtpMailer(url)


def test_without_a_mail_server_messages_wait_for_one():
    assert NoMailServer().send(_message()) == Deferred("mail_not_configured")


# The contract of a caller, kept in memory and for real


@pytest.fixture(params=["memory", "http"])
def caller(request: pytest.FixtureRequest, receives) -> tuple[WebhookClient, object, str]:
    if request.param == "memory":
        fake = MemoryWebhookClient(refuses={"https://10.0.0.1/": "address_not_public"})
        return fake, fake, "https://partner.example/"
    receiver = receives()
    return HttpWebhookClient(loopback=True), receiver, receiver.url


def test_a_call_arrives_with_its_headers_and_body(caller):
    out, receiver, url = caller
    assert out.post(url, HEADERS, b"{}") == Delivered()
    (call,) = receiver.calls
    headers, body = call if isinstance(call, tuple) else (call.headers, call.body)
    assert headers["webhook-id"] == "1"
    assert body == b"{}"


def test_an_address_inside_is_refused_before_and_at_each_call(caller):
    out, receiver, url = caller
    assert out.refusal(url) is None
    assert out.refusal("https://10.0.0.1/") == "address_not_public"
    assert out.post("https://10.0.0.1/", HEADERS, b"{}") == Refused("address_not_public")
    assert not receiver.calls


# What only real receivers do


@pytest.mark.parametrize(
    ("status", "headers", "outcome"),
    [
        (200, {}, Delivered()),
        (301, {"location": "https://elsewhere.example/"}, Deferred("receiver_redirects")),
        (410, {}, Gone("receiver_gone")),
        (429, {"retry-after": "17"}, Deferred("receiver_busy", 17.0)),
        (500, {}, Deferred("receiver_fails")),
    ],
)
def test_an_answer_is_judged_by_its_status(receives, status, headers, outcome):
    assert HttpWebhookClient(loopback=True).post(receives((status, headers)).url, HEADERS, b"{}") == outcome


def test_a_redirect_is_not_followed(receives):
    target = receives()
    answer = HttpWebhookClient(loopback=True).post(receives((307, {"location": target.url})).url, HEADERS, b"{}")
    assert answer == Deferred("receiver_redirects")
    assert target.calls == []


def test_this_machine_is_not_called_unless_the_setting_says_so(receives):
    receiver = receives()
    closed = HttpWebhookClient(loopback=False)
    assert closed.post(receiver.url, HEADERS, b"{}") == Refused("url_not_https")
    assert closed.post(receiver.url.replace("http", "https"), HEADERS, b"{}") == Refused("address_not_public")
    assert receiver.calls == []


@pytest.mark.parametrize("host", ["localhost", "0x7f.1", "127.1", "2130706433", "[::1]", "[::ffff:127.0.0.1]"])
def test_no_spelling_of_this_machine_gets_by(host):
    assert HttpWebhookClient(loopback=False).refusal(f"https://{host}/") == "address_not_public"


def test_a_name_that_leads_inside_is_refused_even_if_one_of_its_addresses_is_public():
    async def mixed(_host: str, _port: int) -> list[str]:
        return ["193.190.198.27", "192.168.1.1"]

    assert HttpWebhookClient(loopback=False, resolve=mixed).refusal("https://partner.example/") == "address_not_public"


def test_a_name_that_turned_to_an_inside_address_is_refused_when_it_is_called(receives):
    receiver, answers = receives(), [["193.190.198.27"], ["127.0.0.1"]]

    async def rebinding(_host: str, _port: int) -> list[str]:
        return answers.pop(0)

    out = HttpWebhookClient(loopback=False, resolve=rebinding)
    url = receiver.url.replace("http://127.0.0.1", "https://partner.example")
    assert out.refusal(url) is None
    assert out.post(url, HEADERS, b"{}") == Refused("address_not_public")
    assert receiver.calls == []


def test_the_checked_address_is_the_one_that_is_called_under_the_receivers_name(receives):
    receiver, asked = receives(), []

    async def once(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    url = receiver.url.replace("127.0.0.1", "partner.example")
    assert HttpWebhookClient(loopback=True, resolve=once).post(url, HEADERS, b"{}") == Delivered()
    assert asked == ["partner.example"]
    assert receiver.calls[0].headers["host"].startswith("partner.example:")


def test_the_next_address_is_tried_when_the_first_takes_no_connection(receives):
    receiver = receives()

    async def two(_host: str, _port: int) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]

    assert HttpWebhookClient(loopback=True, resolve=two).post(receiver.url, HEADERS, b"{}") == Delivered()


def test_a_name_that_does_not_exist_is_said():
    async def nobody(_host: str, _port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    out = HttpWebhookClient(loopback=False, resolve=nobody)
    assert out.refusal("https://partner.example/") == "name_not_resolved"
    assert out.post("https://partner.example/", HEADERS, b"{}") == Deferred("name_not_resolved")


def test_a_receiver_that_is_away_is_tried_again(receives):
    receiver = receives()
    receiver.close()
    assert HttpWebhookClient(loopback=True).post(receiver.url, HEADERS, b"{}") == Deferred("receiver_away")


def test_a_receiver_without_a_valid_certificate_gets_nothing(receives):
    receiver = receives()
    with socket.create_server(("127.0.0.1", 0)) as plain:
        threading.Thread(target=lambda: plain.accept()[0].sendall(b"220 not TLS\r\n"), daemon=True).start()
        url = f"https://127.0.0.1:{plain.getsockname()[1]}/"
        assert HttpWebhookClient(loopback=True).post(url, HEADERS, b"{}") == Deferred("receiver_tls")
    assert receiver.calls == []


def test_a_receiver_that_trickles_its_answer_is_cut_off():
    def trickle(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            try:
                for byte in b"HTTP/1.1 200 OK\r\nx: " + b"y" * 1000:
                    connection.sendall(bytes([byte]))
                    time.sleep(0.05)
            except OSError:
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=trickle, args=(listener,), daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        assert HttpWebhookClient(loopback=True, seconds=0.6).post(url, HEADERS, b"{}") == Deferred("receiver_slow")
