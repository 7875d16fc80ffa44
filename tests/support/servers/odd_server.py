"""A mail server that is odder than `SmtpServer` can say: it resets connections, talks without an end, loses what is pipelined.

The same script, with a few more acts:

    OddServer().will("RCPT", RESET).always("EHLO", ENDLESS)
"""

from __future__ import annotations

import contextlib
import socket
import struct

from tests.support.servers.smtp_server import Act, Conversation, HangUp, SmtpServer

RESET = Act("", then="reset")
"""The connection is reset (RST), not closed."""
ENDLESS = Act("", then="go on for ever")
"""A reply of lines that each promise another one."""
LONG_LINE = Act("250 " + "x" * 100_000)
NO_TLS = Act("220 2.0.0 go ahead", then="no TLS")
"""STARTTLS is taken, and what follows is none."""
RESET_AT_ONCE = struct.pack("ii", 1, 0)


class OddConversation(Conversation):
    server: OddServer

    def _act(self, name: str, usual: str) -> str:
        said = super()._act(name, usual)
        if name in self.server.loses_after:
            self._lose()
        return said

    def _do(self, act: Act, usual: str) -> str:
        match act.then:
            case "reset":
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_ONCE)
                self.file.close()
                self.socket.close()
                raise HangUp
            case "go on for ever":
                while not self.server.over.is_set():
                    self.socket.sendall(b"250-and another thing\r\n" * 100)
            case "no TLS":
                self._say(str(act.reply), 0)
                self.socket.recv(4096)
                raise HangUp
        return super()._do(act, usual)

    def _say(self, reply: str, drip: float) -> None:
        """Words that are no UTF-8 are written as surrogates: "Bo\\udceete"."""
        if any("\udc80" <= letter <= "\udcff" for letter in reply):
            self.socket.sendall(f"{reply}\r\n".encode("utf-8", "surrogateescape"))
        else:
            super()._say(reply, drip)

    def _lose(self) -> None:
        """What came together with this command is never seen."""
        self.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while self.file.peek(1):  # type: ignore[attr-defined]
                self.file.read1(65536)  # type: ignore[attr-defined]
        self.socket.setblocking(True)


class OddServer(SmtpServer):
    """`loses_after`: commands behind which it forgets whatever has come already, though it offers PIPELINING."""

    def __init__(self, port: int = 0, *, loses_after: tuple[str, ...] = (), pipelining: bool = True) -> None:
        self.loses_after = loses_after
        super().__init__(port, pipelining=pipelining)

    def _serve(self, connection: socket.socket) -> None:
        try:
            OddConversation(self, connection).run()
        except (OSError, HangUp, ValueError):  # ValueError: the file of a connection that was reset
            pass
        finally:
            connection.close()
