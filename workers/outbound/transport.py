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
from typing import Any

from flask import current_app
from flask_mail import Connection, Mail
from flask_mail import Message as FlaskMessage

from service.config import Settings, settings
from workers.outbound import mime
from workers.outbound.conversation import Conversation, TlsConversation, exchange, secured, words
from workers.outbound.exchange import Copy, Outcome
from workers.outbound.exchangers import Route

BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n|\x00")


class Letter(FlaskMessage):
    """A Flask-Mail message that is written by our own MIME code, with prepared header lines."""

    def __init__(self, head: list[bytes], files: list[mime.File], **fields: Any) -> None:
        super().__init__(**fields)
        self.head, self.files = head, files

    def as_bytes(self) -> bytes:
        return mime.message(self.head, self.body or "", self.html or "", self.files)


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
        host = self._connect(self._trusting() if self.mail.use_ssl else None)
        if self.mail.use_tls:
            host.starttls(context=self._trusting())
        host.ehlo_or_helo_if_needed()
        if self.mail.username and self.mail.password:
            host.login(self.mail.username, self.mail.password)
        return host

    def _trusting(self) -> ssl.SSLContext:
        """Made where TLS is spoken, and only there: it reads every certificate that the system trusts."""
        return ssl.create_default_context(cafile=self.known.mail_ca_file or None)

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
            return secured(host, route.name, context)
        except ssl.SSLCertVerificationError as error:
            host.close()
            why = error.verify_message or "its certificate does not verify"
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        again = self._connect()
        again.unverified = why
        again.ehlo_or_helo_if_needed()
        return secured(again, route.name, context)

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
            return Outcome("unreachable", getattr(error, "smtp_code", None), words(error), place)
        outcome = exchange(conversation, copy, held)
        outcome.host, outcome.replies, outcome.facts = place, conversation.replies[before:], facts
        if outcome.verdict in {"lost", "unreachable"}:
            conversation.close()
            self.host = None
        return outcome


class VerifiedMail(Mail):
    """Flask-Mail with connections of ours."""

    def connect(self, route: Route | None = None) -> VerifiedConnection:
        return VerifiedConnection(current_app.extensions["mail"], settings(), route)
