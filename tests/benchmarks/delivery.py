"""Delivery: messages a second, processor time, memory; 4 kB multipart, personalised, ledger included."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.benchmarks import peers
from tests.benchmarks.place import Place, dkim_key, fan_out, place
from tests.benchmarks.sinks import late_sink, smtp_sink

Figure = tuple[str, float, str]


def sent(where: Place, workers: int = 1) -> list[dict[str, Any]]:
    """Runs so many worker processes over the mailing; what each says at its end."""
    running = [where.run("tests.benchmarks.send", str(where.mailing_id)) for _ in range(workers)]
    said = [process.communicate()[0] for process in running]
    assert all(process.returncode == 0 for process in running), "a worker failed"
    return [json.loads(text) for text in said]


def measured(people: int, port: int, workers: int = 1, **settings: str) -> tuple[peers.Run, float]:
    """One mailing from its first to its last message, fan-out left out; and the largest worker's memory in MB."""
    with place(people, port, **settings) as where:
        fan_out(where.mailing_id)
        said = sent(where, workers)
    seconds = max(one["ended"] for one in said) - min(one["began"] for one in said)
    run = peers.Run(people, seconds, sum(one["cpu"] for one in said))
    return run, max(one["rss_mb"] for one in said)


def unsigned(_folder: Path) -> Iterator[Figure]:
    with smtp_sink() as port:
        flask = peers.flask_mail(port, 1_000)
        ours, _ = measured(50_000, port, MAIL_CONNECTIONS="4")
        source = peers.smtp_source(port, 100_000, 4)
    yield "unsigned_msgs_per_s", ours.rate, "1/s"
    yield "unsigned_vs_flaskmail", ours.rate / flask.rate, "ratio"
    yield "unsigned_vs_smtp_source", ours.rate / source.rate, "ratio"


def signed(folder: Path) -> Iterator[Figure]:
    path = dkim_key(folder)
    settings = {"DKIM_DOMAIN": "lists.example.org", "DKIM_SELECTOR": "bench", "DKIM_KEY_FILE": str(path)}
    with smtp_sink() as port:
        flask = peers.flask_mail(port, 150, path)
        for threads, name in ((1, "signed_vs_rsa_ceiling"), (2, "signed_vs_rsa_ceiling_two_threads")):
            ceiling = peers.rsa_ceiling(path, threads)
            ours, _ = measured(30_000, port, SIGNING_THREADS=str(threads), MAIL_CONNECTIONS="4", **settings)
            if threads == 1:
                yield "signed_vs_flaskmail_dkimpy", ours.rate / flask.rate, "ratio"
            yield name, ours.rate / ceiling, "ratio"


def two_workers(_folder: Path) -> Iterator[Figure]:
    with smtp_sink() as port:
        source = peers.smtp_source(port, 100_000, 4)
        ours, memory = measured(100_000, port, workers=2, MAIL_CONNECTIONS="2")
    yield "two_workers_msgs_per_s", ours.rate, "1/s"
    yield "two_workers_vs_smtp_source", ours.rate / source.rate, "ratio"
    yield "cpu_us_per_message", ours.cpu_us, "us"
    yield "cpu_vs_smtp_source", ours.cpu_us / source.cpu_us, "ratio"
    yield "peak_rss_mb", memory, "MB"


def late(_folder: Path) -> Iterator[Figure]:
    """One worker, 50 connections, a sink 20 ms away: the share of what these connections could carry at all."""
    seconds, connections = 0.02, 50
    with ExitStack() as stack:
        port = stack.enter_context(late_sink(seconds))
        ours, _ = measured(40_000, port, MAIL_CONNECTIONS=str(connections))
    yield "late_sink_efficiency", ours.rate / (connections / seconds), "ratio"
