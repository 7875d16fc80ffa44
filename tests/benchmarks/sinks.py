"""What takes the mail: Debian's smtp-sink, and a sink that delays each of its writes."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.conftest import free_port


class Missing(RuntimeError):
    """A program that a figure needs is not installed."""


def program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise Missing(f"{name} is not installed (Debian's package postfix has it)")
    return found


def children_cpu(pid: int) -> float:
    """Seconds of CPU of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def smtp_sink() -> Iterator[int]:
    """Debian's smtp-sink, which takes everything and keeps nothing; its port."""
    port = free_port()
    user = ["-u", "postfix"] if os.getuid() == 0 else []
    process = subprocess.Popen([program("smtp-sink"), *user, f"127.0.0.1:{port}", "1000"], stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def late_sink(seconds: float) -> Iterator[int]:
    """A sink that waits so long before each of its writes, as a server far away does; offers PIPELINING."""
    port, loop = free_port(), asyncio.new_event_loop()
    started = threading.Event()

    async def serve() -> None:
        server = await asyncio.start_server(
            lambda reader, writer: _talk(reader, writer, seconds), "127.0.0.1", port, backlog=200
        )
        started.set()
        async with server:
            await server.serve_forever()

    task = loop.create_task(serve())
    thread = threading.Thread(target=_run, args=(loop, task), daemon=True)
    thread.start()
    started.wait(10)
    yield port
    loop.call_soon_threadsafe(task.cancel)
    thread.join(10)


def _run(loop: asyncio.AbstractEventLoop, task: asyncio.Task[None]) -> None:
    with suppress(asyncio.CancelledError):
        loop.run_until_complete(task)


async def _talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    """Answers everything that came in one read with one late write."""
    await asyncio.sleep(seconds)
    writer.write(b"220 late.example\r\n")
    rest, in_text = b"", False
    while data := await reader.read(65536):
        rest, in_text, answers = _answers(rest + data, in_text)
        if answers:
            await asyncio.sleep(seconds)
            writer.write(answers)
    writer.close()


def _answers(data: bytes, in_text: bool) -> tuple[bytes, bool, bytes]:
    answers = b""
    while True:
        end = data.find(b"\r\n.\r\n" if in_text else b"\r\n")
        if end < 0:
            return data, in_text, answers
        line, data = data[:end], data[end + (5 if in_text else 2) :]
        if in_text:
            in_text, answers = False, answers + b"250 taken\r\n"
        elif line[:4].upper() == b"EHLO":
            answers += b"250-late.example\r\n250 PIPELINING\r\n"
        elif line.upper() == b"DATA":
            in_text, answers = True, answers + b"354 go on\r\n"
        else:
            answers += b"250 ok\r\n"
