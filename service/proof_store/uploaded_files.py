"""The verifier for the page that anybody may use: what was served here is known, and a file can harm nobody but itself."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.errors import Refused
from service.models import Manifest
from service.proof.manifests_check import Finding
from service.proof.verify import in_order
from service.proof_store import due_timestamps, receipt_files, signing_key

File = tuple[str, bytes]
"""A file's name and its bytes."""
MOST_FILES = 20
LARGEST_MAIL = 1 << 20
SECONDS = 10
ROOT = Path(__file__).resolve().parent.parent.parent
NO_MAIL = (b"{", b"%PDF", b"\xef\xbb\xbf", b"# ", b"undersigned-leaves-1")
"""How the other files begin that we take; only mail needs the careful reader, and has a bound of its own."""


def verify(session: Session, files: Sequence[File], now: datetime) -> list[Finding]:
    """Each file that one of our manifests names is checked beside it, the others together. Raises Refused."""
    if not files:
        raise Refused(files="Choose at least one file.")
    if len(files) > MOST_FILES:
        raise Refused(files=f"Check at most {MOST_FILES} files at once.")
    for name, content in files:
        if len(content) > LARGEST_MAIL and not content.startswith(NO_MAIL):
            raise Refused(files=f"{name} is larger than 1 MB. Save its attachments and check them, or use the command.")
    keys, issued = signing_key.document(session), list(session.scalars(select(Manifest.hash)))
    groups = _groups(session, files)
    return in_order([finding for group in groups for finding in _in_child(group, keys, issued, now)])


def _groups(session: Session, files: Sequence[File]) -> list[list[File]]:
    groups: list[list[File]] = []
    others: list[File] = []
    for file in files:
        manifest = receipt_files.manifest_naming(session, file[1])
        if manifest is None:
            others.append(file)
        else:
            groups.append([file, (f"our manifest {manifest.number}", manifest.content), *_stamp(manifest)])
    return groups + ([others] if others else [])


def _stamp(manifest: Manifest) -> list[File]:
    return [(f"our timestamp {manifest.number}", manifest.timestamp)] if manifest.timestamp else []


def _in_child(files: list[File], keys: dict[str, object], issued: list[str], now: datetime) -> list[Finding]:
    """In a process that may be killed. Raises Refused, with the reason, for what cannot be read."""
    encoded = [[name, base64.b64encode(content).decode()] for name, content in files]
    asked = json.dumps(
        {
            "files": encoded,
            "keys": keys if keys["keys"] else None,
            "issued": issued,
            "now": now.isoformat(),
            "authorities": [base64.b64encode(authority).decode() for authority in due_timestamps.authorities()],
        }
    ).encode()
    command = [sys.executable, "-m", "service.proof.child"]
    try:
        done = subprocess.run(
            command, input=asked, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        done = None
    if done is None or done.returncode:
        raise Refused(files="We could not confirm this: it takes longer to read than a file of ours ever does.")
    answer = json.loads(done.stdout)
    if answer["problem"]:
        raise Refused(files=answer["problem"])
    return [Finding(*finding) for finding in answer["findings"]]
