"""What a person's message says: who wrote it, what is written there beside quotations, what it asks for."""

from __future__ import annotations

import re

from service.incoming import mailboxes
from service.incoming.phrases import phrase
from service.incoming.reading import ADDRESS_HEADERS, Part

MESSAGE_ID = re.compile(r"<[!-;=?-~]{3,240}>")
REPLY_MARK = phrase("before the subject of an answer", r"^\s*(?:{}(?:\[\d+\]|\(\d+\)|\^\d+|\*\d+)?\s*[:：]\s*)+")
QUOTATION = re.compile(
    r"^(?:>|\||-{2,}\s*(?:original|forwarded|ursprüngliche|message d)|_{8,}|from:\s|von:\s|de\s?:\s|sent from|-- ?$|"
    r"(?:on|am|le|el|il|op|den) .{4,120}(?:wrote|schrieb|écrit|escribió|ha scritto|schreef|skrev)\s*:?\s*$)",
    re.IGNORECASE,
)
COMMANDS = {
    "subscribe": "subscribe", "join": "subscribe", "unsubscribe": "unsubscribe", "leave": "unsubscribe",
    "signoff": "unsubscribe", "remove": "unsubscribe", "help": "help", "info": "help", "status": "status",
    "withdraw": "withdraw",
}  # fmt: skip
AWAY = phrase("somebody is away")
ACKNOWLEDGES = phrase("an acknowledgement")
REFUSING = {"no", "stop", "unsubscribe", "cancel", "nein", "non", "remove", "leave", "withdraw", "spam"}
TOKEN = re.compile(r"(?:\b(?:bounce|unsubscribe)\+|<)([a-z2-7]{26})@", re.IGNORECASE)
FIRST_LINES = 5
MOST_LINES = 30
LONGEST = 20_000


def author(message: Part) -> str:
    """The From, where it leaves no doubt that it is exactly one mailbox (RFC 5322 §3.6.2 allows more); else empty."""
    senders = message.all("from")
    mailbox = mailboxes.only(senders[0]) if len(senders) == 1 else None
    return mailbox.address if mailbox else ""


def message_id(message: Part) -> str:
    """Its Message-ID, if it is fit to stand in a header of ours; else empty."""
    found = MESSAGE_ID.fullmatch(message.get("message-id").strip())
    return found[0] if found else ""


def text(message: Part) -> str:
    """The text as people read it: the plain part, or the HTML one without its tags."""
    parts = [part for part in message.walk() if not part.parts and not is_file(part)]
    for wanted in ("text/plain", "text/html"):
        if found := next((part for part in parts if part.content_type == wanted and part.text.strip()), None):
            lines = (" ".join(line.split()) for line in found.text[: 2 * LONGEST].splitlines())
            shown = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
            return "".join(c for c in shown if c == "\n" or c.isprintable())[:LONGEST]
    return ""


def is_file(part: Part) -> bool:
    return part.get("content-disposition").strip().lower().startswith("attachment")


def own_lines(body: str) -> list[str]:
    """The lines before the first quotation or signature, without empty ones."""
    own: list[str] = []
    for line in body.splitlines():
        if QUOTATION.match(line):
            break
        if line.strip():
            own.append(line.strip())
    return own


def command(subject: str, body: str) -> str:
    """The one command of a message: its subject's, or else that of its first own lines; empty where there is none."""
    for line in (REPLY_MARK.sub("", subject), *own_lines(body)[:FIRST_LINES]):
        words = line.lower().strip(" .!\"'*").split()
        if words and len(words) <= 3 and words[0] in COMMANDS:
            return COMMANDS[words[0]]
    return ""


def refuses(body: str) -> bool:
    """Whether an answer to "is this you?" begins with a no."""
    first = next(iter(own_lines(body)), "")
    return bool(REFUSING & set(re.findall(r"\w+", first.lower())[:3]))


def away(body: str) -> bool:
    """Whether its own words say that somebody is away: answers of programs that leave out every header say at least that."""
    return bool(AWAY.search(" ".join(own_lines(body)[:MOST_LINES])))


def tokens(message: Part) -> list[str]:
    """Our own tokens in the headers of a message, of which we may have sent the original: MACs tell whether they are ours."""
    looked_at = " ".join(value for name, value in message.headers if name in ADDRESS_HEADERS)
    return list(dict.fromkeys(found.lower() for found in TOKEN.findall(looked_at[:20_000])))[:20]


def failed_authentication(message: Part, authserv_id: str) -> bool:
    """Whether our own mail server says that DMARC failed (RFC 8601 §2.2); what others claim is not believed (§5)."""
    for said in message.all("authentication-results"):
        identity, _, results = said.partition(";")
        mine = identity.strip().split(" ")[0].lower() == authserv_id.lower()
        if mine and re.search(r"\bdmarc\s*=\s*fail\b", results[:4_000], re.IGNORECASE):
            return True
    return False
