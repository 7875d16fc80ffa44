"""The mail transport: Flask-Mail's settings and `Message` as people know them, with what its connection lacks.

Flask-Mail 0.10 verifies no certificate, knows no time-out, and throws a server's replies away; `Mail.connect` is its seam.
"""

from __future__ import annotations

import hashlib
import re
import smtplib
import socket
import ssl
from collections.abc import Callable
from functools import cached_property
from typing import Any

from flask import current_app
from flask_mail import Connection, Mail
from flask_mail import Message as FlaskMessage

from service import links
from service.config import Settings, settings
from workers.outbound import mime
from workers.outbound.exchange import Copy, Outcome, judge
from workers.outbound.exchangers import Route

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
        self.unverified = ""
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

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Address, TLS version and certificate, and what the server offers; asked first as soon as it is ready."""
        address = self.sock.getpeername()[0] if self.sock is not None else ""
        tls: dict[str, Any] | None = None
        if isinstance(self.sock, ssl.SSLSocket):
            certificate = hashlib.sha256(self.sock.getpeercert(binary_form=True) or b"").hexdigest()
            tls = {"version": self.sock.version(), "certificate_sha256": certificate, "unverified": self.unverified}
        return {
            "address": address,
            "tls": tls,
            "capabilities": sorted(f"{k} {v}".strip() for k, v in self.esmtp_features.items()),
        }


class TlsConversation(Conversation, smtplib.SMTP_SSL):
    """The same, TLS from the first byte (RFC 8314)."""


class VerifiedConnection(Connection):
    """A Flask-Mail connection with verified TLS, a time-out, and an Outcome for each copy."""

    def __init__(self, mail: Any, known: Settings, route: Route | None = None) -> None:
        super().__init__(mail)
        self.known, self.route = known, route
        self.server: str = route.host if route else mail.server
        self.port: int = route.port if route else mail.port

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
        """Connects, and fails closed: where TLS is asked for and not offered, nothing is said (RFC 3207 §6)."""
        if self.route is not None:
            return self._configure_straight(self.route)
        context = ssl.create_default_context(cafile=self.known.mail_ca_file or None)
        host = self._connect(context if self.mail.use_ssl else None)
        if self.mail.use_tls:
            host.starttls(context=context)
        host.ehlo_or_helo_if_needed()
        if self.mail.username and self.mail.password:
            host.login(self.mail.username, self.mail.password)
        return host

    def _connect(self, implicit: ssl.SSLContext | None = None) -> Conversation:
        options = {"local_hostname": self.known.mail_domain, "timeout": self.known.mail_timeout_seconds}
        if implicit is not None:
            host: Conversation = TlsConversation(self.server, self.port, context=implicit, **options)
        else:
            host = Conversation(self.server, self.port, **options)
        if host.sock is not None:
            host.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return host

    def _configure_straight(self, route: Route) -> Conversation:
        """A server that we know by MX or MAIL_ROUTES alone: TLS where it is offered, a certificate that does not verify is
        noted, not refused (RFC 7435); it never gets the relay's password."""
        host = self._connect()
        host.ehlo_or_helo_if_needed()
        if not host.has_extn("starttls"):
            return host
        context = ssl.create_default_context()
        if self.known.mail_ca_file:
            context.load_verify_locations(self.known.mail_ca_file)
        try:
            return _secured(host, route.name, context)
        except ssl.SSLCertVerificationError as error:
            host.close()
            why = error.verify_message or "its certificate does not verify"
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        again = self._connect()
        again.unverified = why
        again.ehlo_or_helo_if_needed()
        return _secured(again, route.name, context)

    def deliver(self, copy: Copy, held: Callable[[], bool] = lambda: True) -> Outcome:
        """Hands one copy over, if the claim is still `held`. Never raises for what a server or a network does."""
        if BARE.search(copy.content):
            return Outcome("refused", None, "a bare CR, LF or NUL would have gone out (RFC 5321 §2.3.8)")
        place = f"{self.route.name if self.route else self.server}:{self.port}"
        before = len(getattr(self.host, "replies", ()))  # the greeting belongs to a connection's first exchange
        try:
            self.host = conversation = self.host or self.configure_host()
            assert isinstance(conversation, Conversation)
            facts = conversation.facts | {"sha256": hashlib.sha256(copy.content).hexdigest()}
        except (smtplib.SMTPException, OSError) as error:
            self.host = None
            return Outcome("unreachable", getattr(error, "smtp_code", None), _words(error), place)
        outcome = _exchange(conversation, copy, held)
        outcome.host, outcome.replies, outcome.facts = place, conversation.replies[before:], facts
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
        asked: tuple[str, ...] = ()
        if copy.notify and host.has_extn("dsn"):
            options += ["RET=HDRS", f"ENVID={links.message_token(copy.message_id)}"]
            asked = ("NOTIFY=SUCCESS,FAILURE,DELAY", f"ORCPT=rfc822;{_xtext(copy.recipient)}")
        for code, text in (host.mail(copy.sender, options), host.rcpt(copy.recipient, asked)):
            if code not in {250, 251}:
                _reset(host)
                return Outcome(judge(code), code, _decode(text))
        if not held():
            return Outcome("unreachable", None, "the lease lapsed before the text left")
        host.asked = "DATA"
        code, text = host.docmd("DATA")
        if code != 354:
            _reset(host)
            return Outcome(judge(code) if code >= 400 else "later", code, _decode(text))
        text_left, host.asked = True, "."
        host.send(re.sub(rb"(?m)^\.", b"..", copy.content) + b".\r\n")
        code, text = host.getreply()
        return Outcome(judge(code), code, _decode(text))
    except (smtplib.SMTPException, OSError) as error:
        return Outcome("lost" if text_left else "unreachable", None, _words(error))
    finally:
        host.command_encoding = "ascii"


def _secured(host: Conversation, name: str, context: ssl.SSLContext) -> Conversation:
    """TLS on a connection that offers it; the certificate should be the one of `name`, wherever that was reached."""
    host._host = name  # type: ignore[attr-defined]
    host.starttls(context=context)
    host.ehlo_or_helo_if_needed()
    return host


def _xtext(text: str) -> str:
    """RFC 3461 §4: what is not printable ASCII, + and = as +XX."""
    return "".join(one if "!" <= one <= "~" and one not in "+=" else f"+{ord(one):02X}" for one in text)


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

    def connect(self, route: Route | None = None) -> VerifiedConnection:
        return VerifiedConnection(current_app.extensions["mail"], settings(), route)
