"""The door: what is taken in, what is refused, and that a 250 is a promise."""

from __future__ import annotations

import smtplib
import socket
import threading
import time

import pytest
from sqlalchemy import func, select

from service.emails import links
from service.inbound.parsing.mime.mime_parser import LARGEST
from service.models import Arrival, RawMail
from tests.conftest import wait_until
from tests.inbound.conftest import Receiver, start
from tests.inbound.post import DOMAIN, letter
from tests.support.people import ANN
from tests.support.world import World

MAIL = letter(ANN["email"], f"updates-request@{DOMAIN}", "help")


def count(world: World) -> int:
    return int(world.rows(select(func.count()).select_from(Arrival))[0])


def codes(receiver: Receiver, address: str) -> int:
    with receiver.client() as client:
        client.ehlo("mx.example.org")
        client.mail("ann@example.org")
        return client.rcpt(address)[0]


def known() -> list[str]:
    return [
        f"updates-subscribe@{DOMAIN}", f"UPDATES-Unsubscribe@{DOMAIN.upper()}", f"updates-request@{DOMAIN}",
        f"postmaster@{DOMAIN}", f"abuse@{DOMAIN}", f"fbl@{DOMAIN}", "postmaster", f"notices@{DOMAIN}", f"contact@{DOMAIN}",
        links.bounce_address(7), links.bounce_address(7).upper(), links.unsubscribe_address(7), links.confirm_address(7),
    ]  # fmt: skip


def unknown() -> list[str]:
    token = links.bounce_address(7)
    return [
        f"ann@{DOMAIN}", f"nolist-subscribe@{DOMAIN}", "ann@elsewhere.example", "updates-subscribe@elsewhere.example",
        f"bounce@{DOMAIN}", f"bounce+@{DOMAIN}", token.replace("@", "a@"), token[:20] + token[21:],
        token.replace("bounce", "confirm"), token.replace("bounce", "unsubscribe"), f"bounce+{'a' * 26}@{DOMAIN}",
        links.unsubscribe_address(7).replace("unsubscribe", "confirm"), f"updates-remove@{DOMAIN}",
    ]  # fmt: skip


def test_our_own_addresses_are_taken_and_no_others(receiver: Receiver) -> None:
    assert {one: codes(receiver, one) for one in known()} == dict.fromkeys(known(), 250)
    assert {one: codes(receiver, one) for one in unknown()} == dict.fromkeys(unknown(), 550)


def test_a_250_means_committed(world: World, receiver: Receiver) -> None:
    with receiver.client() as client:
        assert client.sendmail(ANN["email"], [f"updates-request@{DOMAIN}"], MAIL) == {}
    (row,) = world.rows(select(Arrival))
    assert (row.source, row.sender, row.recipient) == ("smtp", ANN["email"], f"updates-request@{DOMAIN}")
    assert world.rows(select(RawMail.content))[0] == MAIL


def test_lmtp_answers_for_each_recipient(world: World, receiver: Receiver) -> None:
    with socket.create_connection(("127.0.0.1", receiver.lmtp)) as line:
        said = line.makefile("rb")
        commands = [
            b"", b"LHLO mx.example.org", b"MAIL FROM:<>", f"RCPT TO:<postmaster@{DOMAIN}>".encode(),
            b"RCPT TO:<nobody@x.example>", f"RCPT TO:<abuse@{DOMAIN}>".encode(), b"DATA", MAIL + b".",
        ]  # fmt: skip
        replies = []
        for command in commands:
            line.sendall(command + b"\r\n" if command else b"")
            replies.append(reply(said))
        replies.append(reply(said))
        line.sendall(b"QUIT\r\n")
    assert [one[:3] for one in replies] == [b"220", b"250", b"250", b"250", b"550", b"250", b"354", b"250", b"250"]
    assert [(row.source, row.sender, row.recipient) for row in world.rows(select(Arrival).order_by(Arrival.id))] == [
        ("lmtp", "", f"postmaster@{DOMAIN}"), ("lmtp", "", f"abuse@{DOMAIN}"),
    ]  # fmt: skip
    assert len(world.rows(select(RawMail.id))) == 1


def reply(said: object) -> bytes:
    while (line := said.readline())[3:4] == b"-":  # type: ignore[attr-defined]
        pass
    return bytes(line)


SMUGGLED = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\r\n\0.\r\n", b"\n.\r"]
"""What another server may take for the end of a text (CVE-2023-51764 and its kin)."""


def test_no_message_is_smuggled_inside_another(world: World, receiver: Receiver) -> None:
    """Such an end is refused here together with all that stands behind it."""
    inner = b"MAIL FROM:<mallory@example.org>\r\nRCPT TO:<postmaster@" + DOMAIN.encode() + b">\r\nDATA\r\nForged.\r\n.\r\n"
    said = {}
    for end in SMUGGLED:
        with receiver.client() as client:
            client.ehlo("mx.example.org")
            client.mail(ANN["email"])
            client.rcpt(f"updates-request@{DOMAIN}")
            client.docmd("DATA")
            client.send(b"Subject: help\r\n\r\nHello" + end + inner)
            said[end] = client.getreply()[0]
    assert said == dict.fromkeys(SMUGGLED, 554)
    assert count(world) == 0


def test_what_is_too_large_is_refused_and_the_receiver_goes_on(world: World, receiver: Receiver) -> None:
    with receiver.client() as client:
        client.ehlo("mx.example.org")
        assert int(client.esmtp_features["size"]) == LARGEST
        assert client.mail(ANN["email"], [f"SIZE={LARGEST + 1}"])[0] == 552
        large = MAIL + b"x" * 76 + b"\r\n" + (b"x" * 76 + b"\r\n") * (LARGEST // 78 + 1)
        client.mail(ANN["email"])  # a client that does not say how large
        client.rcpt(f"updates-request@{DOMAIN}")
        assert client.data(large)[0] == 552
        assert client.sendmail(ANN["email"], [f"updates-request@{DOMAIN}"], MAIL) == {}
    assert count(world) == 1


def test_a_database_that_is_away_asks_to_come_back(world: World, receiver: Receiver) -> None:
    path = world.settings.var_dir / "undersigned.db"
    path.rename(path.with_suffix(".away"))
    for extra in ("-wal", "-shm"):
        path.with_name(path.name + extra).unlink(missing_ok=True)
    path.mkdir()
    with receiver.client() as client, pytest.raises((smtplib.SMTPDataError, smtplib.SMTPRecipientsRefused)) as refused:
        client.sendmail(ANN["email"], [f"postmaster@{DOMAIN}"], MAIL)
    assert "4.3.0" in str(refused.value)
    path.rmdir()
    path.with_suffix(".away").rename(path)


class Senders:
    """Four mail servers that hand over numbered messages, and give each again until it is told 250."""

    def __init__(self, receiver: Receiver, count: int) -> None:
        self.receiver, self.wanted, self.taken = receiver, iter(range(count)), set[int]()
        self.lock, self.until = threading.Lock(), time.monotonic() + 90
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(4)]
        for one in self.threads:
            one.start()

    def _run(self) -> None:
        client: smtplib.SMTP | None = None
        while time.monotonic() < self.until:
            with self.lock:
                number = next(self.wanted, None)
            if number is None:
                return
            while number not in self.taken and time.monotonic() < self.until:
                try:
                    client = client or self.receiver.client()
                    client.sendmail(ANN["email"], [f"postmaster@{DOMAIN}"], letter(ANN["email"], DOMAIN, f"number {number}"))
                    self.taken.add(number)
                except (OSError, smtplib.SMTPException):
                    client = None
                    time.sleep(0.02)


def test_nothing_that_was_told_250_is_lost_when_the_receiver_is_killed(world: World, environment: dict[str, str]) -> None:
    """1,000 messages over four connections; killed three times, started again, and what had no answer goes again."""
    world.publish()
    senders = Senders(start(environment), 1_000)
    try:
        for share in (150, 430, 800):
            wait_until(lambda share=share: len(senders.taken) >= share, 60)
            senders.receiver.process.kill()
            senders.receiver.process.wait()
            senders.receiver = start(environment)
        for one in senders.threads:
            one.join(60)
    finally:
        senders.receiver.process.kill()
        senders.receiver.process.wait()
    stored = {subject(content) for content in world.rows(select(RawMail.content))}
    assert len(senders.taken) == 1_000
    assert {f"number {number}" for number in senders.taken} <= stored


def subject(content: bytes) -> str:
    return next(line for line in content.decode().splitlines() if line.startswith("Subject: ")).removeprefix("Subject: ")
