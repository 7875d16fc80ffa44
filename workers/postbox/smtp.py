"""Take mail from programs on this machine. A 250 after DATA means that the message is committed."""

import socket
import sqlite3
from asyncio import AbstractServer
from collections.abc import Coroutine
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from workers.postbox.letter import wire_text
from workers.postbox.store import Store

SIZE_LIMIT = 32 * 1024 * 1024


class Receiver:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        recipients = [wire_text(address) for address in envelope.rcpt_tos if address]
        try:
            self._store.add(sender(envelope), recipients, envelope.original_content or b"")
        except sqlite3.Error as error:
            return f"451 4.3.0 The postbox could not store this message: {error}"
        return "250 2.0.0 In the postbox"


def sender(envelope: Envelope) -> str:
    """The envelope sender, empty for the null path of bounces, which aiosmtpd spells <>."""
    return "" if envelope.mail_from in (None, "<>") else wire_text(envelope.mail_from or "")


class Door(Controller):
    """Listens on a socket that is open already: a port that is taken would cost aiosmtpd five seconds to notice."""

    listener: socket.socket

    def _create_server(self) -> Coroutine[Any, Any, AbstractServer]:
        return self.loop.create_server(self._factory_invoker, sock=self.listener)


def receiver(store: Store, listener: socket.socket) -> Controller:
    host, port = listener.getsockname()
    # Without a name of its own aiosmtpd asks DNS for one on every connection, which hangs on a machine without network.
    door = Door(
        Receiver(store),
        hostname=host,
        port=port,
        server_hostname="localhost",
        ident="Undersigned postbox",
        data_size_limit=SIZE_LIMIT,
        enable_SMTPUTF8=True,
    )
    door.listener = listener
    return door
