"""A postbox as a process of its own, with its two front doors."""

import json
import os
import signal
import smtplib
import socket
import subprocess
import sys
import time
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest

ROOT = Path(__file__).resolve().parents[2]
SENDER = "notices@example.org"
ALICE, BOB, CAROL = "alice@example.org", "bob@example.org", "carol@example.org"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Postbox:
    def __init__(self, folder: Path) -> None:
        self.folder, self.smtp_port, self.web_port = folder, free_port(), free_port()
        self.start()

    def start(self) -> None:
        self.process = self.launch()
        deadline = time.monotonic() + 20
        while not self.answers():
            assert self.process.poll() is None, "the postbox stopped"
            assert time.monotonic() < deadline, "the postbox did not start"
            time.sleep(0.02)

    def launch(self, **settings: str) -> subprocess.Popen[str]:
        ports = {"POSTBOX_SMTP_PORT": str(self.smtp_port), "POSTBOX_PORT": str(self.web_port)}
        env = {**os.environ, **ports, "VAR_DIR": str(self.folder), **settings}
        command = [sys.executable, "-m", "workers.postbox"]
        return subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True)

    def answers(self) -> bool:
        try:
            self.open("/readyz")
            socket.create_connection(("127.0.0.1", self.smtp_port)).close()
        except (URLError, ConnectionError):
            return False
        return True

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        self.process.communicate(timeout=5)
        return self.process.returncode

    def open(self, path: str, method: str = "GET", data: bytes | None = None, **headers: str) -> tuple[bytes, Any]:
        url = f"http://127.0.0.1:{self.web_port}{path}"
        with urlopen(Request(url, data, headers, method=method), timeout=10) as response:
            return response.read(), response.headers

    def get(self, path: str) -> Any:
        return json.loads(self.open(f"/api/v1{path}")[0])

    def page(self, path: str) -> str:
        return self.open(path)[0].decode()

    def send(self, raw: bytes | EmailMessage, *recipients: str, sender: str = SENDER, **options: Any) -> None:
        data = raw.as_bytes(policy=raw.policy.clone(linesep="\r\n")) if isinstance(raw, EmailMessage) else raw
        with smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=10) as connection:
            connection.sendmail(sender, recipients or [ALICE], data, **options)


def letter(subject: str = "Confirm your signature", text: str = "Good day\n", to: str = f"Alice <{ALICE}>") -> EmailMessage:
    message = EmailMessage()
    message["From"] = f"Undersigned <{SENDER}>"
    message["To"] = to
    message["Subject"] = subject
    message["Message-ID"] = "<one@example.org>"
    message.set_content(text)
    return message


def status(postbox: Postbox, path: str, method: str = "GET", data: bytes | None = None, **headers: str) -> int:
    with pytest.raises(HTTPError) as refused:
        postbox.open(path, method, data, **headers)
    refused.value.close()
    return refused.value.code
