"""What a message is: tables of bounces of every family, in many languages, and of mail that is none."""

from __future__ import annotations

import pytest

from service.inbound.parsing.classify import judge
from service.inbound.parsing.judgement import Judgement
from tests.inbound.post import bounce, letter


def old(text: str, sender: str = "MAILER-DAEMON@mx.example.net", subject: str = "failure notice", **headers: str) -> Judgement:
    """A bounce of before the standard: a text, and nothing for machines."""
    return judge(letter(sender, "bounce@lists.example.org", subject, text, **headers), "")


REPORTS = [
    ("5.1.1", "550 5.1.1 <a@example.net>: Recipient address rejected: User unknown in local recipient table", "hard"),
    ("5.1.2", "Host or domain name not found. Name service error for name=nowhere.example type=A", "hard"),
    ("5.1.3", "553 5.1.3 bad destination mailbox address syntax", "hard"),
    ("5.1.6", "551 5.1.6 mailbox has moved", "hard"),
    ("5.1.10", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found by SMTP address lookup", "hard"),
    ("5.1.10", "556 5.1.10 Recipient address has null MX", "hard"),
    ("5.4.1", "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)", "hard"),
    ("5.0.0", "550 no such user here", "hard"),
    ("5.7.1", "550 5.7.1 Unknown user", "hard"),
    ("5.2.0", "550 mailbox unavailable", "hard"),
    ("5.5.0", "smtp; 550-5.1.1 The email account that you tried to reach does not exist.", "hard"),
    ("5.2.2", "552 5.2.2 mailbox over quota", "soft"),
    ("5.1.1", "550 5.1.1 The account's mailbox is full", "soft"),
    ("4.2.2", "452 4.2.2 The recipient's inbox is out of storage space", "soft"),
    ("5.3.4", "552 5.3.4 message size exceeds fixed limit", "soft"),
    ("4.4.7", "delivery time expired", "soft"),
    ("4.1.1", "450 4.1.1 User unknown; try again", "soft"),
    ("4.7.1", "451 4.7.1 Greylisting in action, please come back later", "soft"),
    ("5.2.1", "550 5.2.1 The email account that you tried to reach is disabled", "soft"),
    ("5.4.6", "554 5.4.6 Too many hops", "soft"),
    ("5.4.7", "", "soft"),
    ("5.7.1", "554 5.7.1 Service unavailable; Client host blocked using zen.spamhaus.org", "blocked"),
    ("5.7.26", "550-5.7.26 Unauthenticated email from example.org is not accepted due to domain's DMARC policy", "blocked"),
    ("5.7.515", "550 5.7.515 Access denied, sending domain does not meet the required authentication level", "blocked"),
    ("4.7.28", "421-4.7.28 unusual rate of unsolicited mail originating from your IP address", "blocked"),
    ("5.7.1", "550 5.7.1 message content rejected due to suspected spam", "blocked"),
    ("5.7.25", "550 5.7.25 The IP address sending this message does not have a PTR record", "blocked"),
    ("5.7.1", "550 relaying denied", "blocked"),
    ("5.1.8", "553 5.1.8 Domain of sender address does not exist", "blocked"),
    ("5.7.1", "550 SC-001 Mail rejected for policy reasons", "blocked"),
    ("5.0.0", "550 see https://errors.example/unknown-user/quota-full", "unknown"),
    ("5.2.0", "550 Unknown user a@example.net", "soft"),
    ("5.0.0", "550 : User unknown", "soft"),
    ("5.4.4", "Name service error for name=example.net type=MX: Malformed or unexpected name server reply", "soft"),
    ("5.4.4", "Host or domain name not found, try again", "soft"),
    ("5.1.1", "x-unix; local: Couldn't create /var/mail/a: No such user", "soft"),
    ("5.3.2", "521 5.3.2 System not accepting network messages", "hard"),
    ("5.0.0", "556 Service unavailable", "hard"),
    ("5.0.0", "554 Service unavailable", "soft"),
    ("5.7.1", "521 5.7.1 rejected: listed at a blocklist", "blocked"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "diagnostic", "kind"), REPORTS)
def test_a_report_is_judged_by_its_words_and_its_status(status: str, diagnostic: str, kind: str) -> None:
    said = judge(bounce(status, diagnostic), "")
    assert (said.kind, said.bounce_class, said.recipient) == ("bounce", kind, "reader@example.net"), said
    assert said.action == "failed"


SESSIONS = [
    ("550 Unknown user a", "in reply to end of DATA command", "soft"),
    ("550 Unknown user a", "in reply to RCPT TO command", "hard"),
    ("550 5.1.1 User unknown", "in reply to end of DATA command", "hard"),
    ("550 a@example.net does not exist", "in reply to end of DATA command", "hard"),
    ("550 rejected as spam", "in reply to end of DATA command", "blocked"),
    ("550 a@example.net does not exist", "in reply to MAIL FROM command", "blocked"),
    ("552 message exceeds size limit", "in reply to MAIL FROM command", "soft"),
    ("550 No such user", "SMTP error from remote mail server after end of data:", "soft"),
    ("550 No such user", "SMTP error from remote mail server after RCPT TO:<a@example.net>:", "hard"),
    ("550 No such user", ">>> DATA\n<<< 550 No such user\n", "soft"),
    ("550 No such user", ">>> DATA\n<<< 550 No such user\n<<< 503 5.0.0 Need RCPT (recipient)\n", "hard"),
    ("550 No such user", ">>> DATA\n<<< 550 No such user\n<<< 554 5.5.1 Error: no valid recipients\n", "hard"),
    ("550 No such user", "in reply to RCPT TO command; another: in reply to end of DATA command", "hard"),
    ("", ">>> DATA\n<<< 552 5.2.2 Over quota\n554 5.0.0 Service unavailable\n<<< 503 5.5.1 No recipients\n", "soft"),
    ("", ">>> DATA\n<<< 553 SPF check failed\n550 5.1.1 a... User unknown\n<<< 503 RCPT first\n", "blocked"),
]


@pytest.mark.parametrize(("diagnostic", "session", "kind"), SESSIONS)
def test_it_matters_which_command_a_server_refused(diagnostic: str, session: str, kind: str) -> None:
    """In answer to RCPT, "user unknown" is a fact; said of the text, it is what readers' own filters say."""
    assert judge(bounce("5.0.0", diagnostic, told=session), "").bounce_class == kind


OLD = [
    ("Hi. This is the qmail-send program at mx.example.net.\nI'm afraid I wasn't able to deliver your message to the following "
     "addresses.\n\n<a@example.net>:\nSorry, no mailbox here by that name. (#5.1.1)\n", "hard"),
    ("This message was created automatically by mail delivery software.\nA message that you sent could not be delivered to one "
     "or more of its recipients.\n\n  a@example.net\n    SMTP error from remote mail server after RCPT TO:<a@example.net>:\n"
     "    550 Unrouteable address\n", "hard"),
    ("   ----- The following addresses had permanent fatal errors -----\n<a@example.net>\n"
     "    (reason: 550 5.1.1 User unknown)\n\n   ----- Transcript of session follows -----\n"
     "... while talking to mx.example.net.:\n>>> DATA\n<<< 550 5.1.1 User unknown\n", "hard"),
    ("Your message did not reach some or all of the intended recipients.\n\n  a@example.net\n    The e-mail account does not "
     "exist at the organization this message was sent to.\n", "hard"),
    ("Your message\n  Subject: News\nwas not delivered to:\n  a@example.net\nbecause:\n  User a (a@example.net) not listed in "
     "Domino Directory\n", "hard"),
    ("Sorry, we were unable to deliver your message to the following address.\n<a@example.net>:\n554: delivery error: dd This "
     "user doesn't have an example.net account\n", "hard"),
    ("Ihre Nachricht konnte nicht zugestellt werden.\na@example.net: Der Empfänger ist unbekannt.\n", "hard"),
    ("Votre message n'a pas pu être remis.\na@example.net : utilisateur inconnu\n", "hard"),
    ("No se ha podido entregar el mensaje.\na@example.net: el usuario no existe\n", "hard"),
    ("Сообщение не доставлено.\na@example.net: такого пользователя нет\n", "hard"),
    ("メールを配信できませんでした。\na@example.net: 宛先のメールアドレスは存在しません。\n", "hard"),
    ("您的邮件无法投递。\na@example.net: 用户不存在\n", "hard"),
    ("I could not deliver your message.\n<a@example.net>: 552 sorry, user is over quota\n", "soft"),
    ("Ihre Nachricht konnte nicht zugestellt werden.\na@example.net: Das Postfach ist voll.\n", "soft"),
    ("Your message could not be delivered.\na@example.net: connection timed out, message too long in the queue\n", "soft"),
    ("Your message could not be delivered.\na@example.net: 550 rejected as spam by our content filter\n", "blocked"),
    ("An error occurred while delivering a message for this list of recipients:\na@example.net: Envelope expired\n", "soft"),
    ("Your message could not be delivered.\na@example.net: Host not found, try again\n", "soft"),
    ("Your message could not be delivered.\na@example.net: the group may not exist, or you may not write to it\n", "unknown"),
    ("Your message has not yet been delivered.\na@example.net: 452 try again later\nYou do not need to resend it: this server "
     "will keep trying for 4 more days.\n", "delayed"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind"), OLD)
def test_a_bounce_of_no_standard_is_read_by_its_text(text: str, kind: str) -> None:
    said = old(text)
    assert (said.kind, said.bounce_class, said.recipient) == ("bounce", kind, "a@example.net"), said


def test_what_nobody_understands_is_left_to_a_person() -> None:
    assert judge(bounce("5.0.0", "554 transaction failed"), "").bounce_class == "unknown"


def test_the_returned_message_says_nothing_of_the_failure() -> None:
    """Our own update may speak of mailboxes that are full and users unknown."""
    text = "Your message could not be delivered.\n<a@example.net>: 552 over quota\n\n--- Below this line is a copy of the " \
           "message.\n\nReceived: from here\nSubject: News\n\nuser unknown, no such user\n"  # fmt: skip
    assert old(text).bounce_class == "soft"


def test_a_delay_and_a_success_are_no_failures() -> None:
    assert judge(bounce("4.4.1", "connection timed out", "delayed"), "").bounce_class == "delayed"
    said = judge(bounce("2.1.5", "250 ok", "delivered"), "")
    assert (said.kind, said.bounce_class, said.action) == ("other", None, "delivered")


AUTOMATIC = [
    ("Out of office: Re: The first week", {}), ("Automatic reply: News", {}), ("Abwesenheitsnotiz: News", {}),
    ("Réponse automatique : News", {}), ("Respuesta automática: News", {}), ("Risposta automatica: News", {}),
    ("Automatisch antwoord: News", {"X_Autoreply": "yes"}), ("Autosvar: News", {}), ("Автоответ: News", {}),
    ("Automatisk svar: News", {}), ("Ich bin derzeit nicht im Büro", {}), ("Je suis absente jusqu'au 3", {}),
    ("Na dovolené", {}), ("Я в отпуске", {}), ("Ateb awtomatig: News", {}), ("I am currently out of the office", {}),
    ("自動返信: News", {}), ("自动回复: News", {}), ("I am on annual leave", {}), ("=?utf-8?q?R=C3=A9ponse_automatique?=", {}),
    ("Re: News", {"Auto_Submitted": "auto-replied"}), ("Re: News", {"Precedence": "auto_reply"}),
    ("Re: News", {"X_Autorespond": "1"}), ("Re: News", {"X_Auto_Response_Suppress": "All", "In_Reply_To": "<a@b>"}),
    ("Please confirm your message", {"From": "challenge@boxbe.com"}),
]  # fmt: skip


@pytest.mark.parametrize(("subject", "headers"), AUTOMATIC)
def test_an_automatic_answer_is_known(subject: str, headers: dict[str, str]) -> None:
    text = "I am away. To get through, you must verify that you are a person." if "boxbe" in str(headers) else "I am away."
    said = judge(letter("ben@example.org", "notices@lists.example.org", subject, text, **headers), "ben@example.org")
    assert said.kind == "auto-reply", said
    assert said.machine


NO_BOUNCES = [
    letter("ben@example.org", "x@lists.example.org", "Re: News", "I agree."),
    letter("ben@example.org", "x@lists.example.org", "Fwd: Undelivered Mail Returned to Sender",
           "What does this mean?\n\n> 550 5.1.1 User unknown\n> could not be delivered\n"),
    letter("ben@example.org", "x@lists.example.org", "Delivery failed", "Your parcel could not be delivered: you were out."),
    letter("ben@example.org", "x@lists.example.org", "My mailbox was full", "I missed your last update: user unknown, 550."),
    letter("shop@example.org", "x@lists.example.org", "Your delivery status", "Delivery status notification: on Monday."),
    letter("postmaster@example.org", "x@lists.example.org", "Hello from the postmaster", "We should talk about the meeting."),
    letter("noreply-dmarc@provider.example", "x@lists.example.org", "Report Domain: example.org Submitter: us", ""),
    letter("tlsrpt@provider.example", "x@lists.example.org", "TLS report", "failed: 3", TLS_Report_Domain="example.org"),
    letter("ben@example.org", "x@lists.example.org", "Read: News", "Your message was read on Monday."),
    letter("postmaster@example.org", "x@lists.example.org", "Your mailbox is almost full", "It has reached 95% of its quota."),
    letter("root@example.org", "x@lists.example.org", "Cron <root@host> backup", "550 failed: rejected"),
    letter("list@example.org", "x@lists.example.org", "[list] bounces", "How do you treat bounces?", List_Id="<l.example.org>"),
]  # fmt: skip


@pytest.mark.parametrize("raw", NO_BOUNCES)
def test_mail_about_bounces_is_no_bounce(raw: bytes) -> None:
    assert judge(raw, "ben@example.org").kind in {"reply", "other"}


def test_a_bounce_that_somebody_forwards_is_not_ours() -> None:
    inner = bounce().decode()
    raw = (
        "From: ben@example.org\r\nSubject: Fwd: Undelivered Mail\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/mixed; boundary="outer"\r\n\r\n--outer\r\nContent-Type: text/plain\r\n\r\nLook.\r\n'
        f"--outer\r\nContent-Type: message/rfc822\r\n\r\n{inner}\r\n--outer--\r\n"
    ).encode()
    assert judge(raw, "ben@example.org").kind == "other"


@pytest.mark.parametrize("ends", [b"\n", b"\r\n", b"\r"])
def test_line_ends_of_every_kind_are_read_alike(ends: bytes) -> None:
    assert judge(b"From someone Mon Nov 23 2026" + ends + bounce().replace(b"\r\n", ends), "").bounce_class == "hard"
