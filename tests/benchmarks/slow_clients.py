"""Whether the pages stay while 500 connections are silent, drip their head or their form, or read their answer byte by byte.

`python -m tests.benchmarks.slow_clients` starts the web server as the Procfile does, on loopback, with a folder of its own, and
prints how long a page takes: alone, and beside each kind; "inf" for one that never came; and how much memory the server has.
"""

from __future__ import annotations

import os
import shlex
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tests.conftest import ROOT, free_port, wait_until

CONNECTIONS = 500
PATIENCE_SECONDS = 5
PAGES = 100
HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
KINDS: dict[str, tuple[bytes, bytes]] = {
    "silent": (b"", b""),
    "dripping a head": (HEAD + b"X-Long: ", b"x"),
    "dripping a form": (b"POST /manage HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n\r\n", b"x"),
    "reading byte by byte": (b"GET /static/style.css HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20, b""),
}
"""What a connection sends at first, and then each second."""


def page(port: int) -> float:
    """Seconds; infinite where it never came."""
    began = time.monotonic()
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=PATIENCE_SECONDS) as answer:
            answer.read()
    except OSError:
        return float("inf")
    return time.monotonic() - began


def measure(port: int, what: str, pid: int) -> list[float]:
    times = sorted(page(port) for _ in range(PAGES))
    memory = sum(int(path.read_text().split()[1]) for path in _processes(pid)) * 4 // 1024
    late = times[PAGES * 99 // 100]
    print(
        f"{what:>26}: median {statistics.median(times) * 1_000:7.1f} ms, 99 % within {late * 1_000:8.1f} ms, "
        f"server {memory:,} MB", flush=True,
    )  # fmt: skip
    return times


def _processes(pid: int) -> list[Path]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [Path(f"/proc/{one}/statm") for one in [str(pid), *children]]


@contextmanager
def beside(port: int, first: bytes, then: bytes, connections: int = CONNECTIONS) -> Iterator[list[socket.socket]]:
    """So many connections of a kind, until the end of `with`."""
    opened = []
    for _ in range(connections):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        one.settimeout(10)
        one.connect(("127.0.0.1", port))
        one.sendall(first)
        opened.append(one)
    over = threading.Event()

    def drip() -> None:
        while not over.wait(1):
            for one in opened:
                try:
                    if then:
                        one.sendall(then)
                    elif first:
                        one.recv(1)
                except OSError:  # let go by the server, as it should
                    continue

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    try:
        yield opened
    finally:
        over.set()
        thread.join(20)
        for one in opened:
            one.close()


@contextmanager
def web_server(log: int | IO[bytes] = subprocess.DEVNULL) -> Iterator[tuple[int, int]]:
    """Its port and its process; what it says goes to `log`."""
    port = free_port()
    line = next(line for line in (ROOT / "Procfile").read_text().splitlines() if line.startswith("web: "))
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"VAR_DIR": folder, "WEB_PORT": str(port), "REDIS_URL": "redis://127.0.0.1:9/0"}
        subprocess.run([sys.executable, "-m", "flask", "--app", "wsgi", "migrate"], cwd=ROOT, env=environment, check=True)
        command = [sys.executable, "-m", *shlex.split(line.removeprefix("web: "))]
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=log)
        try:
            wait_until(lambda: page(port) < PATIENCE_SECONDS, 30)
            yield port, server.pid
        finally:
            server.terminate()
            server.wait(20)


def main() -> None:
    with web_server() as (port, pid):
        measure(port, "alone", pid)
        for kind, (first, then) in KINDS.items():
            with beside(port, first, then):
                time.sleep(2)
                measure(port, f"{CONNECTIONS} {kind}", pid)


if __name__ == "__main__":
    main()
