"""What each file is that somebody hands to the verifier, and what lies inside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage, MIMEPart

from service.proof import evidence, keys, leaves, manifest, receipts
from service.proof.encoding import Document, Unreadable, decode, encode

LARGEST = 200_000_000


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
        if content.startswith(b"{"):
            self._take_document(name, content)
        elif content.startswith(leaves.FIRST_LINE.encode()):
            self.leaves[name] = content.decode("ascii", "replace")
        elif content.startswith((b"%PDF", b"\xef\xbb\xbf", b"# ")):
            self.other[name] = content
        else:
            self._take_letter(name, content)

    def _take_document(self, name: str, content: bytes) -> None:
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


def _content(part: MIMEPart) -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _words(part: MIMEPart | None) -> str:
    return _content(part).decode("utf-8", "replace") if part is not None else ""
