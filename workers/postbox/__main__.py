"""Start the postbox: `python -m workers.postbox`. Reads POSTBOX_SMTP_PORT, POSTBOX_PORT and VAR_DIR."""

import logging
import os
import signal
import socket
import sqlite3
import sys
from pathlib import Path
from threading import Thread

from werkzeug.serving import make_server

from workers.postbox.smtp import receiver
from workers.postbox.store import Store
from workers.postbox.web import create_app

HOST = "127.0.0.1"
STOP = {signal.SIGTERM, signal.SIGINT}


def main() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    mail, pages = listen("POSTBOX_SMTP_PORT", 1025), listen("POSTBOX_PORT", 8025)
    store = open_store(Path(os.environ.get("VAR_DIR") or "var"))
    serve_pages(store, pages)
    receiver(store, mail).start()
    print(f"Postbox: mail to {address(mail)}, pages at http://{address(pages)}/", file=sys.stderr, flush=True)
    # Both servers run in daemon threads and end with the process: whatever was answered with 250 is already committed.
    signal.sigwait(STOP)


def listen(name: str, default: int) -> socket.socket:
    port = os.environ.get(name) or str(default)
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        sys.exit(f"Postbox: {name} must be a port from 1 to 65535, not {port!r}.")
    try:
        return socket.create_server((HOST, int(port)))
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        sys.exit(f"Postbox: cannot listen on {HOST}:{port} ({reason}); set {name} to a free port.")


def open_store(folder: Path) -> Store:
    try:
        return Store(folder / "postbox.db")
    except (OSError, sqlite3.Error) as error:
        sys.exit(f"Postbox: cannot keep mail in {folder} ({error}); set VAR_DIR to a folder that can be written.")


def serve_pages(store: Store, listener: socket.socket) -> None:
    host, port = listener.getsockname()
    server = make_server(host, port, create_app(store), threaded=True, fd=listener.fileno())
    Thread(target=server.serve_forever, name="pages", daemon=True).start()


def address(listener: socket.socket) -> str:
    host, port = listener.getsockname()
    return f"{host}:{port}"


if __name__ == "__main__":
    main()
