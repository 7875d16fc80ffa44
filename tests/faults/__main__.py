"""The long form: `python -m tests.faults [KILLS [READERS [SEED]]]`, by default 300 kills over 5,000 readers.

Prints its counts as `name value unit` lines; progress goes to standard error. Exit 1 where a promise was broken.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path

from service import queue
from tests.faults.site import WRONG, Site, killed_at_random

MINUTES = 20


def main(kills: int = 300, readers: int = 5000, seed: int = 5321) -> int:
    chance, began = random.Random(seed), time.monotonic()
    wiped = restarted = 0
    with tempfile.TemporaryDirectory(prefix="undersigned-faults-") as folder, Site(Path(folder), delay=0.08) as site:
        site.write_to(readers)
        while site.kills < kills and not site.over() and time.monotonic() - began < MINUTES * 60:
            killed_at_random(site, chance, max(3 * readers // (2 * kills), 2))
            if chance.random() < 0.1:
                queue.redis().flushall()
                wiped += 1
            elif chance.random() < 0.05:
                site.stop_redis()
                site.start_redis()
                restarted += 1
            say(f"{site.kills} kills, {len(site.sink.texts)} texts")
        site.start()
        left = len(site.sink.by_recipient)
        stopped = time.monotonic()
        if left < len(site.readers()):
            site.heard(1, 60, sweeping=True)
        recovery = time.monotonic() - stopped
        site.wait(site.over, 300, sweeping=True)
        counts = site.counts() | {"redis_wiped": wiped, "redis_restarted": restarted}
        allowed = 4 * site.kills
    for name, value in counts.items():
        print(name, value, "count")
    print("doubles_allowed", allowed, "count")
    print("recovery_with_start", round(recovery, 1), "s")
    print("took", round(time.monotonic() - began), "s")
    return int(any(counts[name] for name in WRONG) or counts["doubles"] > allowed)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
