"""What a mail server may do in place of its usual answer, by name, and at which steps."""

from __future__ import annotations

from tests.support.servers.smtp_server import DROP, STALL, Act, answer

STAGES = ("connect", "EHLO", "MAIL", "RCPT", "DATA", ".")
BROKEN = {
    "drop": DROP,
    "stall": STALL,
    "421": answer("421 4.3.2 closing"),
    "451": answer("451 4.3.0 later"),
    "nonsense": answer("nonsense"),
}
SLOW = {"late": Act(late=0.1), "drip": Act(drip=0.002)}
EXTRA = {"extra": Act(extra="250 2.0.0 once more")}
ANSWERED = {
    "RCPT": "", "MAIL": " (in reply to MAIL FROM command)", "DATA": " (in reply to DATA command)",
    ".": " (in reply to end of DATA command)",
}  # fmt: skip
"""What we write behind the words of a refusal."""
