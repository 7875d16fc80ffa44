"""Workers on several machines share PostgreSQL and Redis, by TCP, and nothing else."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.faults.network import Network
from tests.faults.site import Site
from tests.support.servers.postgres import Cluster

READERS = 1500


def test_two_machines_share_a_mailing_without_a_double(
    tmp_path: Path, postgres_cluster: Cluster, postgres_database: str
) -> None:
    with Network() as network, postgres_cluster.reached_at(network.address), Site(
        tmp_path, delay=0.006, database=postgres_database, address=network.address,
        redis_options=["--port", "6379", "--bind", network.address, "--protected-mode", "no"],
    ) as site:  # fmt: skip
        shared = {
            "DATABASE_URL": postgres_database.replace(str(postgres_cluster.folder), network.address),
            "REDIS_URL": f"redis://{network.address}:6379/0",
        }
        for number in range(2):
            site.start(f"machine{number}", on=network.on(number), **shared)
        site.write_to(READERS)
        site.wait(site.over, 60, sweeping=True)
        site.check(doubles=0)
        shares = Counter(text.peer for text in site.sink.texts)
        assert set(shares) == {f"{network.network}.2", f"{network.network}.3"}
        assert min(shares.values()) > READERS // 10
