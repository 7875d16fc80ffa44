"""A mailing whose workers are killed again and again, at random points, while something else goes wrong at random, too."""

from __future__ import annotations

import os
import random
import resource
import signal
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from service.core import queues
from tests.faults.site import WRONG, Site
from tests.support.servers.postgres import Cluster

CONNECTIONS = 4
RECOVERY_SECONDS = 60
AT_ONCE_SECONDS = 30
"""Where a worker restarts on its host. No sweep runs then, so nobody else helps; most of it is the start of a Python process,
on a machine that may be busy with other things."""


class Ordeal:
    """`harm` is done with the given chance in each life of a worker. Progress goes to standard error."""

    def __init__(self, site: Site, chance: random.Random, harm: Callable[[], None], share: float) -> None:
        self.site, self.chance, self.harm, self.share = site, chance, harm, share
        self.kills: list[tuple[float, bool]] = []
        """When, and whether nothing but a kill had happened since a worker was last seen at work."""
        self.harms = 0
        self.harmed = False

    def run(self, readers: int, kills: int, until: float) -> dict[str, float]:
        """So many kills of a mailing to so many, but not for ever; what came of it. Raises TimeoutError where nothing did."""
        self.site.write_to(readers)
        most = max(3 * readers // (2 * kills), 2)
        while self.site.kills < kills and not self.site.over() and time.monotonic() < until:
            self._life(most)
            print(f"{self.site.kills} kills, {len(self.site.sink.texts)} texts", file=sys.stderr, flush=True)
        if "" not in self.site.workers:
            self.site.start_kept()
        self.site.wait(self.site.over, 300, sweeping=True)
        return self._found()

    def _life(self, most: int) -> None:
        """It ends after some answers, or after some time, wherever the worker is then."""
        if "" not in self.site.workers:
            self.site.start_kept()
        if self.chance.random() < self.share:
            time.sleep(self.chance.uniform(0, 2))
            self.harm()
            self.harms, self.harmed = self.harms + 1, True
            self.kills[-1:] = [(at, False) for at, _ in self.kills[-1:]]
        if self.chance.random() < 0.6:
            self.site.heard(self.chance.randint(1, most), RECOVERY_SECONDS, sweeping=self.harmed)
            self.harmed = False
        else:
            time.sleep(self.chance.uniform(0.05, 2))
        self.kills.append((time.time(), not self.harmed))
        self.site.kill_kept(self.chance.choice(("parent", "child", "both")))

    def _found(self) -> dict[str, float]:
        """Counts, and seconds from each kill to the next text where no other kill came between."""
        began = sorted(text.began for text in self.site.sink.texts)
        ends = [at for at, _ in self.kills[1:]] + [float("inf")]
        waits = []
        for (at, alone), end in zip(self.kills, ends, strict=True):
            after = next((one for one in began if one > at), None)
            if after is not None and after < end:
                waits.append((after - at, alone))
        return self.site.counts() | {
            "harms": self.harms,
            "doubles_allowed": CONNECTIONS * self.site.kills,
            "recovery_longest_s": round(max((one for one, _ in waits), default=0), 1),
            "restart_longest_s": round(max((one for one, alone in waits if alone), default=0), 1),
            "restart_median_s": round(statistics.median([one for one, alone in waits if alone] or [0]), 1),
        }


def broken(found: dict[str, float]) -> list[str]:
    """The promises that do not hold."""
    limits = dict.fromkeys(WRONG, 0.0) | {
        "doubles": found["doubles_allowed"], "recovery_longest_s": RECOVERY_SECONDS, "restart_longest_s": AT_ONCE_SECONDS,
    }  # fmt: skip
    return [name for name, most in limits.items() if found[name] > most]


def redis_wiped_or_restarted(site: Site, chance: random.Random) -> None:
    if chance.random() < 0.6:
        queues.redis().flushall()
        return
    site.stop_redis()
    time.sleep(chance.uniform(0, 1))
    site.start_redis()


def postgresql_restarted(cluster: Cluster, chance: random.Random) -> None:
    cluster.stop()
    time.sleep(chance.uniform(0, 2))
    cluster.start()


def disk_full(site: Site, chance: random.Random) -> None:
    """For a while no file of the worker can grow: neither its journal nor the database. It may be killed meanwhile."""
    child = site.child()
    if child is None:
        return
    with suppress(ProcessLookupError):
        resource.prlimit(child, resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
        time.sleep(chance.uniform(0.5, 3))
        if chance.random() < 0.3:
            os.kill(child, signal.SIGKILL)
            site.kills += 1
            return
        resource.prlimit(child, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
