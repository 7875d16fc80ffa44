"""What an organiser sees first: what waits, what is wrong, how many asked and confirmed; and who is called then."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from sqlalchemy import select, update

from service.core import config
from service.core.db import reading, transaction
from service.inbound import spool
from service.mailings import mailing_lifecycle, reports
from service.models import Arrival, Failure, Mailing, MailingList, MailingReport, Message, Official, Subscription, Tally
from service.operations import health, problems
from service.organisers import daily_counts
from tests.support import crowd
from tests.support.crowd import mailing_to
from tests.support.people import ANN, AUGUST, BEN, OLIVE, PETRA
from tests.support.world import World
from workers import clock
from workers.alerts import Alarm

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_the_dashboard_says_what_waits_for_whom(world: World) -> None:
    world.publish(milestones=(1,), wait=15)
    world.add_organisers()
    world.sign(ANN)
    world.confirm(ANN["email"])
    world.post("/complaints", BEN | {"text": "Two letters."})
    august, petra, olive = world.sign_in(AUGUST), world.sign_in(PETRA), world.sign_in(OLIVE)
    form = {"list": "updates", "subject": "Hello", "body": "Hello."}
    where = world.post("/organise/updates/new", form, august).headers["Location"]
    seen = world.get(where, august).text.split('name="seen" value="')[1].split('"')[0]
    world.post(where, {"act": "submit", "seen": seen}, august)
    with transaction() as session:
        session.add(Mailing(slug="p", list_id=1, subject="Stuck", body="b", state="paused", paused_because="421 4.7.28",
                            created_at=NOW))  # fmt: skip
        session.add(Mailing(slug="s", list_id=1, subject="Spam", body="b", state="sent", created_at=NOW))
        session.flush()
        session.add_all(
            Tally(mailing_id=3, state=state, count=count) for state, count in (("accepted", 998), ("complained", 2))
        )
    page = world.get("/organise", petra).text
    for told in ("Waits for approval", "because 421 4.7.28", "0.20 % of its readers called it spam", "Waits to be served"):
        assert told in page, told
    assert "yours: another organiser approves it" in world.get("/organise", august).text
    assert BEN["email"] not in page  # a complaint's sender is for administrators
    page = world.get("/organise", olive).text
    assert BEN["email"] not in page  # it stands behind a link, and the audit notes who looks
    reference = page.split("/organise/complaints/")[1].split('"')[0]
    assert BEN["email"] in world.get(f"/organise/complaints/{reference}", olive).text


def test_each_day_is_counted_by_receiving_domain_and_keeps_its_counts_when_requests_are_forgotten(either_world: World) -> None:
    with transaction() as session:
        session.add(MailingList(slug="updates", title="Updates", created_at=NOW))
        session.flush()
        for number in range(30):
            host, at = f"d{number % 3}.example", NOW - timedelta(days=number % 2)
            confirmed = at + timedelta(minutes=2) if number % 3 else None
            state = "confirmed" if confirmed else "pending"
            address = f"p{number}@{host}"
            session.add(
                Subscription(list_id=1, email=address, mailbox=address, state=state, created_at=at, confirmed_at=confirmed)
            )
        imported = {"state": "confirmed", "created_at": NOW, "confirmed_at": NOW}
        session.add(Subscription(list_id=1, email="i@i.example", mailbox="i@i.example", **imported))
    for _ in range(2):
        with transaction() as session:
            clock.count_days(session, NOW)
    with transaction() as session:
        session.query(Subscription).delete()
    with reading() as session:
        bars = daily_counts.by_day(session, "subscriptions", NOW, 3)
        assert [(bar.requested, bar.confirmed) for bar in bars] == [(0, 0), (15, 10), (15, 10)]
        found = {bar.label: (bar.requested, bar.confirmed, bar.share) for bar in daily_counts.by_domain(session, NOW)}
    assert found == {"d0.example": (10, 0, 0), "d1.example": (10, 10, 100), "d2.example": (10, 10, 100)}


def test_rare_domains_are_counted_together(world: World) -> None:
    with transaction() as session:
        session.add(MailingList(slug="updates", title="Updates", created_at=NOW))
        session.flush()
        for number in range(33):
            for person in range(5 if number < 30 else 4):  # of the last three too few wrote for a name
                address = f"p{person}@d{number}.example"
                session.add(Subscription(list_id=1, email=address, mailbox=address, state="pending", created_at=NOW))
    with transaction() as session:
        clock.count_days(session, NOW)
    with reading() as session:
        assert dict(daily_counts._counted(session, "subscriptions", date(2026, 11, 22)))[daily_counts.OTHERS] == (
            10 * 5 + 3 * 4,
            0,
        )


def test_the_dashboard_says_what_came_back_and_what_nobody_understands(world: World) -> None:
    world.publish(milestones=(1,))
    world.add_organisers()
    crowd.sign(range(1))
    world.work("notices")
    with transaction() as session:
        chair = Official.office == "Chair of the NEC"
        session.execute(update(Official).where(chair).values(bounced_at=NOW, bounced_because="550 5.1.1 no such person"))
        session.execute(update(Message).where(Message.kind == "serving").values(state="unsure"))
        spool.store(session, [spool.Mail("lmtp", None, ["notices@lists.example.org"], b"x")], NOW)
        session.flush()
        session.execute(update(Arrival).values(state="quarantined", folder="quarantine"))
    petra, olive = world.sign_in(PETRA), world.sign_in(OLIVE)
    page = world.get("/organise", petra).text
    for told in ("Chair of the NEC came back on 22 November 2026: 550 5.1.1 no such person", "Unsure whether the letter to",
                 "/organise/servings/1", "cannot be read safely: 1."):  # fmt: skip
        assert told in page, told
    assert "/organise/inbox" not in page  # what people wrote is for administrators
    assert "/organise/inbox?folder=quarantine" in world.get("/organise", olive).text


@pytest.mark.settings(APPROVALS="0")
def test_a_large_mailing_is_counted_by_the_clock_and_read_by_the_page(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "SMALL", 3)
    number = mailing_to(10, NOW)
    with transaction() as session:
        mailing_lifecycle.fan_out(session, number, NOW)
        settled = {"state": "accepted", "settled_at": NOW + timedelta(seconds=5)}
        session.execute(update(Message).where(Message.mailing_id == number).values(**settled))
        assert reports.count(session, mailing_lifecycle.find(session, number), NOW)["seconds"] == {}  # told at its end
        session.execute(update(Mailing).values(state="sent", finished_at=NOW))
    with transaction() as session:
        assert reports.read(session, mailing_lifecycle.find(session, number), NOW) is None
        clock.count_mailings(session, NOW)
        assert reports.stale(session, NOW + timedelta(seconds=10)) is None  # counted already
        assert reports.stale(session, NOW + timedelta(seconds=70)) is not None
        found = reports.read(session, mailing_lifecycle.find(session, number), NOW)
    assert found is not None
    assert found["domains"] == [["example.org", {"accepted": 9}]]
    assert found["seconds"] == {"50": 5.0, "95": 5.0, "100": 5.0}
    assert len(either_world.rows(select(MailingReport))) == 1


@pytest.fixture
def hook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """An address that takes alerts, and what it took."""
    taken: list[dict[str, Any]] = []

    class Takes(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = HTTPServer(("127.0.0.1", 0), Takes)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/hook", taken
    server.shutdown()
    thread.join(5)
    server.server_close()


def test_what_is_wrong_is_told_once_and_once_when_it_is_over(
    world: World, environment: dict[str, str], hook: tuple[str, list[dict[str, Any]]]
) -> None:
    url, taken = hook
    config.use(config.load(environment | {"ALERT_URL": url}))
    alarm = Alarm()
    for _ in range(3):
        alarm.hear({"redis": "cannot be reached"})
    alarm.hear({})
    assert [(one["problems"], one["over"]) for one in taken] == [({"redis": "cannot be reached"}, []), ({}, ["redis"])]
    alarm.look(1000.0)
    alarm.look(1001.0)  # too soon to look again
    assert alarm.next_at == 1030.0


def test_what_fails_and_what_waits_is_told_by_the_hook_too(
    world: World, environment: dict[str, str], hook: tuple[str, list[dict[str, Any]]]
) -> None:
    url, taken = hook
    config.use(config.load(environment | {"ALERT_URL": url}))
    world.publish()
    with transaction() as session:
        session.add(Failure(job="count_days", row_id=0, count=2, kind="files", place="OSError at days.py:1", first_at=NOW,
                            last_at=NOW))  # fmt: skip
    alarm = Alarm()
    alarm.look(1000.0)
    alarm.look(1031.0)
    assert "a file could not be read or written. Since 2026-11-22 12:00 UTC." in taken[0]["problems"]["duty count_days"]


def test_an_alert_that_was_not_taken_is_told_again(world: World, environment: dict[str, str]) -> None:
    config.use(config.load(environment | {"ALERT_URL": "http://127.0.0.1:9/hook"}))
    alarm = Alarm()
    for _ in range(2):
        alarm.hear({"redis": "cannot be reached"})
    assert alarm.told == {}


def test_alerts_hold_no_address_and_letters_that_wait_are_wrong(world: World) -> None:
    world.publish()
    world.sign(ANN)
    assert health.parts()["mail"] == "ok"
    with transaction() as session:
        session.execute(update(Message).values(due_at=datetime.now(UTC) - timedelta(minutes=11)))
        session.add(Mailing(slug="p", list_id=1, subject="S", body="b", state="paused", created_at=NOW,
                            paused_because="550 <ann@example.org> said no"))  # fmt: skip
    assert problems.in_words(problems.ALERT, NOW)["mailing 1"] == "Paused because 550 …@… said no."
    ready = world.get("/readyz").get_json()
    assert ready["mail"].startswith("letters have waited since")
    assert "mailing 1" not in ready
