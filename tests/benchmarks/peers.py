"""What we are measured against, in the same run and against the same sink."""

from __future__ import annotations

import resource
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import dkim
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from flask import Flask
from flask_mail import Connection, Mail, Message

from tests.benchmarks.place import LINE, TEXT
from tests.benchmarks.sinks import program


@dataclass(frozen=True)
class Run:
    """So many messages in so long, and the processor's time they took."""

    messages: int
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        return self.messages / self.seconds

    @property
    def cpu_us(self) -> float:
        return self.cpu / self.messages * 1e6


class Signing(Connection):
    """Flask-Mail's loop with dkimpy, as its documentation shows it."""

    key = b""

    def send(self, message: Message, envelope_from: object = None) -> None:
        content = message.as_bytes()
        signature = dkim.sign(content, b"bench", b"lists.example.org", self.key, canonicalize=(b"relaxed", b"relaxed"))
        assert self.host is not None
        self.host.sendmail("bounce@lists.example.org", message.recipients, signature + content)  # type: ignore[arg-type]


def flask_mail(port: int, messages: int, key: Path | None = None) -> Run:
    """`with mail.connect()` and a Message for each recipient; with a key, dkimpy signs each."""
    app = Flask("peer")
    app.config.update(MAIL_SERVER="127.0.0.1", MAIL_PORT=port, MAIL_DEFAULT_SENDER="notices@lists.example.org")
    mail = Mail(app)
    Signing.key = key.read_bytes() if key else b""
    with app.app_context():
        connection = Signing(app.extensions["mail"]) if key else mail.connect()
        with connection:
            began, cpu = time.perf_counter(), time.process_time()
            for number in range(messages):
                connection.send(_message(number))
            return Run(messages, time.perf_counter() - began, time.process_time() - cpu)


def _message(number: int) -> Message:
    """As many bytes as a copy of ours."""
    text = TEXT.replace("{name|friend}", f"Member {number}") + LINE * 24
    page = f"<html><body>{''.join(f'<p>{line}</p>' for line in text.splitlines())}</body></html>"
    leave = f"<https://example.org/unsubscribe/{number}>"
    return Message(
        "The first week", [f"m{number}@c.example"], text, page, extra_headers={"List-Unsubscribe": leave}
    )  # fmt: skip


def smtp_source(port: int, messages: int, connections: int) -> Run:
    """Postfix's own load generator, which prepares one message and repeats it."""
    command = [program("smtp-source"), "-d", "-l", "4000", "-m", str(messages), "-s", str(connections), f"127.0.0.1:{port}"]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Run(messages, seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def rsa_ceiling(path: Path, threads: int, seconds: float = 2.0) -> float:
    """Bare RSA-2048 signatures a second with `cryptography`, on so many threads."""
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    counts = [0] * threads
    until = time.perf_counter() + seconds

    def sign(mine: int) -> None:
        while time.perf_counter() < until:
            key.sign(b"x" * 800, padding.PKCS1v15(), hashes.SHA256())
            counts[mine] += 1

    workers = [threading.Thread(target=sign, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(counts) / seconds
