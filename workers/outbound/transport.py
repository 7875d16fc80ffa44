"""The mail transport: Flask-Mail's settings and `Message` as people know them, with what its connection lacks.

Flask-Mail 0.10 verifies no certificate, knows no time-out, and throws a server's replies away; `Mail.connect` is its seam.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from collections.abc import Callable
from typing import Any

from flask import current_app
from flask_mail import Connection, Mail
from flask_mail import Message as FlaskMessage

from service.config import Settings, settings
from workers.outbound import mime, pipe
from workers.outbound.exchange import Copy, Outcome, judge

BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n|\x00")


class Letter(FlaskMessage):
    """A Flask-Mail message that is written by our own MIME code, with prepared header lines."""

    def __init__(self, head: list[bytes], files: list[mime.File], **fields: Any) -> None:
        super().__init__(**fields)
        self.head, self.files = head, files

    def as_bytes(self) -> bytes:
        return mime.message(self.head, self.body or "", self.html or "", self.files)


class Conversation(smtplib.SMTP):
    """smtplib, keeping each reply; commands are noted without the addresses in them."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.replies: list[dict[str, Any]] = []
        self.asked = "connect"
        super().__init__(*args, **options)

    def putcmd(self, cmd: str, args: str = "") -> None:
        password_follows = bool(self.replies) and self.replies[-1]["code"] == 334
        self.asked = "AUTH" if password_follows else cmd.split(maxsplit=1)[0].upper()
        super().putcmd(cmd, args)

    def getreply(self) -> tuple[int, bytes]:
        code, text = super().getreply()
        self.replies.append({"command": self.asked, "code": code, "text": text.decode("utf-8", "replace")})
        return code, text


class TlsConversation(Conversation, smtplib.SMTP_SSL):
    """The same, TLS from the first byte (RFC 8314)."""


class VerifiedConnection(Connection):
    """A Flask-Mail connection with verified TLS, a time-out, and an Outcome for each copy."""

    def __init__(self, mail: Any, known: Settings, route: tuple[str, int] | None = None) -> None:
        super().__init__(mail)
        self.known, self.route = known, route
        self.server: str = route[0] if route else mail.server
        self.port: int = route[1] if route else mail.port

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        if self.host is not None:
            try:
                self.host.quit()
            except (smtplib.SMTPException, OSError):
                self.host.close()
            self.host = None

    def configure_host(self) -> smtplib.SMTP:
        """Connects, and fails closed: where TLS is asked for and not offered, nothing is said (RFC 3207 §6).

        A route (MAIL_ROUTES) is a server in tests or on the next host: it gets neither the relay's TLS nor its password.
        """
        timeout = self.known.mail_timeout_seconds
        name = self.known.mail_domain
        context = ssl.create_default_context(cafile=self.known.mail_ca_file or None)
        if self.mail.use_ssl and not self.route:
            host: Conversation = TlsConversation(self.server, self.port, name, timeout=timeout, context=context)
        else:
            host = Conversation(self.server, self.port, name, timeout=timeout)
        if host.sock is not None:
            host.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.mail.use_tls and not self.route:
            host.starttls(context=context)
        host.ehlo_or_helo_if_needed()
        if self.mail.username and self.mail.password and not self.route:
            host.login(self.mail.username, self.mail.password)
        return host

    def deliver(self, copy: Copy, held: Callable[[], bool] = lambda: True) -> Outcome:
        """Hands one copy over, if the claim is still `held`. Never raises for what a server or a network does."""
        if BARE.search(copy.content):
            return Outcome("refused", None, "a bare CR, LF or NUL would have gone out (RFC 5321 §2.3.8)")
        place = f"{self.server}:{self.port}"
        try:
            self.host = self.host or self.configure_host()
        except (smtplib.SMTPException, OSError) as error:
            self.host = None
            return Outcome("unreachable", getattr(error, "smtp_code", None), _words(error), place)
        conversation = self.host
        assert isinstance(conversation, Conversation)
        before = len(conversation.replies)
        outcome = _exchange(conversation, copy, held)
        outcome.host, outcome.replies = place, conversation.replies[before:]
        if outcome.verdict in {"lost", "unreachable"}:
            conversation.close()
            self.host = None
        return outcome


def _exchange(host: Conversation, copy: Copy, held: Callable[[], bool]) -> Outcome:
    """MAIL, RCPT, DATA, text, one after the other (RFC 5321 §3.3)."""
    text_left = False
    try:
        options = ["SMTPUTF8", "BODY=8BITMIME"] if not copy.recipient.isascii() else []
        if options and not host.has_extn("smtputf8"):
            return Outcome("refused", None, "the relay does not take addresses outside ASCII (RFC 6531)")
        if options:
            host.command_encoding = "utf-8"
        for code, text in (host.mail(copy.sender, options), host.rcpt(copy.recipient)):
            if code not in {250, 251}:
                _reset(host)
                return Outcome(judge(code), code, _decode(text))
        if not held():
            return Outcome("unreachable", None, "the lease lapsed before the text left")
        host.asked = "DATA"
        code, text = host.docmd("DATA")
        if code == 354 and _spoke_ahead(host):
            raise smtplib.SMTPServerDisconnected("the server answered what nobody had asked")
        if code != 354:
            _reset(host)
            return Outcome(judge(code) if code >= 400 else "later", code, _decode(text))
        text_left, host.asked = True, "."
        code, text = _text(host, copy)
        return Outcome(judge(code), code, _decode(text))
    except (smtplib.SMTPException, OSError) as error:
        return Outcome("lost" if text_left else "unreachable", None, _words(error))
    finally:
        host.command_encoding = "ascii"


def _text(host: Conversation, copy: Copy) -> tuple[int, bytes]:
    """The text and its answer, which for an official's letter is awaited as long as RFC 5321 §4.5.3.2.6 asks, and longer."""
    assert host.sock is not None
    if copy.official:
        host.sock.settimeout(max(pipe.TEXT_SECONDS, host.timeout))
    host.send(re.sub(rb"(?m)^\.", b"..", copy.content) + b".\r\n")
    answer = host.getreply()
    host.sock.settimeout(host.timeout)
    return answer


def _spoke_ahead(host: Conversation) -> bool:
    """Whether a reply is there that nobody asked for: read later, it would be taken for the answer to the text."""
    assert host.sock is not None
    host.sock.setblocking(False)
    try:
        return bool(host.file.peek(1)) if host.file is not None else False
    except pipe.BUSY:
        return False
    finally:
        host.sock.settimeout(host.timeout)


def _reset(host: Conversation) -> None:
    try:
        host.rset()
    except (smtplib.SMTPException, OSError):
        host.close()


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def _words(error: BaseException) -> str:
    """An error's kind and system message: never an address, which an exception of smtplib may quote."""
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return (
        f"{type(error).__name__}: {error.strerror}" if isinstance(error, OSError) and error.strerror else type(error).__name__
    )


class VerifiedMail(Mail):
    """Flask-Mail with connections of ours."""

    def connect(self, route: tuple[str, int] | None = None) -> VerifiedConnection:
        return VerifiedConnection(current_app.extensions["mail"], settings(), route)
