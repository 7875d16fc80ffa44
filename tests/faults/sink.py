"""A mail server that takes everything and counts: each text that came in whole, also where nobody read the answer any more."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import NamedTuple, Self

MESSAGE_ID = re.compile(rb"^Message-ID: *(\S+)", re.M | re.I)
HELLO = b"250-sink.example\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 PIPELINING\r\n"


class Text(NamedTuple):
    """A text with its final dot, when its first byte was asked for, and the address of who sent it."""

    recipient: str
    message_id: str
    began: float
    whole: float
    peer: str = ""


class Sink:
    """One thread for each connection; `delay` is how long each text takes it, `watch` is told the number of every text."""

    def __init__(self, delay: float = 0.0, address: str = "127.0.0.1") -> None:
        self.delay = delay
        self.texts: list[Text] = []
        self.watch: Callable[[int], None] = lambda _count: None
        self.most_connections = 0
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server((address, 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in list(self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)
            self.most_connections = max(self.most_connections, len(self._open))
        try:
            with contextlib.suppress(OSError):
                self._talk(connection)
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()

    def _talk(self, connection: socket.socket) -> None:
        file, recipient = connection.makefile("rb"), ""
        connection.sendall(b"220 sink.example ESMTP\r\n")
        while line := file.readline():
            verb = line[:4].upper()
            if verb == b"RCPT":
                recipient = line.partition(b"<")[2].partition(b">")[0].decode()
            if verb == b"DATA":
                began = time.time()
                connection.sendall(b"354 go ahead\r\n")
                lines = []
                while (one := file.readline()) != b".\r\n":
                    if not one:
                        return
                    lines.append(one)
                self._take(recipient, b"".join(lines), began, connection.getpeername()[0])
            connection.sendall(HELLO if verb == b"EHLO" else b"221 2.0.0 Bye\r\n" if verb == b"QUIT" else b"250 2.0.0 Ok\r\n")

    def _take(self, recipient: str, content: bytes, began: float, peer: str) -> None:
        found = MESSAGE_ID.search(content)
        assert found
        with self._lock:
            self.texts.append(Text(recipient, found[1].decode(), began, time.time(), peer))
            count = len(self.texts)
        self.watch(count)
        time.sleep(self.delay)

    @property
    def by_recipient(self) -> Counter[str]:
        return Counter(text.recipient for text in self.texts)

    @property
    def doubles(self) -> int:
        return len(self.texts) - len(self.by_recipient)

    @property
    def unequal(self) -> int:
        """Recipients whose texts differ in their Message-ID."""
        names = defaultdict(set)
        for text in self.texts:
            names[text.recipient].add(text.message_id)
        return sum(len(found) > 1 for found in names.values())
