"""Mail for these tests: written as people and servers write it, handed to the spool as the receiver does."""

from __future__ import annotations

from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage

from service.core.db import transaction
from service.emails import links
from service.inbound import spool
from tests.support.world import World

DOMAIN = "lists.example.org"
STRANGER = b"Received: from evil.example (evil.example [203.0.113.66])\r\n\tby mx.lists.example.org with ESMTP id 1;\r\n"
"""What our own mail server writes above a letter from outside."""
VOUCHED = b"Authentication-Results: lists.example.org; %s\r\n"
"""What it writes of who proved to be its sender."""


def letter(author: str, to: str, subject: str = "", text: str = "Hello.", **headers: str) -> bytes:
    """A person's e-mail; headers by name, underscores for dashes, may replace the usual ones."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = author, to, subject
    message["Message-ID"] = "<a-person-wrote-this@mail.example.org>"
    message.set_content(text)
    for name, value in headers.items():
        del message[name.replace("_", "-")]
        message[name.replace("_", "-")] = value
    return message.as_bytes(policy=policy.SMTP)


def bounce(status: str = "5.1.1", diagnostic: str = "550 5.1.1 User unknown", action: str = "failed", told: str = "") -> bytes:
    """A delivery status notification, as Postfix writes it; `told` stands in its part for people."""
    return f"""\
Return-Path: <>
From: MAILER-DAEMON@mx.example.net (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: someone@{DOMAIN}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="=_edge"

--=_edge
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not be delivered.
{told}
--=_edge
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; reader@example.net
Action: {action}
Status: {status}
Diagnostic-Code: smtp; {diagnostic}

--=_edge--
""".replace("\n", "\r\n").encode()


def complaint(message_row: int, kind: str = "abuse", *, secret: bool = True) -> bytes:
    """A feedback report (RFC 5965), with the headers of our own message in it; without `secret`, those that replies show."""
    known = f"CFBL-Feedback-ID: {links.complaint_token(message_row)}\n" if secret else ""
    return f"""\
From: <feedback@provider.example>
Subject: complaint about message from 192.0.2.1
To: fbl@{DOMAIN}
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="=_edge"

--=_edge
Content-Type: text/plain

This is an email abuse report.

--=_edge
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: SomeGenerator/1.0
Version: 1

--=_edge
Content-Type: message/rfc822

Message-ID: {links.message_id(message_row)}
{known}Subject: The first week

--=_edge--
""".replace("\n", "\r\n").encode()


def receive(world: World, raw: bytes, to: str, sender: str | None = "someone@example.org", *, work: bool = True) -> None:
    """As if the receiver had said 250; then the workers do what there is to do."""
    with transaction() as session:
        spool.store(session, [spool.Mail("smtp", sender, [to], raw)], datetime.now(UTC))
        spool.ring(session)
    if work:
        world.work()
