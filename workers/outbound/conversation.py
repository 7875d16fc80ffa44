"""What is said on one connection, one copy after the other: smtplib, with each reply kept, and an Outcome for each copy."""

from __future__ import annotations

import hashlib
import re
import smtplib
import ssl
from collections.abc import Callable
from functools import cached_property
from typing import Any

from service import links
from workers.outbound import pipe
from workers.outbound.exchange import Copy, Outcome, answering, judge, spoken


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
        self.replies.append({"command": self.asked, "code": code, "text": spoken(text)})
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


def exchange(host: Conversation, copy: Copy, held: Callable[[], bool]) -> Outcome:
    """MAIL, RCPT, DATA, text, one after the other (RFC 5321 §3.3)."""
    text_left = False
    try:
        options = ["SMTPUTF8", "BODY=8BITMIME"] if not copy.recipient.isascii() else []
        if options and not host.has_extn("smtputf8"):
            return Outcome("refused", None, "the relay does not take addresses outside ASCII (RFC 6531)")
        if options:
            host.command_encoding = "utf-8"
        asked: tuple[str, ...] = ()
        if copy.official and host.has_extn("dsn"):
            options += ["RET=HDRS", f"ENVID={links.message_token(copy.message_id)}"]
            asked = ("NOTIFY=SUCCESS,FAILURE,DELAY", f"ORCPT=rfc822;{_xtext(copy.recipient)}")
        said = {"MAIL FROM": host.mail(copy.sender, options), "RCPT TO": host.rcpt(copy.recipient, asked)}
        for command, (code, text) in said.items():
            if code not in {250, 251}:
                _reset(host)
                return Outcome(judge(code), code, answering(command, code, spoken(text)))
        if not held():
            return Outcome("unreachable", None, "the lease lapsed before the text left")
        host.asked = "DATA"
        code, text = host.docmd("DATA")
        if code == 354 and _spoke_ahead(host):
            raise smtplib.SMTPServerDisconnected("the server answered what nobody had asked")
        if code != 354:
            _reset(host)
            return Outcome(judge(code) if code >= 400 else "later", code, answering("DATA", code, spoken(text)))
        text_left, host.asked = True, "."
        code, text = _text(host, copy)
        return Outcome(judge(code), code, answering("end of DATA", code, spoken(text)))
    except (smtplib.SMTPException, OSError) as error:
        return Outcome("lost" if text_left else "unreachable", None, words(error))
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


def secured(host: Conversation, name: str, context: ssl.SSLContext) -> Conversation:
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


def words(error: BaseException) -> str:
    """An error's kind and system message: never an address, which an exception of smtplib may quote."""
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        return spoken(said) if isinstance(said, bytes) else str(said)
    return (
        f"{type(error).__name__}: {error.strerror}" if isinstance(error, OSError) and error.strerror else type(error).__name__
    )
