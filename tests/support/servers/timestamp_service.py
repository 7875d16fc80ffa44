"""A real timestamp service for tests: `openssl ts` behind an HTTP server on loopback, with an authority of its own."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SETTINGS = """
[tsa]
default_tsa = one
[one]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
certs = {folder}/ca.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = {hash}
"""


@dataclass
class TimestampService:
    """`usage`: what its certificate is for; `hash`: by which the answer names it."""

    folder: Path
    usage: str = "critical,timeStamping"
    hash: str = "sha256"
    key: str = "rsa:2048"
    away: bool = False
    asked: list[bytes] = field(default_factory=list)
    answers: bytes | None = None
    """In place of its own answer."""

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        new = ["-newkey", *self.key.split(), "-nodes", "-keyout"]
        self.run("req", "-x509", *new, "ca.key", "-out", "ca.pem", "-subj", "/CN=Test Authority", "-days", "9")
        self.run("req", *new, "tsa.key", "-out", "tsa.csr", "-subj", "/CN=Test Timestamps")
        (self.folder / "ext").write_text(f"extendedKeyUsage={self.usage}\nbasicConstraints=CA:FALSE\n")
        signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "ext", "-out", "tsa.pem", "-days", "8"]
        self.run("x509", "-req", "-in", "tsa.csr", *signed)
        (self.folder / "serial").write_text("01\n")
        (self.folder / "tsa.cnf").write_text(SETTINGS.format(folder=self.folder, hash=self.hash))

    def run(self, *words: str) -> None:
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True)

    @property
    def authority(self) -> Path:
        return self.folder / "ca.pem"

    def answer(self, query: bytes) -> bytes:
        self.asked.append(query)
        (self.folder / "query").write_bytes(query)
        self.run("ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query", "-out", "reply")
        return (self.folder / "reply").read_bytes()

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Its address."""
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                query = self.rfile.read(int(self.headers["Content-Length"]))
                answer = service.answers if service.answers is not None else service.answer(query)
                self.send_response(503 if service.away else 200)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None: ...

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/tsa"
        finally:
            server.shutdown()
            server.server_close()
            thread.join(5)
