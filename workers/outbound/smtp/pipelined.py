"""One SMTP connection inside the selector loop: commands pipelined where the server offers it (RFC 2920).

The write that ends one text carries the next envelope. The protocol is a queue of what each coming reply answers; nothing here
waits, knows the database, or decides whether a text may go: `text_ready` asks for that.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable

from service.text.email_addresses import domain
from workers.outbound.smtp import smtp_replies
from workers.outbound.smtp.outcome import Answer, Copy
from workers.outbound.smtp.smtp_replies import Command, readable
from workers.outbound.smtp.trouble import ENDED, OUT_OF_STEP

COMMAND_SECONDS = 300
TEXT_SECONDS = 900
"""RFC 5321 §4.5.3.2: at least 5 minutes for a command's reply, 10 for the one after the text."""
WHOLE_TURN = deque([".", "MAIL", "RCPT", "DATA"])
ALL_WELL = re.compile(rb"250 ([^\r\n]*)\r\n250 [^\r\n]*\r\n250 [^\r\n]*\r\n354 [^\r\n]*\r\n\Z")
BUSY = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Pipe:
    """Opened, greeted and authenticated before it comes here; `sock` does not block."""

    def __init__(
        self, sock: socket.socket, *, pipelining: bool, smtputf8: bool = False, command_seconds: float = COMMAND_SECONDS
    ) -> None:
        sock.setblocking(False)
        self.sock, self.pipelining, self.smtputf8, self.command_seconds = sock, pipelining, smtputf8, command_seconds
        self.awaited: deque[str] = deque()
        self.commands: list[tuple[str, bytes]] = []
        self.current: Copy | None = None  # its envelope is under way
        self.sent: Copy | None = None  # its text has left; the final answer is awaited
        self.refusal: tuple[Command, int, str] | None = None
        self.text_ready = self.soiled = self.closed = False
        self.keeps_step = self.stumbled = False
        """Whether commands that were sent together have all been answered once; whether an answer fitted none of them."""
        self.unsent = self.unread = b""
        self.lines: list[bytes] = []
        self.since = time.monotonic()
        self.ended = ENDED

    @property
    def idle(self) -> bool:
        return not (self.closed or self.awaited or self.current or self.sent or self.unsent)

    @property
    def domains(self) -> set[str]:
        """The receiving domains that it writes to now."""
        return {domain(copy.recipient) for copy in (self.current, self.sent) if copy is not None}

    @property
    def late(self) -> bool:
        """Whether the server has kept us waiting for longer than the RFC asks us to wait."""
        patience = TEXT_SECONDS if self.awaited and self.awaited[0] == "." else self.command_seconds
        return bool(self.awaited or self.unsent) and time.monotonic() - self.since > patience

    def start(self, copy: Copy) -> None:
        """Sends an envelope."""
        self._envelope(copy)
        self._send(self._next())

    def send_text(self, copy_after: Copy | None) -> None:
        """Sends the text that the server asked for, and the next envelope behind it."""
        assert self.current is not None
        text = self.current.content + b".\r\n"
        self.text_ready, self.sent, self.current = False, self.current, None
        self.awaited.append(".")
        if copy_after is not None:
            self._envelope(copy_after)
        self._send(text + (self._next() if self.pipelining else b""))

    def _envelope(self, copy: Copy) -> None:
        self.current, self.refusal = copy, None
        options = "" if copy.recipient.isascii() else " SMTPUTF8 BODY=8BITMIME"
        self.commands += [
            ("MAIL", f"MAIL FROM:<{copy.sender}>{options}\r\n".encode()),
            ("RCPT", f"RCPT TO:<{copy.recipient}>\r\n".encode()),
            ("DATA", b"DATA\r\n"),
        ]
        if self.soiled:  # the transaction that was refused is still open (RFC 5321 §4.1.4)
            self.commands.insert(0, ("RSET", b"RSET\r\n"))
            self.soiled = False

    def _next(self) -> bytes:
        """The commands that may leave now: all of them, or one at a time where the server cannot pipeline."""
        due = len(self.commands) if self.pipelining else 0 if self.awaited else 1
        taken, self.commands = self.commands[:due], self.commands[due:]
        self.awaited.extend([name for name, _ in taken])
        return b"".join([command for _, command in taken])

    def _send(self, data: bytes) -> None:
        if not self.unsent:
            self.since = time.monotonic()
        self.unsent += data
        self.write()

    def write(self) -> None:
        """Hands the kernel what it takes. A connection that is gone is closed; its answers are drawn by `lost`."""
        try:
            while self.unsent:
                self.unsent = self.unsent[self.sock.send(self.unsent) :]
        except BUSY:
            pass
        except OSError:
            self.close()

    def read(self) -> list[Answer]:
        """Takes in what the server said; returns the messages that this settles."""
        try:
            data = self.sock.recv(65536)
            while isinstance(self.sock, ssl.SSLSocket) and self.sock.pending():
                data += self.sock.recv(65536)
        except BUSY:
            return []
        except OSError:
            data = b""
        if not data:
            self.close()
        if self.sent is not None and not self.unread and (all_well := ALL_WELL.match(data)) and self.awaited == WHOLE_TURN:
            return self._whole_turn(all_well[1])
        lines = (self.unread + data).split(b"\n")
        self.unread = lines.pop()
        if len(self.unread) > 4096 or len(self.lines) > 100:  # no reply line is that long (RFC 5321 §4.5.3.1.5)
            self.close()
        answers: list[Answer] = []
        for line in lines:
            self.lines.append(line.rstrip(b"\r"))
            if line[3:4] != b"-" and not self._reply(answers):
                break
        return answers + (self.lost() if self.closed else [])

    def _whole_turn(self, said: bytes) -> list[Answer]:
        """The usual case at once: the text is taken, and the next envelope too; the text behind it may leave."""
        sent, self.sent = self.sent, None
        assert sent is not None
        self.awaited.clear()
        self.since, self.text_ready, self.keeps_step = time.monotonic(), True, True
        return [Answer(sent.message_id, "accepted", 250, readable(said))]

    def _reply(self, answers: list[Answer]) -> bool:
        """Handles one whole reply; False, and closed, where it makes no sense or says goodbye."""
        first, text = self.lines[-1][:3], readable(b" ".join(line[4:].strip() for line in self.lines).strip())
        self.lines.clear()
        if not self.awaited or not first.isdigit():
            self.close()
            return False
        self.since = time.monotonic()
        code, what = int(first), self.awaited.popleft()
        answer = HANDLERS[what](self, code, text)
        if answer is not None:
            answers.append(answer)
        if code == 421:  # RFC 5321 §3.8: the server closes the channel
            self.close()
            return False
        if not self.pipelining and not self.awaited and self.commands and not self.closed:
            self._send(self._next())
        return not self.closed

    def _on_mail(self, code: int, text: str) -> None:
        self._on_envelope("MAIL FROM", code, text)

    def _on_recipient(self, code: int, text: str) -> None:
        self._on_envelope("RCPT TO", code, text)

    def _on_envelope(self, command: Command, code: int, text: str) -> None:
        if not 200 <= code < 300 and self.refusal is None:
            self.refusal = command, code, text

    def _on_data(self, code: int, text: str) -> Answer | None:
        copy = self.current
        assert copy is not None
        if code == 354 and self.refusal is None:
            self.text_ready = True
            return None
        answer = self._answer(copy, *(self.refusal or ("DATA", code, text)))
        self.current, self.soiled = None, True
        if answer.verdict == "unreachable" and answer.code != smtp_replies.CLOSING:
            self.stumbled = True
            self.close()  # nobody knows any more what is answered
        elif code == 354:  # it takes a text for nobody: an empty one, whose answer does not matter (RFC 2920 §3.1)
            self.awaited.append("empty")
            self._send(b".\r\n")
        return answer

    def _on_text(self, code: int, text: str) -> Answer:
        copy, self.sent = self.sent, None
        assert copy is not None
        return self._answer(copy, "end of DATA", code, text)

    def _answer(self, copy: Copy, command: Command, code: int, text: str) -> Answer:
        verdict, concern = smtp_replies.understand(command, code, text, extended=not copy.recipient.isascii())
        if code < 400 and verdict != "accepted":
            return Answer(copy.message_id, verdict, None, OUT_OF_STEP, concern)
        return Answer(copy.message_id, verdict, code, smtp_replies.with_command(command, code, text), concern)

    def _on_nothing(self, _code: int, _text: str) -> None:
        """A reply that decides nothing."""

    def lost(self) -> list[Answer]:
        """What a connection that is gone leaves behind: a text without its answer, an envelope that never counted."""
        answers = []
        if self.sent is not None:
            answers.append(Answer(self.sent.message_id, "lost", None, f"{self.ended}, before the final answer", "server"))
        if self.current is not None:
            unheard = Answer(self.current.message_id, "unreachable", None, self.ended, "server")
            answers.append(self._answer(self.current, *self.refusal) if self.refusal else unheard)
        self.sent = self.current = None
        return answers

    def close(self) -> None:
        self.closed = True
        self.text_ready = False
        self.sock.close()


HANDLERS: dict[str, Callable[[Pipe, int, str], Answer | None]] = {
    "MAIL": Pipe._on_mail, "RCPT": Pipe._on_recipient, "DATA": Pipe._on_data, ".": Pipe._on_text,
    "empty": Pipe._on_nothing, "RSET": Pipe._on_nothing,
}  # fmt: skip
