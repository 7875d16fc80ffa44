"""People leave while a mailing goes out: `python -m tests.faults.leaving [READERS [LEAVERS [PER_SECOND]]]`; 1,000 of 50,000.

By mailto through the receiver and its worker, by one click (RFC 8058), and by the link in the body, in turn. The promise: no
text begins to leave more than 1 s after its reader's leaving was committed. Exit 1 where it was broken.
"""

from __future__ import annotations

import os
import random
import smtplib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from flask.testing import FlaskClient
from sqlalchemy import select

from service.app import create_app
from service.core import config
from service.core.db import reading
from service.emails import links
from service.models import Subscription
from tests.conftest import ROOT, free_port
from tests.faults.site import Site

ALLOWED_SECONDS = 1.0


class Count(NamedTuple):
    """Who `left`; how many of them were `spared` the text; texts that were too `late`, and the `worst` of them in seconds."""

    left: int
    spared: int
    late: int
    worst: float


def race(folder: Path, readers: int, leavers: int, per_second: int) -> Count:
    """One mailing paced so, with leavings spread over its whole time."""
    smtp = str(free_port())
    more = {"LIMIT_MAILING": str(per_second), "INBOUND_SMTP_PORT": smtp, "INBOUND_LMTP_PORT": str(free_port())}
    with Site(folder, delay=0.0, **more) as site:
        site.write_to(readers)
        app = create_app(config.settings())
        with running(site, "workers.run", "inbound"), running(site, "workers.inbound"):
            site.wait(lambda: answers(int(smtp)), 60)
            chosen = random.Random(8058).sample(everybody(), leavers)
            site.start()
            site.heard(1, 60)
            ways = mailto(int(smtp)), one_click(app.test_client()), body_link(app.test_client())
            seconds = readers / per_second
            people = [threading.Thread(target=leave, args=(chosen[at::3], way, seconds)) for at, way in enumerate(ways)]
            for one in people:
                one.start()
            for one in people:
                one.join()
            site.wait(lambda: site.over() and not still_here(chosen), seconds + 120, sweeping=True)
        return count(site, chosen)


@contextmanager
def running(site: Site, module: str, *arguments: str) -> Iterator[None]:
    command = [sys.executable, "-m", module, *arguments]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | site.environment, stdout=site.log, stderr=site.log)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def answers(port: int) -> bool:
    try:
        smtplib.SMTP("127.0.0.1", port, timeout=5).quit()
    except OSError:
        return False
    return True


def everybody() -> list[int]:
    with reading() as session:
        return list(session.scalars(select(Subscription.id).where(Subscription.state == "confirmed").order_by(Subscription.id)))


def still_here(chosen: list[int]) -> bool:
    with reading() as session:
        wanted = select(Subscription.id).where(Subscription.id.in_(chosen), Subscription.state == "confirmed").limit(1)
        return session.scalar(wanted) is not None


def leave(chosen: list[int], way: Callable[[int], None], seconds: float) -> None:
    """Spread evenly over nine tenths of the mailing's time."""
    began = time.monotonic()
    for number, subscription_id in enumerate(chosen):
        time.sleep(max(0.0, began + 0.9 * seconds * number / len(chosen) - time.monotonic()))
        way(subscription_id)


def mailto(port: int) -> Callable[[int], None]:
    client = smtplib.SMTP("127.0.0.1", port, timeout=30)

    def send(subscription_id: int) -> None:
        to = links.unsubscribe_address(subscription_id)
        client.sendmail("reader@example.org", [to], f"From: reader@example.org\r\nTo: {to}\r\n\r\n".encode())

    return send


def one_click(client: FlaskClient) -> Callable[[int], None]:
    def post(subscription_id: int) -> None:
        client.post(path(subscription_id), data={"List-Unsubscribe": "One-Click"})

    return post


def body_link(client: FlaskClient) -> Callable[[int], None]:
    def press(subscription_id: int) -> None:
        client.get(path(subscription_id))
        client.post(path(subscription_id))

    return press


def path(subscription_id: int) -> str:
    return links.unsubscribe_url(subscription_id).removeprefix(config.settings().base_url)


def count(site: Site, chosen: list[int]) -> Count:
    """`left_at` is a little before the commit: so this is a little stricter than the promise."""
    sent = {text.recipient: text.whole for text in site.sink.texts}
    with reading() as session:
        rows = session.execute(select(Subscription.email, Subscription.left_at).where(Subscription.id.in_(chosen))).all()
    gaps = [sent[email] - left_at.timestamp() for email, left_at in rows if email in sent and left_at is not None]
    worst = max(gaps, default=0.0)
    return Count(len(rows), len(rows) - len(gaps), sum(gap > ALLOWED_SECONDS for gap in gaps), worst)


def main(readers: int = 50_000, leavers: int = 1_000, per_second: int = 750) -> int:
    with tempfile.TemporaryDirectory(prefix="undersigned-leaving-") as folder:
        found = race(Path(folder) / "site", readers, leavers, per_second)
    for name, value in found._asdict().items():
        print(f"leaving_{name}", round(value, 3), "s" if name == "worst" else "count")
    return int(found.late > 0)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
