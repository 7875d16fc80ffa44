"""Which command of SMTP a server refused, as the mail server that asked it writes in its report.

It matters for two: what is said to MAIL is about the sender, and "user unknown", said once the text was there by a server that
had taken the recipient, is what readers' own filters borrow. Such a reader may be there.
"""

from __future__ import annotations

import re
from typing import Literal

Command = Literal["", "mail", "rcpt", "data"]

SAID: dict[Command, re.Pattern[str]] = {
    "mail": re.compile(r"in reply to MAIL FROM|after (?:pipelined )?MAIL FROM:|>>> MAIL FROM:", re.IGNORECASE),
    "rcpt": re.compile(
        r"in reply to RCPT TO|after (?:pipelined )?RCPT TO:|>>> RCPT TO:|like our RCPT|SMTP:RCPT host", re.IGNORECASE
    ),
    "data": re.compile(
        r"in reply to (?:end of )?DATA|after (?:pipelined )?(?:end of data|sending data|DATA\b)|SMTP command DATA\b"
        r"|5\.3\.0 - Other mail system problem",
        re.IGNORECASE,
    ),
}
"""The words of Postfix, Exim, Sendmail, DragonFly, Exchange, m-FILTER and IronPort."""
TRANSCRIPT = re.compile(r"^[ \t]*>>> DATA[ \t\r]*$((?:\n[ \t]*+(?!>>>)[^\n]*)*)", re.IGNORECASE | re.MULTILINE)
REFUSED = re.compile(r"^[ \t]*<<< 5\d\d", re.MULTILINE)
NOBODY_LEFT = re.compile(
    r"^[ \t]*<<< (?:503\b[^\n]*|55\d[^\n]*\b(?:no (?:valid )?(?:recipients?|rcpt)|recipients? (?:required|first))\b[^\n]*)",
    re.IGNORECASE | re.MULTILINE,
)
"""The answer to DATA where no recipient was taken: it says that the reply before it was to RCPT (RFC 2920 §3.1)."""


def refused(text: str) -> Command:
    """The one command that the report's text names; empty where it names none, or several for several readers."""
    flat = " ".join(text.split())
    commands: set[Command] = {command for command, words in SAID.items() if words.search(flat)}
    for session in TRANSCRIPT.findall(text):
        if NOBODY_LEFT.search(session):
            commands.add("rcpt")
        elif REFUSED.search(session):
            commands.add("data")
    return commands.pop() if len(commands) == 1 else ""
