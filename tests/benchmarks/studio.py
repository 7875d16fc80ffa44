"""How long each page of the studio takes with a million subscribers and ten million messages in PostgreSQL.

The rows are made by the database itself; every page is asked so many times through the application, by an organiser who signed
in as people do. PLANS=1 prints the statements of each page that took longer than 50 ms, with their plans.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from _pytest.outcomes import Skipped
from flask.testing import FlaskClient
from sqlalchemy import create_engine, event, text

from service.app import create_app
from service.core import config
from service.core.db import engine_for, reading, transaction
from service.mailings import reports, versions
from service.models import Mailing
from service.operations import sample
from service.organisers import accounts
from service.subscriptions import imports, subscribing
from service.web import gunicorn
from tests.benchmarks.sinks import Missing
from tests.support.servers.postgres import Cluster
from workers import clock

Figure = tuple[str, float, str]
PEOPLE, MAILINGS, SIGNERS = 1_000_000, 11, 200_000
"""The last mailing is a draft."""
BESIDE = {"troubles": 50_000, "acts": 200_000, "mails": 40_000, "servings": 60, "officials": 39}
"""Bounces and suppressions, entries of the audit, mails that came in, servings of one notice, each on so many officials."""
TIMES = 40
ROWS = Path(__file__).with_suffix(".sql")
PAGES = {
    "dashboard": "/organise",
    "write": "/organise/updates/new",
    "count": "/organise/updates/count?list=updates",
    "count_clp": "/organise/updates/count?list=updates&clps=Party 7",
    "draft": "/organise/updates/{draft}",
    "preview": "/organise/updates/{draft}/preview",
    "sent": "/organise/updates/1",
    "report": "/organise/updates/1/report",
    "outcomes": "/organise/updates/9/outcomes",
    "outcomes_refused": "/organise/updates/9/outcomes?state=refused",
    "outcomes_deep": "/organise/updates/9/outcomes?after={middle}",
    "outcomes_rare_domain": "/organise/updates/9/outcomes?domain=nowhere.example",
    "outcomes_rare_words": "/organise/updates/9/outcomes?state=accepted&words=nothing",
    "version": "/organise/updates/{draft}/versions/1",
    "notices": "/organise/notices",
    "notice": "/organise/notices/{notice}",
    "serving": "/organise/servings/{serving}",
    "register": "/notices/{notice}/deliveries",
    "signatures": "/notices/{notice}/signatures",
    "officials": "/organise/officials",
    "inbox": "/organise/inbox",
    "inbox_unclear": "/organise/inbox?folder=unclear",
    "came_back": "/organise/came-back",
    "people": "/organise/people",
    "person": "/organise/people/subscription/{middle}",
    "imports": "/organise/imports",
    "import": "/organise/imports/1",
    "organisers": "/organise/organisers",
    "audit": "/organise/audit",
    "audit_words": "/organise/audit?words=mailing 4321",
    "audit_act": "/organise/audit?words=nothing like it",
    "account": "/organise/account",
}
SEARCHES = {
    "search_address": {"words": "m70000@"},
    "search_name": {"words": "farah bcd"},
    "search_name_common": {"words": "carys"},
    "search_clp": {"words": "", "clp": "Party 7"},
}


def pages(folder: Path) -> Iterator[Figure]:
    with _place() as client:
        worst = 0.0
        for name, took in _asked(client):
            yield f"studio_ms_{name}", took, "ms"
            worst = max(worst, took)
        yield "studio_p95_ms", worst, "ms"


@contextmanager
def _place() -> Iterator[FlaskClient]:
    """A PostgreSQL of its own, filled; an administrator signed in."""
    with tempfile.TemporaryDirectory(prefix="undersigned-studio-") as var:
        try:
            cluster = Cluster(Path(var))
        except Skipped as missing:
            raise Missing(str(missing)) from missing
        with cluster:
            cluster.stop()
            cluster.start("-c shared_buffers=512MB -c max_wal_size=8GB")
            url = cluster.create("studio")
            known = {"VAR_DIR": var, "DATABASE_URL": url, "SECRET_KEY": "a-key-for-benchmarks-alone"}
            known |= {"SECOND_FACTOR": "off", "DNS_SERVER": "off", "REDIS_URL": "redis://127.0.0.1:9/0"}
            config.use(config.load(known))
            yield _filled(url)
            for read_only in (True, False):
                engine_for(url, read_only=read_only).dispose()


def _filled(url: str) -> FlaskClient:
    now = datetime.now(UTC)
    with transaction() as session:
        sample.plant(session, now)
        olive = accounts.add(session, "olive@example.org", "administrator", now)
        key = accounts.sign_in(session, accounts.new_link(session, olive.email, now), now)
        updates = subscribing.find_list(session, "updates")
        imports.take(session, updates, olive, "people.csv", "paper forms, 2026", "", now)
        session.info.clear()
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in _statements():
            began = time.monotonic()
            connection.exec_driver_sql(statement)
            print(f"  {statement[:40]} {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        connection.execute(text("VACUUM ANALYZE"))
    engine.dispose()
    with transaction() as session:
        versions.keep_version(session, session.get_one(Mailing, MAILINGS), None, now)
    _count(now)
    client = create_app(config.settings()).test_client()
    with client.session_transaction() as session_cookie:
        session_cookie["organiser"] = key
    gunicorn.post_worker_init(None)  # as the web's own workers begin
    return client


def _statements() -> list[str]:
    sizes = {"people": PEOPLE, "mailings": MAILINGS, "signers": SIGNERS, **BESIDE}
    lines = "\n".join(line for line in ROWS.read_text().splitlines() if not line.startswith("--"))
    return [one.strip().format(**sizes).replace("%", "%%") for one in lines.split(";") if one.strip()]


def _count(now: datetime) -> None:
    """What the clock counts beside the pages."""
    began = time.monotonic()
    with transaction() as session:
        clock.count_days(session, now)
    with reading() as looking:
        found = reports.count(looking, looking.get_one(Mailing, 1), now)
    with transaction() as session:
        reports.keep(session, 1, found, now)
    print(f"  the clock's counts {time.monotonic() - began:.1f} s", file=sys.stderr, flush=True)


def _asked(client: FlaskClient) -> Iterator[tuple[str, float]]:
    """Name and 95th percentile, in milliseconds, of each page."""
    token = client.get("/organise/people").text.split('name="csrf_token" value="')[1].split('"')[0]
    for name, path in PAGES.items():
        where = path.format(draft=MAILINGS, middle=PEOPLE // 2, notice=sample.NOTICE.slug, serving=2)
        yield name, _p95(name, lambda where=where: client.get(where))
    for name, fields in SEARCHES.items():
        yield name, _p95(name, lambda fields=fields: client.post("/organise/people", data=fields | {"csrf_token": token}))


def _p95(name: str, ask: Any) -> float:
    took = []
    for _ in range(TIMES):
        began = time.perf_counter()
        response = ask()
        took.append((time.perf_counter() - began) * 1000)
        assert response.status_code == 200, (name, response.status_code)
    found = sorted(took)[int(TIMES * 0.95)]
    if os.environ.get("PLANS") and found > 50:
        _plans(name, ask)
    return found


def _plans(name: str, ask: Any) -> None:
    """The slow statements of one page, explained."""
    seen: list[tuple[str, Any, float]] = []
    engine = engine_for(config.settings().database_url, read_only=True)

    def before(connection: Any, *_: Any) -> None:
        connection.info["began"] = time.perf_counter()

    def after(connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters, (time.perf_counter() - connection.info["began"]) * 1000))

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    ask()
    event.remove(engine, "before_cursor_execute", before)
    event.remove(engine, "after_cursor_execute", after)
    with engine.connect() as connection:
        for statement, parameters, took in seen:
            if took > 15:
                rows = connection.exec_driver_sql(f"EXPLAIN ANALYZE {statement}", parameters)
                print(f"{name} {took:.0f} ms: {statement}\n" + "\n".join(str(row[0]) for row in rows), file=sys.stderr)
