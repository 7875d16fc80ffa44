"""What each file is that somebody hands to the verifier, and what lies inside it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from service.proof import evidence, keys, leaves, manifest, receipts
from service.proof.encoding import Document, Unreadable, decode, encode
from service.proof.letters.mail_parts import Headers, Part, read_mail
from service.proof.timestamping import tokens
from service.proof.timestamping.tokens import Stamp

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
NO_LETTER = "it is no document of ours, and no letter that carries one"
LARGEST_HEADERS = 200_000
MANIFEST, RECEIPT = "manifest.json", "receipt.json"


@dataclass
class Letter:
    """A delivered letter to an official: its headers, the parts that are shown, the files beside its manifest."""

    name: str
    headers: Headers
    shown: list[Part]
    files: list[Part]
    manifest: bytes


@dataclass
class Given:
    """Everything that was handed over, by kind; each with the name it is called by in what we say."""

    manifests: dict[str, bytes] = field(default_factory=dict)
    keys: dict[str, Document] = field(default_factory=dict)
    receipts: dict[str, Document] = field(default_factory=dict)
    consistency: dict[str, Document] = field(default_factory=dict)
    evidence: dict[str, Document] = field(default_factory=dict)
    timestamps: dict[str, Stamp] = field(default_factory=dict)
    leaves: dict[str, str] = field(default_factory=dict)
    letters: list[Letter] = field(default_factory=list)
    with_receipt: list[str] = field(default_factory=list)
    other: dict[str, bytes] = field(default_factory=dict)

    def take(self, name: str, content: bytes) -> None:
        """Raises Unreadable."""
        if len(content) > LARGEST:
            raise Unreadable(f"it is larger than {LARGEST:,} bytes")
        if reason := next((reason for start, reason in OTHER_FORMATS.items() if content.startswith(start)), ""):
            raise Unreadable(reason)
        if content[:1] == b"\x30" and content[1:2] >= b"\x80":
            self.timestamps[name] = tokens.read(content)
        elif content.startswith(b"{"):
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
        if form == manifest.FORMAT or form in manifest.OLDER_FORMATS:
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
        """A letter to an official carries a manifest; one to a signer a receipt, and no other file."""
        if b"\nmessage-id:" not in b"\n" + content[:LARGEST_HEADERS].lower():
            raise Unreadable(NO_LETTER)
        headers, parts = read_mail(content)
        files = [part for part in parts if part.filename]
        names = [part.filename for part in files]
        if twice := [name for name in names if names.count(name) > 1]:
            raise Unreadable(f"it has two files called {twice[0]}, of which a mail program may show the other one")
        ours = [part for part in files if part.filename in (MANIFEST, RECEIPT)]
        if not ours:
            raise Unreadable(NO_LETTER)
        if any(part.filename == RECEIPT for part in ours):
            if len(files) > 1:
                raise Unreadable("it has a receipt beside other files; give the receipt by itself")
            self.with_receipt.append(name)
            self._take_document(f"{name}: {RECEIPT}", ours[0].content)
            return
        self._take_document(f"{name}: {MANIFEST}", ours[0].content)
        shown, others = [part for part in parts if not part.filename], [part for part in files if part not in ours]
        self.letters.append(Letter(name, headers, shown, others, ours[0].content))


def _is_export(content: bytes) -> bool:
    """Whether this is what a person downloads as "what we hold", which is written for people, not for proof."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and document.keys() >= EXPORT_FIELDS
