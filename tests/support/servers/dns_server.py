"""A name server for one test: answers from a table, over UDP on loopback, and says of some answers that they are signed."""

from __future__ import annotations

import socket
import threading
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

Records = list[str] | None


class DnsServer:
    """zones: {"nec.example": ["10 mx1.nec.example.", …]}; an empty list is a domain without MX, None a server that is silent.
    What is not in the table does not exist. more: {("mx1.nec.example", "A"): ["203.0.113.1"], …}, and there None is a failure.
    signed: the names of which every answer bears the mark of DNSSEC."""

    def __init__(self, zones: dict[str, Records], more: dict[tuple[str, str], Records] | None = None) -> None:
        self.zones, self.more, self.signed = zones, more or {}, set[str]()
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
            self._socket.sendto(self._answer(dns.message.from_wire(asked)).to_wire(), client)

    def _answer(self, question: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(question)
        name, kind = str(question.question[0].name).rstrip("."), dns.rdatatype.to_text(question.question[0].rdtype)
        signed = name in self.signed
        alias = self.more.get((name, "CNAME"))
        if alias and kind != "CNAME":
            answer.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", "CNAME", *alias))
            name = alias[0].rstrip(".")
            signed = signed and name in self.signed
        answer.flags |= dns.flags.AD if signed else 0
        found = self._found(name, kind)
        if found is None:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif found == ["absent"]:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif found:
            answer.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", kind, *found))
        return answer

    def _found(self, name: str, kind: str) -> Records:
        if (name, kind) in self.more:
            return self.more[name, kind]
        if name in self.zones:
            return self.zones[name] if kind == "MX" or self.zones[name] is None else []
        return [] if any(known == name for known, _ in self.more) else ["absent"]
