"""An official's domain that publishes how its mail servers are to be spoken to, and what came of a letter there."""

from __future__ import annotations

import json
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sqlalchemy import select

from service.models import Evidence, Message
from tests.support.servers.dns_server import DnsServer
from tests.support.servers.three_servers import publish
from tests.support.world import World

DOMAIN, MX = "own.example", "mx.own.example"
TLSA, POLICY = (f"_25._tcp.{MX}", "TLSA"), (f"_mta-sts.{DOMAIN}", "TXT")
NOT_AS_PUBLISHED = "the server is not encrypted as its domain demands (DANE, MTA-STS)"
ENFORCED = f"version: STSv1\r\nmode: enforce\r\nmx: {MX}\r\nmax_age: 86400\r\n"


@dataclass
class Site:
    """https://mta-sts.own.example, which hands out a file."""

    tls: ssl.SSLContext
    text: str = ENFORCED
    status: int = 200
    kind: str = "text/plain"
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                self.send_response(site.status)
                self.send_header("Content-Type", site.kind)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", str(len(site.text.encode())))
                self.end_headers()
                self.wfile.write(site.text.encode())

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = self.tls.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


def certified_as(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("certified", names, indirect=True)


def serve(world: World) -> Message:
    publish({"Leader": DOMAIN})
    world.work()
    [message] = world.rows(select(Message).where(Message.kind == "serving"))
    return message


def said_of_the_last(world: World) -> dict[str, object]:
    found: dict[str, object] = json.loads(world.rows(select(Evidence.record).order_by(Evidence.number))[-1])
    return found


def sign_all(names: DnsServer) -> None:
    names.signed |= {DOMAIN, MX, TLSA[0]}
