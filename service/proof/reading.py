"""What each file is that somebody hands to the verifier, and what lies inside it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage, MIMEPart

from service.proof import evidence, keys, leaves, manifest, receipts
from service.proof.encoding import Document, Unreadable, decode, encode

LARGEST = 200_000_000
EXPORT_FIELDS = {"mailbox", "signatures", "subscriptions", "consents"}
OTHER_FORMATS = {
    b"\xd0\xcf\x11\xe0": "it is a letter or document as Microsoft’s programs keep it: save the letter as .eml, and check that",
    b"PK\x03\x04": "it is a packed folder or an office document: unpack it, and check the files as they came",
    b"\x89PNG": "it is a picture: check the file itself",
    b"\xff\xd8\xff": "it is a picture: check the file itself",
    b"<": "it is a web page: save the letter as .eml, or the attached file, and check that",
}
"""What people have in hand instead of a file of ours, by its first bytes, and what to do then."""


@dataclass
class Letter:
    """A delivered .eml: its Message-ID, its own words, and its other attachments by name."""

    name: str
    message_id: str
    text: str
    html: str
    manifest: bytes
    attachments: dict[str, bytes]


@dataclass
class Given:
    """Everything that was handed over, by kind; each with the name it is called by in what we say."""

    manifests: dict[str, bytes] = field(default_factory=dict)
    keys: dict[str, Document] = field(default_factory=dict)
    receipts: dict[str, Document] = field(default_factory=dict)
    consistency: dict[str, Document] = field(default_factory=dict)
    evidence: dict[str, Document] = field(default_factory=dict)
    leaves: dict[str, str] = field(default_factory=dict)
    letters: list[Letter] = field(default_factory=list)
    other: dict[str, bytes] = field(default_factory=dict)

    def take(self, name: str, content: bytes) -> None:
        """Raises Unreadable."""
        if len(content) > LARGEST:
            raise Unreadable(f"it is larger than {LARGEST:,} bytes")
        if reason := next((reason for start, reason in OTHER_FORMATS.items() if content.startswith(start)), ""):
            raise Unreadable(reason)
        if content.startswith(b"{"):
            self._take_document(name, content)
        elif content.startswith(leaves.FIRST_LINE.encode()):
            self.leaves[name] = content.decode("ascii", "replace")
        elif content.startswith((b"%PDF", b"\xef\xbb\xbf", b"# ")):
            self.other[name] = content
        else:
            self._take_letter(name, content)

    def _take_document(self, name: str, content: bytes) -> None:
        if _is_export(content):
            raise Unreadable(
                "it is a copy of everything that is held about a person, and proves nothing. What proves a signature is its "
                "receipt, the file receipt.json that came with the e-mail “Your signature counts”"
            )
        document = decode(content)
        form = document.get("format", manifest.FORMAT if "manifest" in document else None)
        if form == manifest.FORMAT:
            self.manifests[name] = content
        elif form == receipts.RECEIPT:
            self.receipts[name] = document
            for at, serving in enumerate(document["servings"], 1):
                self.manifests[f"{name}, serving {at}"] = encode(serving["manifest"])
        else:
            kinds = {keys.FORMAT: self.keys, receipts.CONSISTENCY: self.consistency, evidence.FORMAT: self.evidence}
            if form not in kinds:
                raise Unreadable("it is a document of no kind that we know")
            kinds[form][name] = document

    def _take_letter(self, name: str, content: bytes) -> None:
        letter = message_from_bytes(content, policy=policy.default)
        assert isinstance(letter, EmailMessage)
        files = {str(part.get_filename()): _content(part) for part in letter.iter_attachments() if part.get_filename()}
        ours = [file for file in files if file in {"manifest.json", "receipt.json"}]
        if not letter["Message-ID"] or not ours:
            raise Unreadable("it is no document of ours, and no letter that carries one")
        if "receipt.json" in files:
            self._take_document(f"{name}: receipt.json", files["receipt.json"])
            return
        text, html = (_words(letter.get_body((kind,))) for kind in ("plain", "html"))
        document = files.pop("manifest.json")
        self._take_document(f"{name}: manifest.json", document)
        self.letters.append(Letter(name, str(letter["Message-ID"]).strip(), text, html, document, files))


def _is_export(content: bytes) -> bool:
    """Whether this is what a person downloads as "what we hold", which is written for people, not for proof."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and document.keys() >= EXPORT_FIELDS


def _content(part: MIMEPart) -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _words(part: MIMEPart | None) -> str:
    return _content(part).decode("utf-8", "replace") if part is not None else ""
