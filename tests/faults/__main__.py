"""The long form: `python -m tests.faults [KILLS [READERS [SEED]]]`, by default 300 kills over 5,000 readers.

Three mailings: workers killed while Redis is wiped and restarted; and a tenth of the kills each while PostgreSQL restarts and
while the disk is full. Prints its counts as `name value unit` lines; progress goes to standard error. Exit 1 where a promise
was broken.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.faults.ordeal import Ordeal, broken, disk_full, postgresql_restarted, redis_wiped_or_restarted
from tests.faults.site import Site
from tests.support.servers.postgres import Cluster

DELAY = 0.08
"""Seconds that the sink takes for a text: the mailing lasts as long as its kills."""
Harm = Callable[[], None]


@contextmanager
def redis_trouble(folder: Path, chance: random.Random) -> Iterator[tuple[Site, Harm]]:
    with Site(folder, delay=DELAY) as site:
        yield site, partial(redis_wiped_or_restarted, site, chance)


@contextmanager
def postgresql_trouble(folder: Path, chance: random.Random) -> Iterator[tuple[Site, Harm]]:
    with Cluster(folder) as cluster, Site(folder, delay=DELAY, database=cluster.create("faults")) as site:
        yield site, partial(postgresql_restarted, cluster, chance)


@contextmanager
def disk_trouble(folder: Path, chance: random.Random) -> Iterator[tuple[Site, Harm]]:
    with Site(folder, delay=DELAY) as site:
        yield site, partial(disk_full, site, chance)


RUNS = {
    "redis": (redis_trouble, 1.0, 0.15, 13),
    "postgresql": (postgresql_trouble, 0.1, 0.3, 2),
    "disk": (disk_trouble, 0.1, 0.3, 2),
}
"""What else goes wrong, its part of the kills and readers, how often in a worker's life, and for how many minutes at most."""


def main(kills: int = 300, readers: int = 5000, seed: int = 5321) -> int:
    began, failed = time.monotonic(), False
    for name, (trouble, part, share, minutes) in RUNS.items():
        chance = random.Random(seed)
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="undersigned-faults-")))
            try:
                site, harm = stack.enter_context(trouble(folder, chance))
            except pytest.skip.Exception as missing:
                print(name, "skipped", f"({missing})")
                continue
            ordeal, until = Ordeal(site, chance, harm, share), time.monotonic() + minutes * 60
            try:
                found = ordeal.run(round(readers * part), max(round(kills * part), 1), until)
            except (TimeoutError, AssertionError) as error:
                print(f"{name}: {error}", (folder / "workers.log").read_text()[-2000:], sep="\n", file=sys.stderr)
                failed = True
                continue
        for what, value in found.items():
            unit = "s" if what.endswith("_s") else "count"
            print(f"{name}_{what.removesuffix('_s')}", value, unit, flush=True)
        if wrong := broken(found):
            print(f"{name}: broken: {', '.join(wrong)}", file=sys.stderr)
            failed = True
    print("took", round(time.monotonic() - began), "s")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
