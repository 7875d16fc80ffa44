"""Bulk workers killed, Redis wiped, the database restarted: nobody is left out, and nobody gets more than the promise allows.

The long form is `make faults`.
"""

from __future__ import annotations

import random
import resource
import signal
import time
from pathlib import Path

from service.core import queues
from tests.faults.site import LAPSED, Site, killed_at_random
from tests.support.servers.postgres import Cluster

READERS = 1500


def test_killed_at_random_points(tmp_path: Path, template: Path) -> None:
    chance = random.Random(5321)
    with Site(tmp_path, database=template) as site:
        site.write_to(READERS)
        for _ in range(7):
            killed_at_random(site, chance, 200)
        site.start()
        site.wait(site.over, sweeping=True)
        counts = site.check()
        assert counts["kills"] == 7
        assert site.sink.most_connections <= 8  # the dead one's may not have been seen to end


def test_who_restarts_on_its_host_goes_on_at_once(tmp_path: Path, template: Path) -> None:
    """No sweep runs: the journal is replayed, the leases are taken over, and the bell is rung again."""
    with Site(tmp_path, database=template) as site:
        site.write_to(600)
        for _ in range(2):
            site.start()
            site.heard(150)
            site.kill()
        site.start()
        site.wait(site.over, 15)
        site.check()


def test_a_host_that_is_gone_for_good_is_replaced_by_another(tmp_path: Path, template: Path) -> None:
    with Site(tmp_path, database=template) as site:
        site.write_to(900)
        site.start("first")
        site.heard(300)
        site.kill("first")
        site.start("second")
        site.wait(lambda: set(site.states()) <= {"accepted", "sending"}, sweeping=True)
        assert site.states()["sending"]
        site.sweep(LAPSED)
        site.wait(site.over, sweeping=True)
        site.check(doubles=500 + 4)


def test_two_hosts_share_a_mailing_without_a_double(tmp_path: Path, template: Path) -> None:
    with Site(tmp_path, database=template) as site:
        site.write_to(READERS)
        site.start("first")
        site.start("second")
        site.wait(site.over, sweeping=True)
        site.check(doubles=0)
        assert site.sink.most_connections > 4


def test_redis_wiped_and_restarted(tmp_path: Path, template: Path) -> None:
    chance = random.Random(1)
    with Site(tmp_path, database=template, delay=0.004) as site:
        site.write_to(READERS)
        site.start()
        for act in (queues.redis().flushall, site.stop_redis, site.start_redis, queues.redis().flushall):
            site.heard(chance.randint(50, 250), sweeping=True)
            act()
        site.wait(site.over, 40, sweeping=True)
        site.check(doubles=0)
        assert site.workers[""].poll() is None


def test_an_asked_end_is_clean_and_repeats_nothing(tmp_path: Path, template: Path) -> None:
    with Site(tmp_path, database=template) as site:
        site.write_to(900)
        for _ in range(3):
            worker = site.start()
            site.heard(150, sweeping=True)
            began = time.monotonic()
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(10) == 0
            assert time.monotonic() - began < 4
            assert "sending" not in site.states()
            del site.workers[""]
        site.start()
        site.wait(site.over, sweeping=True)
        site.check(doubles=0)


def test_postgresql_restarted(tmp_path: Path, postgres_cluster: Cluster, postgres_database: str) -> None:
    """Once at once, as in a crash, and once with two seconds in between; workers wait, and nothing goes twice."""
    with Site(tmp_path, database=postgres_database, delay=0.004) as site:
        site.write_to(READERS)
        worker = site.start()
        for away in (0, 2):
            heard = len(site.sink.texts) + 200
            site.wait(lambda heard=heard: len(site.sink.texts) > heard, sweeping=True)
            postgres_cluster.stop()
            time.sleep(away)
            postgres_cluster.start()
        site.wait(site.over, sweeping=True)
        site.check(doubles=0)
        assert worker.poll() is None


def test_the_disk_is_full_for_a_while(tmp_path: Path, template: Path) -> None:
    """Neither journal nor database can grow: nothing more leaves until they can."""
    with Site(tmp_path, database=template, delay=0.004) as site:
        site.write_to(READERS)
        worker = site.start()
        for _ in range(2):
            site.heard(200, sweeping=True)
            resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
            time.sleep(2)
            stood = len(site.sink.texts)
            time.sleep(1)
            assert len(site.sink.texts) == stood
            resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            site.heard(200, sweeping=True)
            assert worker.poll() is None
        site.wait(site.over, sweeping=True)
        site.check(doubles=0)


def test_killed_while_the_journal_cannot_grow(tmp_path: Path, postgres_database: str) -> None:
    """The ledger is told at once instead."""
    with Site(tmp_path, database=postgres_database) as site:
        site.write_to(600)
        for _ in range(3):
            worker = site.start()
            site.heard(50, sweeping=True)
            resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
            site.heard(100, sweeping=True)
            site.kill()
        site.start()
        site.wait(site.over, sweeping=True)
        site.check()
