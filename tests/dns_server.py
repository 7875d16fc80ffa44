"""A name server for one test: answers MX questions from a table, over UDP on loopback."""

from __future__ import annotations

import socket
import threading
from typing import Self

import dns.message
import dns.rcode
import dns.rrset


class DnsServer:
    """zones: {"nec.example": ["10 mx1.nec.example.", …]}; an empty list is a domain without MX, None a server that is silent.
    What is not in the table does not exist."""

    def __init__(self, zones: dict[str, list[str] | None]) -> None:
        self.zones = zones
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.place = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.sendto(b"", self._socket.getsockname())
        self._thread.join(5)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            asked, client = self._socket.recvfrom(4096)
            if not asked:
                return
            question = dns.message.from_wire(asked)
            name = str(question.question[0].name).rstrip(".")
            answer = dns.message.make_response(question)
            if name not in self.zones:
                answer.set_rcode(dns.rcode.NXDOMAIN)
            elif (records := self.zones[name]) is None:
                answer.set_rcode(dns.rcode.SERVFAIL)
            elif records:
                answer.answer.append(dns.rrset.from_text(question.question[0].name, 60, "IN", "MX", *records))
            self._socket.sendto(answer.to_wire(), client)
