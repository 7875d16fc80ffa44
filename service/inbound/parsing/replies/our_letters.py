"""What a person's message says: who wrote it, what is written there beside quotations, what it asks for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from service.inbound.parsing.mime import mailboxes
from service.inbound.parsing.mime.encoded_words import decoded
from service.inbound.parsing.mime.mime_parser import ADDRESS_HEADERS, Part
from service.inbound.parsing.replies import assent, quotations
from service.inbound.parsing.replies.headings import refusing
from service.inbound.parsing.replies.phrasebook import tokens as tokens_of
from service.inbound.parsing.replies.phrases import phrase

MESSAGE_ID = re.compile(r"<[!-;=?-~]{3,240}>")
REPLY_MARK = phrase("before the subject of an answer", r"^\s*(?:{}(?:\[\d+\]|\(\d+\)|\^\d+|\*\d+)?\s*[:：]\s*)+")
COMMANDS = {
    "subscribe": "subscribe", "join": "subscribe", "unsubscribe": "unsubscribe", "leave": "unsubscribe",
    "signoff": "unsubscribe", "remove": "unsubscribe", "help": "help", "info": "help", "status": "status",
    "withdraw": "withdraw",
}  # fmt: skip
AWAY = phrase("somebody is away")
AWAY_NOW = phrase("somebody is away now")
UNTIL = phrase("until when")
ACKNOWLEDGES = phrase("an acknowledgement")
TOKEN = re.compile(r"(?:\b(?:bounce|unsubscribe)\+|<)([a-z2-7]{26})@", re.IGNORECASE)
WHOLE_TOKEN = re.compile(r"[a-z2-7]{26}", re.IGNORECASE)
FEEDBACK_ID = "cfbl-feedback-id"
FIRST_LINES = 5
LONGEST_WRITER = 320
MOST_LINES = 30


def author(message: Part) -> mailboxes.Mailbox | None:
    """The From, where it leaves no doubt that it is exactly one mailbox (RFC 5322 §3.6.2 allows more)."""
    senders = message.all("from")
    return mailboxes.only(senders[0]) if len(senders) == 1 else None


def written_by(message: Part) -> str:
    """Whose message it seems to be, as it says itself: for people to read."""
    return decoded(", ".join(message.all("from")[:3]))[:LONGEST_WRITER]


def message_id(message: Part) -> str:
    """Its Message-ID, if it is fit to stand in a header of ours; else empty."""
    match = MESSAGE_ID.fullmatch(message.get("message-id").strip())
    return match[0] if match else ""


def own_lines(body: str) -> list[str]:
    """The lines that the author wrote, wherever they stand among quotations; without empty ones."""
    return quotations.own_lines(body).lines


def command(subject: str, body: str) -> str:
    """The one command of a message: its subject's, or else that of its first own lines; empty where there is none."""
    for line in (REPLY_MARK.sub("", subject), *own_lines(body)[:FIRST_LINES]):
        words = line.lower().strip(" .!\"'*").split()
        if words and len(words) <= 3 and words[0] in COMMANDS:
            return COMMANDS[words[0]]
        if assent.answer([line], (), assent.LEAVE) == "yes":
            return "unsubscribe"
    return ""


def refuses(body: str) -> bool:
    """Whether an answer to "is this you?" is neither a clear yes nor without words."""
    return assent.answer(own_lines(body)) == "other"


def answer_of_subject(subject: str, our_subjects: Sequence[str], our_words: str) -> assent.Answer:
    """What a subject says by itself: our own one, and one made of our letter's words, say nothing; any other word does."""
    bare, before = TAG.sub("", subject), ""
    while bare != before:
        before, bare = bare, TAG.sub("", REPLY_MARK.sub("", bare))
    words = tokens_of(bare)
    if words in [tokens_of(our_subject) for our_subject in our_subjects] or not words:
        return "nothing"
    if set(words) & refusing():
        return "other"
    is_our_subject = set(words) <= set(tokens_of(our_words)) if our_words else bare != subject
    return "nothing" if is_our_subject else assent.answer([bare])


TAG = re.compile(
    r"^\s*(?:\[(?:external|extern[aeo]?|esterno|ext|spam\??|bulk)\]|\*{3,5}spam\*{3,5}|external:|ext:)\s*", re.IGNORECASE
)
"""What a mail server writes before each subject that comes from outside."""


def away(body: str) -> bool:
    """Whether its own words say that somebody is away: answers of programs that leave out every header say at least that."""
    return bool(AWAY.search(" ".join(own_lines(body)[:MOST_LINES])))


def tokens(message: Part) -> list[str]:
    """Our own tokens in the headers of a message, of which we may have sent the original: MACs tell whether they are ours."""
    return _tokens_in(" ".join(value for name, value in message.headers if name in ADDRESS_HEADERS))


def feedback_ids(message: Part) -> list[str]:
    """Our own secrets for complaints, in the headers of a message of ours."""
    return [value.strip().lower() for value in message.all(FEEDBACK_ID)[:5] if WHOLE_TOKEN.fullmatch(value.strip())]


def answered_tokens(message: Part) -> list[str]:
    """Our own tokens in the headers that say what a message answers."""
    return _tokens_in(" ".join(message.all("in-reply-to") + message.all("references")))


def tokens_below(message: Part) -> list[str]:
    """Our own tokens in the copy that a bounce of no standard has below its text."""
    return _tokens_in(" ".join(part.text[:20_000] for part in message.walk() if part.content_type.startswith("text/"))[:40_000])


def _tokens_in(looked_at: str) -> list[str]:
    return list(dict.fromkeys(token.lower() for token in TOKEN.findall(looked_at[:40_000])))[:20]


def failed_authentication(message: Part, authserv_id: str) -> bool:
    """Whether our own mail server says that DMARC failed (RFC 8601 §2.2); what others claim is not believed (§5)."""
    for header in message.all("authentication-results"):
        identity, _, results = header.partition(";")
        is_ours = identity.strip().split(" ")[0].lower() == authserv_id.lower()
        if is_ours and re.search(r"\bdmarc\s*=\s*fail\b", results[:4_000], re.IGNORECASE):
            return True
    return False
