"""What goes wrong between us and a mail server, each in a fixed sentence: registers and letters show no program's own words."""

from __future__ import annotations

import smtplib
import socket
import ssl

from service.text import mail_troubles
from service.text.mail_troubles import ENDED, LATE, OUT_OF_STEP
from workers.outbound.smtp.public_hosts import NotPublic
from workers.outbound.smtp.smtp_replies import readable

__all__ = ["ANY", "ENDED", "LATE", "OUT_OF_STEP", "NotAsPublished", "NotEncrypted", "OutOfStep", "code", "words"]

ANY = (smtplib.SMTPException, OSError, ValueError)
"""ValueError: a name from DNS that is no host name, or a certificate's name that cannot be compared."""


class OutOfStep(smtplib.SMTPServerDisconnected):
    """A reply that fits no command, or is none; nothing that comes after it could be understood."""


class NotEncrypted(smtplib.SMTPException):
    """TLS is not offered, or cannot be made."""


class NotAsPublished(smtplib.SMTPException):
    """The server is not as its domain says that it is (DANE, MTA-STS); its argument is a sentence of mail_troubles."""


SENTENCES: tuple[tuple[type[BaseException], str], ...] = (
    (NotEncrypted, mail_troubles.NO_ENCRYPTION),
    (ssl.SSLCertVerificationError, mail_troubles.BAD_CERTIFICATE),
    (ssl.SSLError, mail_troubles.NO_ENCRYPTION),
    (smtplib.SMTPNotSupportedError, mail_troubles.NOT_OFFERED),
    (OutOfStep, OUT_OF_STEP),
    (smtplib.SMTPServerDisconnected, ENDED),
    (NotPublic, mail_troubles.NOT_PUBLIC),
    (socket.gaierror, mail_troubles.NO_SUCH_SERVER),
    (TimeoutError, LATE),
    (ConnectionRefusedError, mail_troubles.NO_CONNECTIONS),
    (ConnectionError, ENDED),
)
"""The first that fits."""


def words(error: BaseException) -> str:
    """A server's own words where it said no, else our sentence: never an address, which an exception may quote."""
    if isinstance(error, smtplib.SMTPResponseException):
        reply = error.smtp_error
        return readable(reply) if isinstance(reply, bytes) else OUT_OF_STEP
    if isinstance(error, NotAsPublished):
        return str(error)
    return next((sentence for kind, sentence in SENTENCES if isinstance(error, kind)), mail_troubles.UNREACHABLE)


def code(error: BaseException) -> int | None:
    """The code with which a server said no."""
    reply_code = error.smtp_code if isinstance(error, smtplib.SMTPResponseException) else None
    return reply_code if reply_code is not None and 400 <= reply_code < 600 else None
