"""A reader in a process of its own, which may be killed: whatever a message does to it, the asker goes on (2 s, 512 MB)."""

from __future__ import annotations

import json
import resource
import socket
import struct
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from service.inbound.parsing.classify import judge
from service.inbound.parsing.judgement import Judgement
from service.inbound.parsing.mime.mime_parser import LARGEST, Hostile

SECONDS = 2.0
START_SECONDS = 30.0
MEMORY = 512 * 1024 * 1024
LENGTHS = struct.Struct("!II")
ROOT = Path(__file__).parent.parent.parent.parent


class Reader:
    """Judges message after message in one child; kills it where it takes too long, and starts another for the next."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self.child: subprocess.Popen[bytes] | None = None
        self.socket: socket.socket | None = None

    def judge(self, raw: bytes, sender: str | None, authserv_id: str = "") -> Judgement:
        """What `judge` says of it; quarantined where it cannot be read within the bounds."""
        if len(raw) > LARGEST:
            return quarantined("it is larger than 25 MB")
        try:
            return self._ask(raw, {"sender": sender, "authserv_id": authserv_id})
        except TimeoutError:
            self.close()
            return quarantined(f"it could not be read within {self.seconds:g} s")
        except OSError:
            self.close()
            return quarantined("it could not be read: the process that tried ended")

    def _ask(self, raw: bytes, envelope: dict[str, Any]) -> Judgement:
        asked = self._socket()
        head = json.dumps(envelope).encode()
        asked.settimeout(self.seconds)
        asked.sendall(LENGTHS.pack(len(head), len(raw)) + head)
        asked.sendall(raw)
        return Judgement(**json.loads(_exactly(asked, LENGTHS.unpack(_exactly(asked, LENGTHS.size))[1])))

    def _socket(self) -> socket.socket:
        if self.child is None or self.child.poll() is not None or self.socket is None:
            self.close()
            self.socket, theirs = socket.socketpair()
            command = [sys.executable, "-m", "service.inbound.parsing.sandbox"]
            self.child = subprocess.Popen(
                command, stdin=theirs.fileno(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT
            )
            theirs.close()
            self.socket.settimeout(START_SECONDS)
            _exactly(self.socket, 1)  # it has begun: its imports are not counted against the first message
        return self.socket

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()
        if self.child is not None:
            self.child.kill()
            self.child.wait()
        self.child = self.socket = None

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def quarantined(reason: str) -> Judgement:
    return Judgement("other", reason=reason, machine="it is quarantined", quarantined=True)


def _exactly(from_: socket.socket, count: int) -> bytes:
    """Raises ConnectionResetError where the other end is gone."""
    parts = []
    while count:
        if not (part := from_.recv(min(count, 1 << 20))):
            raise ConnectionResetError
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def main() -> None:
    """Answers until the asker hangs up. What runs out of memory here is hostile; a crash ends this process alone."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    asker = socket.socket(fileno=0)
    judge(b"Subject: a\r\n\r\na")  # tables are compiled before the first message is timed
    asker.sendall(b"+")
    while True:
        try:
            head, length = LENGTHS.unpack(_exactly(asker, LENGTHS.size))
            envelope = json.loads(_exactly(asker, head))
            raw = _exactly(asker, length)
        except ConnectionResetError:
            return
        try:
            judgement = judge(raw, **envelope)
        except (MemoryError, RecursionError, Hostile):
            judgement = quarantined("it takes more memory than a message may")
        answer = json.dumps(asdict(judgement)).encode()
        asker.sendall(LENGTHS.pack(0, len(answer)) + answer)


if __name__ == "__main__":
    main()
