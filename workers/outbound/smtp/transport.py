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

from service.core.config import Settings, settings
from workers.outbound.message import mime
from workers.outbound.smtp import direct_mx, smtp_replies, trouble
from workers.outbound.smtp.mx import Route
from workers.outbound.smtp.one_by_one import Conversation, TlsConversation, exchange
from workers.outbound.smtp.outcome import Concern, Copy, Encryption, Outcome

BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n|\x00")


class Letter(FlaskMessage):
    """A Flask-Mail message that is written by our own MIME code, with prepared header lines."""

    def __init__(self, head: list[bytes], files: list[mime.File], **fields: Any) -> None:
        super().__init__(**fields)
        self.head, self.files = head, files

    def as_bytes(self) -> bytes:
        return mime.message(self.head, self.body or "", self.html or "", self.files)


class VerifiedConnection(Connection):
    """A Flask-Mail connection with verified TLS, a time-out, and an Outcome for each letter."""

    def __init__(self, mail: Any, config: Settings, route: Route | None = None) -> None:
        super().__init__(mail)
        self.known, self.route = config, route
        self.server: str = route.host if route else mail.server
        self.port: int = route.port if route else mail.port
        self.replies: list[dict[str, Any]] = []
        """All that was said on the connection, also on one that came to nothing."""

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        if self.host is not None:
            try:
                self.host.quit()
            except (smtplib.SMTPException, OSError):
                self.host.close()
            self.host = None

    def configure_host(self, encryption: Encryption = "where offered") -> Conversation:
        """Connects, and fails closed: where TLS is asked for and not offered, nothing is said (RFC 3207 §6)."""
        self.replies = []
        if self.route is not None:
            return direct_mx.connect(self._connect, self.route, self.known, encryption)
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
        options: dict[str, Any] = {"local_hostname": self.known.mail_domain, "timeout": self.known.mail_timeout_seconds}
        if implicit is not None:
            host: Conversation = TlsConversation(self.server, self.port, context=implicit, replies=self.replies, **options)
        else:
            public_only = self.route is not None and self.route.public_only
            host = Conversation(self.server, self.port, replies=self.replies, public_only=public_only, **options)
        if host.sock is not None:
            host.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return host

    def deliver(self, copy: Copy, held: Callable[[], bool] = lambda: True) -> Outcome:
        """Hands one letter over, if the claim is still `held`. Never raises for what a server or a network does."""
        if BARE.search(copy.content):
            return Outcome("refused", None, "a bare CR, LF or NUL would have gone out (RFC 5321 §2.3.8)")
        place = f"{self.route.name if self.route else self.server}:{self.port}"
        before = len(self.replies) if self.host is not None else 0  # the greeting belongs to a connection's first exchange
        try:
            conversation = self._ready(copy)
            facts = conversation.facts | {"sha256": hashlib.sha256(copy.content).hexdigest()}
        except trouble.ANY as error:
            self.host = None
            return self._unreachable(error, place)
        outcome = self._as_seen_from_here(exchange(conversation, copy, held))
        outcome.host, outcome.replies, outcome.facts = place, self.replies[before:], facts
        if outcome.verdict in {"lost", "unreachable"} or outcome.code == smtp_replies.CLOSING:
            conversation.close()
            self.host = None
        return outcome

    def _ready(self, copy: Copy) -> Conversation:
        """The open connection, if such a letter may go over it, or a new one."""
        if self.host is not None and (self.host.sock is None or not self._may_carry(copy)):
            self.close()
        if self.host is None:
            self.host = self.configure_host(copy.encryption)
        assert isinstance(self.host, Conversation)
        return self.host

    def _may_carry(self, copy: Copy) -> bool:
        assert isinstance(self.host, Conversation)
        return self.route is None or direct_mx.may_carry(self.host, self.known, copy.encryption)

    def _unreachable(self, error: BaseException, place: str) -> Outcome:
        """We did not get as far as this letter's envelope."""
        code = trouble.code(error)
        concern: Concern = "encryption" if isinstance(error, trouble.NotEncrypted) else "server"
        if code is not None and code >= 500:  # a greeting, or an answer to our password: no service for us (RFC 5321 §3.1)
            concern = "sender"
        outcome = Outcome("unreachable", code, trouble.words(error), concern=concern, host=place, replies=self.replies)
        outcome.facts = {"error": type(error.__cause__ or error).__name__}
        return self._as_seen_from_here(outcome)

    def _as_seen_from_here(self, outcome: Outcome) -> Outcome:
        """What is wrong with an official's own server is no trouble of ours; one that takes no mail at all says so for good."""
        if self.route is not None:
            if outcome.code in smtp_replies.NO_MAIL_HERE and outcome.verdict in {"unreachable", "turned_away"}:
                outcome.verdict, outcome.concern = "refused", None
            if outcome.concern == "server":
                outcome.concern = None
        return outcome


class VerifiedMail(Mail):
    """Flask-Mail with connections of ours."""

    def connect(self, route: Route | None = None) -> VerifiedConnection:
        return VerifiedConnection(current_app.extensions["mail"], settings(), route)
