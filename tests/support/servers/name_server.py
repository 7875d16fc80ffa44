"""A real name server for tests: TXT and A records over UDP, and silence where it is told to be silent."""

from __future__ import annotations

import socket
import threading

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


class NameServer:
    """Answers for the names that it was given; every other name is none."""

    def __init__(self, texts: dict[str, list[str]], *, hosts: dict[str, str] | None = None, silent: bool = False) -> None:
        self.texts, self.hosts, self.silent, self.asked = texts, hosts or {}, silent, 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> NameServer:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.sendto(b"", self.socket.getsockname())
        self.thread.join(5)
        self.socket.close()

    def _serve(self) -> None:
        while True:
            asked, peer = self.socket.recvfrom(4096)
            if not asked:
                return
            self.asked += 1
            if not self.silent:
                self.socket.sendto(self._answer(dns.message.from_wire(asked)), peer)

    def _answer(self, query: dns.message.Message) -> bytes:
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA | dns.flags.RA
        name = query.question[0].name
        found = self.texts.get(name.to_text(omit_final_dot=True))
        if address := self.hosts.get(name.to_text(omit_final_dot=True)):
            if query.question[0].rdtype == dns.rdatatype.from_text("AAAA" if ":" in address else "A"):
                response.answer.append(dns.rrset.from_text(name, 60, "IN", "AAAA" if ":" in address else "A", address))
        elif found is None:
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif found:
            quoted = [" ".join(f'"{text[at : at + 250]}"' for at in range(0, len(text), 250)) for text in found]
            response.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", *quoted))
        return response.to_wire()
