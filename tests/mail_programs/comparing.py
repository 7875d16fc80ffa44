"""Whether a reader of MIME shows what a manifest names: that, all of that, and nothing else."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from service.proof.encoding import sha256
from service.proof.manifest import mailbox_hash, words_hash
from tests.mail_programs.views import MAILBOXES, View


def differences(view: View, delivery: Any, salt: str, manifest_file: bytes) -> Iterator[str]:
    """In words, for whoever reads a failed test."""
    if "error" in view:
        yield str(view["error"])
        return
    named = delivery["headers"] | {"message-id": delivery["message_id"]}
    for name, values in view["headers"].items():
        if [value.strip() for value in values] != [named[name]]:
            yield f"{name}: {values}"
    for name in MAILBOXES:
        if [mailbox_hash(salt, list(map(clean, mailbox))) for mailbox in view["mailboxes"][name]] != [named[name]]:
            yield f"{name}: {view['mailboxes'][name]}"
    parts = [part for part in view["parts"] if part["kind"] != "multipart"]
    shown = [part for part in parts if not part["filename"] and part["disposition"] in ("", "inline")]
    texts = [(part["kind"], words_hash(clean(part["text"]))) for part in shown]
    if texts != [("text/plain", delivery["text"]), ("text/html", delivery["html"])]:
        yield f"texts: {[(part['kind'], part['text'][:200]) for part in shown]}"
    files = sorted((part["filename"], sha256(base64.b64decode(part["content"]))) for part in parts if part not in shown)
    wanted = [(file["filename"], file["sha256"]) for file in delivery["attachments"]]
    if files != sorted([*wanted, ("manifest.json", sha256(manifest_file))]):
        yield f"files: {files}"


def clean(text: str) -> str:
    """Python marks bytes that it cannot decode with surrogates, of which no hash can be taken."""
    return text.encode("utf-8", "replace").decode()
