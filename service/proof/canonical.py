"""The canonical bytes of an edition: what its SHA-256 is taken of, and what `…/editions/<n>.txt` serves."""

from __future__ import annotations

import unicodedata

from service.proof.encoding import sha256 as digest

__all__ = ["canonical", "digest"]


def canonical(title: str, addressed_to: str, body: str) -> bytes:
    """Title, addressee and body in Markdown; UTF-8, NFC, LF, no space at a line's end, one final newline."""
    text = f"# {title}\n\nTo: {addressed_to}\n\n{body}"
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    lines = [line.rstrip() for line in text.split("\n")]
    return ("\n".join(lines).strip("\n") + "\n").encode()
