"""A service of its own for one figure: a folder, a database, so many subscribers, an approved mailing of 4.4 kB."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import insert

from service.core import config
from service.core.db import engine_for, transaction
from service.mailings import mailing_lifecycle
from service.migrations import upgrade
from service.models import MailingList, Subscription

ROOT = Path(__file__).parent.parent.parent
LINE = "We asked for an answer, and we go on asking until there is one.\n\n"
TEXT = "Dear {name|friend},\n\n" + LINE
"""With what every update has, its headers, styles and imprint, a copy has 4.4 kB."""


@dataclass
class Place:
    """Where a benchmark's processes work."""

    environment: dict[str, str]
    mailing_id: int = 0

    def run(self, module: str, *arguments: str) -> subprocess.Popen[str]:
        """Starts a process of ours in this place."""
        command = [sys.executable, "-m", module, *arguments]
        return subprocess.Popen(command, env=os.environ | self.environment, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@contextmanager
def place(people: int, port: int, **settings: str) -> Iterator[Place]:
    """Made for `people` subscribers, with the relay on this port; removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="undersigned-bench-"))
    environment = {
        "VAR_DIR": str(folder),
        "SECRET_KEY": "a-key-for-benchmarks-alone",
        "MAIL_PORT": str(port),
        "APPROVALS": "0",
        "LIMIT_VISITOR": "100000 per minute",
    } | settings
    config.use(config.load(environment))
    upgrade.upgrade()
    found = Place(environment)
    subscribe(people)
    found.mailing_id = approve()
    try:
        yield found
    finally:
        for read_only in (True, False):
            engine_for(config.settings().database_url, read_only=read_only).dispose()
        shutil.rmtree(folder, ignore_errors=True)


def subscribe(people: int) -> None:
    now = datetime.now(UTC)
    with transaction() as session:
        mailing_list = MailingList(slug="updates", title="Updates", description="", created_at=now)
        session.add(mailing_list)
        session.flush()
        fixed = {
            "list_id": mailing_list.id,
            "clp": "Valley",
            "office": "",
            "state": "confirmed",
            "created_at": now,
            "confirmed_at": now,
        }
        for start in range(0, people, 20_000):
            rows = [fixed | {"email": f"m{number}@c.example", "mailbox": f"m{number}@c.example", "name": f"Member {number}"}
                    for number in range(start, min(people, start + 20_000))]  # fmt: skip
            session.execute(insert(Subscription), rows)


def approve() -> int:
    with transaction() as session:
        mailing_list = session.get_one(MailingList, 1)
        mailing = mailing_lifecycle.draft(session, mailing_list, "The first week", TEXT, None, datetime.now(UTC))
        mailing_lifecycle.submit(mailing)
        session.flush()
        mailing_lifecycle.approve(session, mailing, None, mailing_lifecycle.content_hash(mailing), datetime.now(UTC))
        session.info.pop("bells", None)  # these processes look by themselves
        return mailing.id


def fan_out(mailing_id: int) -> None:
    more = True
    while more:
        with transaction() as session:
            more = mailing_lifecycle.fan_out(session, mailing_id, datetime.now(UTC))


def dkim_key(folder: Path) -> Path:
    """A fresh RSA-2048 key in PEM."""
    path = folder / "dkim.pem"
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = serialization.PrivateFormat.PKCS8
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, pem, serialization.NoEncryption()))
    return path
