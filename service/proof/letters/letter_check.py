"""Whether a delivered letter is the one that its manifest names: all that a mail program shows, every file, the headers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from service.proof.encoding import Document, sha256
from service.proof.given_files import Letter
from service.proof.letters.mail_values import mailbox_of_header, words_of_header
from service.proof.manifest import mailbox_hash, words_hash
from service.proof.manifests_check import Finding, Findings, Signed

KINDS = {"text/plain": "text", "text/html": "html"}
SALT = "undersigned-salt"
LEFT_OPEN = "its manifest is of an older form, which does not say who sent it to whom, when, and with which subject"


def check_letter(letter: Letter, signed: list[Signed]) -> Findings:
    ours = [manifest for manifest in signed if manifest.file == letter.manifest]
    number = letter.headers["message-id"]
    delivery = next((each for manifest in ours for each in manifest.body["deliveries"] if each["message_id"] == number), None)
    if delivery is None:
        yield Finding(False, f"{letter.name}: no sound manifest knows a letter with the Message-ID {number}.")
        return
    differences = [*_shown(letter, delivery), *_files(letter, delivery), *_headers(letter, delivery)]
    yield from (Finding(False, f"{letter.name}: {sentence}") for sentence in differences)
    if not differences:
        what = f"the letter to {delivery['office']} with {ours[0].what}"
        yield Finding(True, f"{letter.name}: {what}, its words and attachments whole.")
    if "headers" not in delivery:
        yield Finding(None, f"{letter.name}: {LEFT_OPEN}. Trust none of these by themselves.")


def _shown(letter: Letter, delivery: Document) -> Iterator[str]:
    """Both texts, in this order and no other: mail programs show the last one that they can, and whatever stands beside."""
    if [part.kind for part in letter.shown] != list(KINDS):
        yield "it does not show one text and the same as HTML, and nothing else: a part was added or taken out."
        return
    for part in letter.shown:
        words = part.content.decode("utf-8", "replace")
        kind = KINDS[part.kind]
        if words_hash(words) == delivery[kind]:
            continue
        added = _added(words, delivery[kind])
        yield added or f"the letter’s words ({kind}) are not those that were sent."


def _added(words: str, expected: str) -> str:
    """Says what stands before or behind our own words, where these are whole: a banner or footer of somebody on the way."""
    lines = words.replace("\r\n", "\n").rstrip("\n").split("\n")
    for first in range(min(len(lines), MOST_ADDED)):
        for last in range(len(lines), max(first, len(lines) - MOST_ADDED), -1):
            if words_hash("\n".join(lines[first:last])) == expected:
                extra = [line.strip() for line in lines[:first] + lines[last:] if line.strip()]
                return f"our own words are whole, but somebody added to them on the way: “{' / '.join(extra)[:300]}”."
    return ""


MOST_ADDED = 12
"""Lines before, and behind, that are tried as an addition: 144 hashes at the most."""


def _files(letter: Letter, delivery: Document) -> Iterator[str]:
    listed = {file["filename"]: file["sha256"] for file in delivery["attachments"]}
    there = {part.filename: sha256(part.content) for part in letter.files}
    for filename in sorted(listed.keys() | there.keys()):
        if filename not in there:
            yield f"{filename} was attached, and is missing."
        elif there[filename] != listed.get(filename):
            yield f"{filename} is not the file that was attached."


def _headers(letter: Letter, delivery: Document) -> Iterator[str]:
    """From, To, Subject and Date, where the manifest names them; the addresses by hashes that the letter's own salt opens."""
    named = delivery.get("headers")
    if named is None:
        return
    salt = letter.headers.get(SALT, "")
    for name in ("from", "to", "reply-to"):
        value = letter.headers.get(name, "")
        if (mailbox_hash(salt, mailbox_of_header(value)) if value else None) != named.get(name):
            yield f"its {name.title()} is not the one that the letter was sent with: {value[:200]}."
    if letter.headers["date"] != named["date"]:
        yield f"its Date is not the one that the letter was sent with: {letter.headers['date'][:100]}."
    subject = words_of_header(letter.headers["subject"])
    if subject != named["subject"]:
        yield _about_subject(subject, named["subject"])


def _about_subject(subject: str, sent: str) -> str:
    if subject.endswith(sent) and re.fullmatch(r"\W*\w{1,20}\W*", subject.removesuffix(sent)):
        return f"somebody on the way put “{subject.removesuffix(sent).strip()}” before its subject, which is ours otherwise."
    return f"its subject is not the one that it was sent with, “{sent}”."
