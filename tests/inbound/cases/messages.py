"""Whole messages that come back or look as if they did, each with what is right: kind, class and what would be done."""

from __future__ import annotations

from typing import NamedTuple

from tests.inbound.cases.replies import OURS, READER

OTHER = "sable@quay.example"


class Case(NamedTuple):
    raw: bytes
    kind: str
    bounce_class: str | None
    would: str
    sender: str = ""


def report(groups: str, told: str = "Your message could not be handed on.", more: str = "") -> bytes:
    """A delivery status notification with these groups of fields, one for each copy."""
    return _mail(
        {"From": "MAILER-DAEMON@mx.harbour.example", "Subject": "Undelivered Mail Returned to Sender",
         "Content-Type": 'multipart/report; report-type=delivery-status; boundary="=_e"'},
        f"--=_e\nContent-Type: text/plain\n\n{told}\n\n--=_e\n{more}Content-Type: message/delivery-status\n\n"
        f"Reporting-MTA: dns; mx.harbour.example\n\n{groups}\n\n--=_e\nContent-Type: text/rfc822-headers\n\n"
        f"Return-Path: <{OURS}>\nSubject: News\n\n--=_e--\n",
    )  # fmt: skip


def copy(to: str, action: str, status: str, diagnostic: str = "", original: str = "") -> str:
    lines = [f"Original-Recipient: rfc822;{original}"] if original else []
    lines += [f"Final-Recipient: rfc822; {to}", f"Action: {action}", f"Status: {status}"]
    return "\n".join([*lines, *([f"Diagnostic-Code: {diagnostic}"] if diagnostic else [])])


def exim(reply: str, command: str = f"RCPT TO:<{READER}>") -> bytes:
    return text(
        "This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered "
        f"to one of its recipients.\n\n  {READER}\n    host mx.harbour.example [192.0.2.9]\n    SMTP error from remote mail "
        f"server after {command}:\n    {reply}\n\n------ This is a copy of the message, including all the headers. ------\n\n"
        f"Return-path: <{OURS}>\nSubject: user unknown, mailbox full\n"
    )


def text(
    body: str, author: str = "Mailer-Daemon@mx.harbour.example", subject: str = "Mail delivery failed", **more: str
) -> bytes:
    headers = {"From": author, "Subject": subject} | {name.replace("_", "-"): value for name, value in more.items()}
    return _mail(headers, body)


def _mail(headers: dict[str, str], body: str) -> bytes:
    usual = {"Return-Path": "<>", "To": OURS, "MIME-Version": "1.0"} | headers
    return ("".join(f"{name}: {value}\n" for name, value in usual.items()) + f"\n{body}").replace("\n", "\r\n").encode()


UNKNOWN = "smtp; 550 5.1.1 User unknown"
DISPOSITION = (
    "--=_d\nContent-Type: text/plain\n\nYour message to <wren@harbour.example> was automatically rejected:\n{}\n\n--=_d\n"
    "Content-Type: message/disposition-notification\n\nFinal-Recipient: rfc822; wren@harbour.example\n"
    "Disposition: automatic-action/MDN-sent-automatically; {}\n\n--=_d--\n"
)
AS_DISPOSITION = {
    "Subject": "Rejected: News", "Content-Type": 'multipart/report; report-type=disposition-notification; boundary="=_d"',
    "From": "postmaster@harbour.example",
}  # fmt: skip

CASES = {
    "one copy of a reader was taken, one was not": Case(
        report(
            copy("wren@harbour.example", "relayed", "2.0.0", original=READER)
            + "\n\n" + copy("wren@old.example", "failed", "5.1.1", UNKNOWN, original=READER)
        ), "other", None, "nothing"),
    "the same where nobody tells the original address": Case(
        report(copy(OTHER, "delivered", "2.1.5") + "\n\n" + copy("wren@old.example", "failed", "5.1.1", UNKNOWN)),
        "other", None, "nothing"),
    "one copy is full, one is gone": Case(
        report(
            copy("wren@old.example", "failed", "5.1.1", UNKNOWN, original=READER)
            + "\n\n" + copy("wren@new.example", "failed", "5.2.2", "smtp; 552 5.2.2 mailbox full", original=READER)
        ), "bounce", "soft", "score"),
    "two readers, each with an original address": Case(
        report(
            copy(READER, "delivered", "2.1.5", original=READER)
            + "\n\n" + copy(OTHER, "failed", "5.1.1", UNKNOWN, original=OTHER)
        ), "bounce", "hard", "suppress"),
    "two readers, one line each": Case(
        report(
            copy(READER, "failed", "5.0.0") + "\n\n" + copy(OTHER, "failed", "5.0.0"),
            told=f"{READER}: 550 5.1.1 <{READER}>: Recipient address rejected: User unknown\n"
                 f"{OTHER}: 552 5.2.2 <{OTHER}>: Recipient address rejected: Mailbox full",
        ), "bounce", "hard", "suppress"),
    "blank lines before the headers of a report's part": Case(
        report(copy(READER, "failed", "5.1.1", UNKNOWN), more="\n\n"), "bounce", "hard", "suppress"),
    "blank lines before the whole report": Case(
        b" \r\n\t\r\n\r\n" + report(copy(READER, "failed", "5.1.1", UNKNOWN)), "bounce", "hard", "suppress"),
    "the reason in brackets behind the status": Case(
        report(copy(READER, "failed", "5.0.0 (recipient reached disk quota)")), "bounce", "soft", "score"),
    "the reason behind the headers that name the message": Case(
        report(
            copy(READER, "failed", "5.0.0"),
            told="This report relates to a message you sent with the following header fields:\n\n  Message-id: <a@b.example>\n"
                 "  Date: Tue, 24 Nov 2026\n\nYour message cannot be delivered to the following recipients:\n\n"
                 f"  Recipient address: {READER}\n  Reason: disk quota exceeded\n",
        ), "bounce", "soft", "score"),
    "a number alone, from the server that keeps the mailbox": Case(
        report(copy(READER, "failed", "5.1.1")), "bounce", "hard", "suppress"),
    "the relay's number for words that say something else": Case(
        report(copy(READER, "failed", "5.1.1", "smtp; 550 rejected")), "bounce", "unknown", "inbox:unclear"),
    "Sendmail's words for a refusal that it quotes": Case(
        report(
            copy(READER, "failed", "5.1.1", f"smtp; 550 <{READER}> recipient rejected"),
            told="... while talking to mx.harbour.example.:\n>>> DATA\n<<< 550 recipient rejected\n"
                 f"550 5.1.1 <{READER}>... User unknown\n<<< 503 5.5.1 Need RCPT\n",
        ), "bounce", "unknown", "inbox:unclear"),
    "prose for people does not turn a refusal into a death": Case(
        report(
            copy(READER, "failed", "5.7.1", "smtp; 554 5.7.1 Access denied"),
            told="The message was not delivered. Perhaps the user does not exist, or you mistyped the address: user unknown.",
        ), "bounce", "blocked", "nothing"),
    "a domain that does not exist, though the status is temporary": Case(
        report(copy(READER, "failed", "4.0.0", "smtp; DNS type 'mx' lookup of harbour.example responded with code NXDOMAIN "
                                               "Domain name not found: harbour.example")), "bounce", "hard", "suppress"),
    "they cannot verify our sender, in the text of Exim": Case(
        exim(f"550-Verification failed for <{OURS}>\n    550-Unrouteable address\n    550 Sender verify failed"),
        "bounce", "blocked", "nothing"),
    "they called back, and quote what they were answered": Case(
        exim(f"550-Verification failed for <{OURS}>\n    550-Called:   192.0.2.7\n    550-Sent:     RCPT TO:<{OURS}>\n"
             "    550-Response: 550 5.1.1 No such user here\n    550 Sender verify failed", "pipelined end of data"),
        "bounce", "blocked", "nothing"),
    "they verified the reader": Case(
        exim(f"550-Verification failed for <{READER}>\n    550-No such user here\n    550 Recipient verify failed"),
        "bounce", "hard", "suppress"),
    "unknown or full": Case(exim("550 Onbekende ontvanger of postbus vol"), "bounce", "soft", "score"),
    "a relay that serves its own domain alone": Case(
        text(f"Your message could not be delivered.\n\n  {READER}\n    Mailing to remote domains not supported\n"),
        "bounce", "blocked", "nothing"),
    "no reason at all": Case(
        text(f"Unable to deliver message to <{READER}>.\n", "postmaster@gateway.example", "Mail could not be delivered"),
        "bounce", "unknown", "inbox:unclear"),
    "given up, and no reason": Case(
        text("Hi. This is the qmail-send program at mx.harbour.example.\nI'm afraid I wasn't able to deliver your message to "
             f"the following addresses.\nThis is a permanent error; I've given up.\n\n<{READER}>:\nHm.\n"),
        "bounce", "unknown", "inbox:unclear"),
    "a full mailbox over a line break, and no daemon's name": Case(
        text(f"Your mail of Monday\n    could not be delivered to <{READER}>\n    as their mailbox is full.\n",
             "no-reply@harbour.example", "Mail"), "bounce", "soft", "score"),
    "an author of nothing at all": Case(
        text(f"You wrote to {READER}. That's not a valid user here.\n", "<>", "", Auto_Submitted="auto-replied"),
        "bounce", "hard", "suppress"),
    "no room, as a disposition notification": Case(
        _mail(AS_DISPOSITION, DISPOSITION.format("Quota exceeded", "deleted")), "bounce", "soft", "score"),
    "a reader's own rule, as a disposition notification": Case(
        _mail(AS_DISPOSITION, DISPOSITION.format("No such user", "deleted")), "auto-reply", None, "inbox:automatic"),
    "read, as a disposition notification": Case(
        _mail(AS_DISPOSITION, DISPOSITION.format("It was read; my mailbox is full of mail", "displayed")),
        "auto-reply", None, "inbox:automatic"),
    "a complaint in Hotmail's older form": Case(
        _mail({"Return-Path": "staff@provider.example", "From": "updates@lists.example.org", "Subject": "News",
               "X-HmXmrOriginalRecipient": READER, "Precedence": "bulk",
               "Message-ID": "<aaaaaaaaaaaaaaaaaaaaaaaaaa@lists.example.org>"}, "Hello."),
        "complaint", None, "suppress", "staff@provider.example"),
}  # fmt: skip
