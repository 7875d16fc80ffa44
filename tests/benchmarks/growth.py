"""How cost grows: fan-out, a whole mailing and an import, from a hundred thousand to a million."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.delivery import sent
from tests.benchmarks.place import ROOT, fan_out, place
from tests.benchmarks.sinks import smtp_sink

Figure = tuple[str, float, str]


def fan_out_and_growth(_folder: Path) -> Iterator[Figure]:
    sizes, seconds = (100_000, 1_000_000), []
    memory = 0.0
    with smtp_sink() as port:
        for size in sizes:
            with place(size, port) as where:
                began = time.perf_counter()
                fan_out(where.mailing_id)
                fanned = time.perf_counter() - began
                said = sent(where)[0]
                seconds.append(fanned + said["ended"] - said["began"])
                memory = said["rss_mb"]
            yield f"fanout_rows_per_s_{size}", size / fanned, "1/s"
    yield "cost_growth", (seconds[1] / seconds[0]) / (sizes[1] / sizes[0]), "ratio"
    yield "peak_rss_mb_million", memory, "MB"


def import_rows(folder: Path) -> Iterator[Figure]:
    rows = 1_000_000
    path = folder / "members.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["email", "name", "clp", "office"])
        writer.writerows([f"member{number}@example.org", f"Member {number}", "Valley", ""] for number in range(rows))
    with place(0, 1) as where:
        command = [sys.executable, "-m", "flask", "--app", "wsgi", "subscribers", "import", str(path), "--list", "updates"]
        began = time.perf_counter()
        done = subprocess.run(
            [*command, "--source", "benchmark"], env=os.environ | where.environment, cwd=ROOT, capture_output=True
        )
        seconds = time.perf_counter() - began
        assert done.returncode == 0, done.stderr.decode()[-500:]
    yield "import_rows_per_s", rows / seconds, "1/s"
