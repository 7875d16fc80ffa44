"""What goes wrong between us and a mail server, each in a fixed sentence: registers and letters show no program's own words."""

from __future__ import annotations

import smtplib
import socket
import ssl

from workers.outbound.replies import readable

ANY = (smtplib.SMTPException, OSError, ValueError)
"""ValueError: a name from DNS that is no host name, or a certificate's name that cannot be compared."""
OUT_OF_STEP = "the server answered what nobody had asked"
ENDED, LATE = "the server ended the connection", "the server did not answer in time"


class OutOfStep(smtplib.SMTPServerDisconnected):
    """A reply that fits no command, or is none; nothing that comes after it could be understood."""


class NotEncrypted(smtplib.SMTPException):
    """TLS is not offered, or cannot be made."""


SENTENCES: tuple[tuple[type[BaseException], str], ...] = (
    (NotEncrypted, "no encrypted connection could be made"),
    (ssl.SSLCertVerificationError, "the server's certificate does not verify"),
    (ssl.SSLError, "no encrypted connection could be made"),
    (smtplib.SMTPNotSupportedError, "the server does not offer what is asked for: encryption, or signing in"),
    (OutOfStep, OUT_OF_STEP),
    (smtplib.SMTPServerDisconnected, ENDED),
    (socket.gaierror, "the server's name cannot be found"),
    (TimeoutError, LATE),
    (ConnectionRefusedError, "the server takes no connections"),
    (ConnectionError, ENDED),
)
"""The first that fits."""


def words(error: BaseException) -> str:
    """A server's own words where it said no, else our sentence: never an address, which an exception may quote."""
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        return readable(said) if isinstance(said, bytes) else OUT_OF_STEP
    return next((sentence for kind, sentence in SENTENCES if isinstance(error, kind)), "the server cannot be reached")


def code(error: BaseException) -> int | None:
    """The code with which a server said no."""
    found = error.smtp_code if isinstance(error, smtplib.SMTPResponseException) else None
    return found if found is not None and 400 <= found < 600 else None
