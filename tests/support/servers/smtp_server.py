"""A mail server that does as a script says: refuses, stalls, hangs up, answers late, twice or byte by byte, breaks TLS.

    with SmtpServer() as server:
        server.will("RCPT", answer("451 4.7.1 come back later"), answer("550 5.1.1 unknown"))
        server.will(".", DROP)          # the text is taken, the final answer never comes
        assert [taken.recipients for taken in server.taken] == …

Commands are named as a client says them (`MAIL`, `RCPT`, …; `RCPT a.example`: of that domain), `connect` and `.` have no name.
Each act answers one such command; when they are used up, the server does what servers do (RFC 5321). `always` repeats one.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import IO, Self

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Act:
    """What happens in place of the usual answer. `reply` None: the usual one; empty: none at all."""

    reply: str | None = None
    late: float = 0.0
    """Seconds before the answer."""
    drip: float = 0.0
    """Seconds between two bytes of the answer."""
    extra: str = ""
    """A reply that nobody asked for, right behind."""
    then: str = "go on"
    """go on | drop: hang up | stall: say nothing more on this connection."""


def answer(reply: str) -> Act:
    return Act(reply)


DROP = Act("", then="drop")
STALL = Act("", then="stall")


@dataclass
class Taken:
    """A text that came in up to its final dot, with its envelope; `reply` is what the client was told, empty if nothing."""

    sender: str
    recipients: list[str]
    content: bytes
    at: float
    reply: str = ""

    @property
    def accepted(self) -> bool:
        return self.reply.startswith("2")


@dataclass
class Line:
    """One connection: the commands that came in on it, and whether TLS was made."""

    commands: list[str] = field(default_factory=list)
    tls: bool = False


class SmtpServer:
    """Listens from `with` to its end; `close` and another server on the same `port` are a relay that was away."""

    def __init__(
        self, port: int = 0, *, tls: ssl.SSLContext | None = None, implicit: bool = False, pipelining: bool = True
    ) -> None:  # fmt: skip
        """`tls` offers STARTTLS, or with `implicit` speaks TLS from the first byte; without it STARTTLS is not offered."""
        self.tls, self.implicit = tls, implicit
        optional = {"PIPELINING": pipelining, "STARTTLS": tls is not None and not implicit}
        self.offered = ["8BITMIME", "SMTPUTF8", *(word for word, offered in optional.items() if offered)]
        self.taken: list[Taken] = []
        self.lines: list[Line] = []
        self._acts: dict[str, deque[Act]] = defaultdict(deque)
        self._always: dict[str, Act] = {}
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.over = threading.Event()
        self._listener = socket.create_server((HOST, port))
        self.port: int = self._listener.getsockname()[1]

    def will(self, command: str, *acts: Act) -> Self:
        self._acts[command].extend(acts)
        return self

    def always(self, command: str, act: Act | None) -> Self:
        """The act for every such command for which no other is left; None takes it back."""
        if act is None:
            self._always.pop(command, None)
        else:
            self._always[command] = act
        return self

    def next_act(self, *names: str) -> Act:
        acts = next((self._acts[name] for name in names if self._acts[name]), None)
        return acts.popleft() if acts else self._always.get(names[-1], Act())

    @property
    def commands(self) -> list[str]:
        """Every command line of every connection, in the order of connections."""
        return [command for line in self.lines for command in line.commands]

    def __enter__(self) -> Self:
        self._start(self._listen)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stops listening and hangs up on everybody."""
        self.over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def _start(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while not self.over.is_set() and (connection := self._listener.accept()[0]):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._sockets.append(connection)
                self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        try:
            Conversation(self, connection).run()
        except (OSError, HangUp):  # ssl.SSLError among them: the client does not like our certificate
            pass
        finally:
            connection.close()


class HangUp(Exception): ...


class Conversation:
    """The server's side of one connection."""

    def __init__(self, server: SmtpServer, connection: socket.socket) -> None:
        self.server, self.socket = server, connection
        self.line = Line()
        server.lines.append(self.line)
        self.file: IO[bytes] = connection.makefile("rb")
        self.sender: str | None = None
        self.recipients: list[str] = []

    def run(self) -> None:
        if self.server.implicit:
            self._secure()
        self._act("connect", "220 relay.example ESMTP")
        while raw := self.file.readline():
            command = raw.decode("utf-8", "replace").rstrip("\r\n")
            self.line.commands.append(command)
            verb = command.partition(" ")[0].upper()
            getattr(self, f"_{verb.lower()}", self._other)(verb, command)

    def _act(self, name: str, usual: str) -> str:
        """Does as the script says, or gives the usual answer; returns what was said. Raises HangUp."""
        return self._do(self.server.next_act(name), usual)

    def _do(self, act: Act, usual: str) -> str:
        self.server.over.wait(act.late)
        said = usual if act.reply is None else act.reply
        self._say("\r\n".join(filter(None, (said, act.extra))), act.drip)
        if act.then == "stall":
            self.server.over.wait()
        if act.then != "go on":
            raise HangUp
        return said

    def _say(self, reply: str, drip: float) -> None:
        content = f"{reply}\r\n".encode() if reply else b""
        for chunk in [content[at : at + 1] for at in range(len(content))] if drip else [content]:
            self.socket.sendall(chunk)
            self.server.over.wait(drip)

    def _secure(self) -> None:
        assert self.server.tls is not None
        self.socket = self.server.tls.wrap_socket(self.socket, server_side=True)
        self.server._sockets.append(self.socket)
        self.file = self.socket.makefile("rb")  # what was sent before the handshake is left behind (RFC 3207 §4.2)
        self.line.tls = True

    def _ehlo(self, verb: str, _command: str) -> None:
        offered = [word for word in self.server.offered if not (word == "STARTTLS" and self.line.tls)]
        words = ["relay.example", *offered]
        self._act(verb, "\r\n".join(f"250{' ' if word is words[-1] else '-'}{word}" for word in words))

    def _starttls(self, verb: str, _command: str) -> None:
        offered = self.server.tls is not None and not self.line.tls
        if self._act(verb, "220 2.0.0 go ahead" if offered else "502 5.5.1 not here").startswith("220") and offered:
            self._secure()

    def _mail(self, verb: str, command: str) -> None:
        if self._act(verb, "250 2.1.0 Ok").startswith("2"):
            self.sender, self.recipients = _address(command), []

    def _rcpt(self, verb: str, command: str) -> None:
        usual = "250 2.1.5 Ok" if self.sender is not None else "503 5.5.1 MAIL first"
        address = _address(command)
        if self._do(self.server.next_act(f"{verb} {address.rpartition('@')[2]}", verb), usual).startswith("2"):
            self.recipients.append(address)

    def _data(self, verb: str, _command: str) -> None:
        if not self._act(verb, "354 go ahead" if self.recipients else "503 5.5.1 no valid recipients").startswith("354"):
            return
        content = bytearray()
        while (raw := self.file.readline()) != b".\r\n":
            if not raw:
                raise HangUp
            content += raw[1:] if raw.startswith(b".") else raw
        taken = Taken(self.sender or "", self.recipients, bytes(content), time.time())
        self.server.taken.append(taken)
        self.sender, self.recipients = None, []
        taken.reply = self._act(".", f"250 2.0.0 Ok: queued as {len(self.server.taken)}")

    def _rset(self, verb: str, _command: str) -> None:
        self.sender, self.recipients = None, []
        self._act(verb, "250 2.0.0 Ok")

    def _quit(self, verb: str, _command: str) -> None:
        self._act(verb, "221 2.0.0 Bye")
        raise HangUp

    def _other(self, verb: str, _command: str) -> None:
        self._act(verb, {"HELO": "250 relay.example", "AUTH": "235 2.7.0 Ok"}.get(verb, "502 5.5.2 what?"))


def _address(command: str) -> str:
    return command.partition("<")[2].partition(">")[0]
