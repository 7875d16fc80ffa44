"""The web server as the Procfile starts it: stays beside those who are slow, and refuses what could be read twice."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from service.web.requests_in import LARGEST, MOST_LARGE, Request, organisers_cookie
from service.web.worker import LONGEST_HEAD
from tests.benchmarks.slow_clients import CONNECTIONS, KINDS, beside, page, web_server
from tests.conftest import wait_until
from tests.support.people import OLIVE
from tests.support.world import World

HOST = b"Host: localhost\r\n"
TWICE = b"POST /manage HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n"
REFUSED: dict[str, tuple[bytes, int]] = {
    "two ways to its length": (TWICE + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "two ways, the other first": (
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + HOST + b"Content-Length: 5\r\n\r\n0\r\n\r\n", 400
    ),
    "chunks in HTTP/1.0": (b"POST / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "two lengths": (TWICE + b"Content-Length: 6\r\n\r\n12345", 400),
    "a length with a sign": (TWICE.replace(b"5", b"+5") + b"\r\n12345", 400),
    "another coding": (TWICE.replace(b"Content-Length: 5", b"Transfer-Encoding: gzip, chunked") + b"\r\n0\r\n\r\n", 501),
    "a folded header": (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n", 400),
    "a NUL": (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n\r\n", 400),
    "a bare LF": (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\nY: b\r\n\r\n", 400),
    "a space before the colon": (b"GET / HTTP/1.1\r\n" + HOST + b"X : a\r\n\r\n", 400),
    "a bad chunk": (TWICE.replace(b"Content-Length: 5", b"Transfer-Encoding: chunked") + b"\r\nzz\r\n", 400),
    "a head without end": ((b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * LONGEST_HEAD)[:LONGEST_HEAD], 431),
    "a form without end": (TWICE.replace(b"5", b"%d" % (LARGEST + 1)) + b"\r\n", 413),
    "a file of people by a stranger": (
        b"POST /organise/imports HTTP/1.1\r\n" + HOST + b"Content-Length: 9000000\r\nCookie: undersigned=x\r\n\r\n", 413
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    with web_server() as (port, _):
        yield port


def said(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(request)
        answer = b""
        while part := connection.recv(4096):
            answer += part
            if b"\r\n\r\n" in answer:
                break
        return answer


def test_a_process_that_is_asked_to_end_many_times_ends_once(tmp_path: Path) -> None:
    """By its master, and by a supervisor that asks the whole group; while it ends, too. Others take its place each time."""
    asked = set()
    with (tmp_path / "log").open("wb") as log, web_server(log) as (port, master):
        until = time.monotonic() + 60
        while len(asked) < 16 and time.monotonic() < until:
            wait_until(lambda: page(port) < float("inf"))
            children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
            asked |= {*children}
            while any(Path(f"/proc/{number}").exists() for number in children):
                for number in children:
                    with suppress(ProcessLookupError):
                        os.kill(int(number), signal.SIGTERM)
    assert len(asked) >= 16
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_pages_come_beside_500_slow_connections(server: int, kind: str) -> None:
    with beside(server, *KINDS[kind]) as connections:
        assert len(connections) == CONNECTIONS
        for _ in range(20):
            assert page(server) < float("inf")


@pytest.mark.parametrize(("request_in", "status"), REFUSED.values(), ids=REFUSED)
def test_what_could_be_read_in_two_ways_or_has_no_end_is_refused(server: int, request_in: bytes, status: int) -> None:
    answer = said(server, request_in)
    assert answer.split()[1] == b"%d" % status
    assert b"Connection: close" in answer


def test_the_server_says_nothing_of_itself(server: int) -> None:
    answer = said(server, b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert not re.search(rb"(?i)server:|waitress|gunicorn", answer)


def test_a_letter_to_be_verified_may_be_larger_than_a_form(server: int) -> None:
    with socket.create_connection(("127.0.0.1", server), 10) as connection:
        connection.sendall(b"POST /verify HTTP/1.1\r\n" + HOST + b"Content-Length: 900000\r\n\r\n" + b"x" * 900_000)
        assert b" 413 " not in connection.recv(4096).split(b"\r\n")[0]


def begun(head: bytes) -> Request:
    request = Request(
        SimpleNamespace(max_request_header_size=9_999, max_request_body_size=0, inbuf_overflow=9, url_scheme="http")
    )
    request.received(head)
    return request


def test_what_drips_is_let_go_and_what_flows_is_not() -> None:
    request = begun(b"POST /verify HTTP/1.1\r\nContent-Length: 30000000\r\n\r\n")
    assert not request.is_late(time.monotonic() + 29)
    assert request.is_late(time.monotonic() + 31)
    request.received(b"x" * 90_000)
    assert not request.is_late(time.monotonic() + 100)
    assert request.is_late(time.monotonic() + 130)


def test_few_large_requests_are_taken_in_at_a_time() -> None:
    head = b"POST /verify HTTP/1.1\r\nContent-Length: 30000000\r\n\r\n"
    large = [begun(head) for _ in range(MOST_LARGE)]
    assert not any(request.error for request in large)
    assert begun(head).error.code == 413
    large.pop()
    assert begun(head).error is None


def test_an_organiser_may_send_a_file_of_people(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.add_organisers()
    browser = world.sign_in(OLIVE)
    cookie = browser.get_cookie("undersigned")
    assert cookie is not None
    monkeypatch.setattr(Request, "is_organiser", staticmethod(organisers_cookie(world.app)))
    for value, code in ((cookie.value, None), (cookie.value[:-2] + "xx", 413), ("", 413)):
        head = f"POST /organise/imports HTTP/1.1\r\nContent-Length: 9000000\r\nCookie: a=b; undersigned={value}\r\n\r\n"
        assert getattr(begun(head.encode()).error, "code", None) == code
    assert begun(b"POST /organise/imports HTTP/1.1\r\nContent-Length: 9000000\r\nCookie: \xff;;\x80=\r\n\r\n").error.code == 413
