"""Whether the pages stay while 500 connections are silent, or send a byte of their request now and then.

`python -m tests.benchmarks.slow_clients` starts the web server as the Procfile does, on loopback, with a folder of its own, and
prints how long a page takes: alone, beside 500 silent connections, beside 500 dripping ones; "inf" for one that never came.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

from tests.conftest import ROOT, free_port, wait_until

CONNECTIONS = 500
PATIENCE_SECONDS = 5
PAGES = 5
HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: "


def page(port: int) -> float:
    began = time.monotonic()
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=PATIENCE_SECONDS) as answer:
            answer.read()
    except OSError:
        return float("inf")
    return time.monotonic() - began


def measure(port: int, what: str) -> None:
    times = sorted(page(port) for _ in range(PAGES))
    print(f"{what:>24}: median {statistics.median(times) * 1_000:8.1f} ms, slowest {times[-1] * 1_000:8.1f} ms", flush=True)


def beside(port: int, what: str, *, dripping: bool) -> None:
    connections = []
    for _ in range(CONNECTIONS):
        one = socket.create_connection(("127.0.0.1", port), 10)
        if dripping:
            one.sendall(HEAD)
        connections.append(one)
    over = threading.Event()

    def drip() -> None:
        while not over.wait(1):
            for one in connections:
                try:
                    one.sendall(b"x")
                except OSError:  # let go by the server, as it should
                    continue

    thread = threading.Thread(target=drip, daemon=True)
    if dripping:
        thread.start()
        time.sleep(2)
    measure(port, what)
    over.set()
    for one in connections:
        one.close()


def main() -> None:
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"VAR_DIR": folder, "WEB_PORT": str(port), "REDIS_URL": "redis://127.0.0.1:9/0"}
        subprocess.run([sys.executable, "-m", "flask", "--app", "wsgi", "migrate"], cwd=ROOT, env=environment, check=True)
        command = [sys.executable, "-m", "gunicorn", "wsgi:app", "--config", "service/web/gunicorn.py"]
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: page(port) < 5)
            measure(port, "alone")
            beside(port, f"{CONNECTIONS} silent", dripping=False)
            beside(port, f"{CONNECTIONS} dripping", dripping=True)
        finally:
            server.terminate()
            server.wait(20)


if __name__ == "__main__":
    main()
