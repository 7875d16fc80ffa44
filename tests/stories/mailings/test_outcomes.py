"""A search among the outcomes of a large mailing looks through so many messages at a time, and says so."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest

from service.core.db import reading, transaction
from service.mailings import mailing_lifecycle, progress
from tests.support.crowd import mailing_to
from tests.support.people import OLIVE
from tests.support.world import World

DOMAINS = ("usual.example",) * 7 + ("rare.example",)


@pytest.mark.settings(APPROVALS="0")
def test_a_search_ends_after_so_many_messages_and_goes_on_from_there(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LOOKED_AT", 3)
    now = datetime.now(UTC) - timedelta(minutes=1)
    number = mailing_to(8, now, DOMAINS)
    with transaction() as session:
        mailing_lifecycle.fan_out(session, number, now)
    with reading() as session:
        mailing, after, found = mailing_lifecycle.find(session, number), 0, []
        for searched in ([], [], ["reader7@rare.example"]):
            page = progress.outcomes(session, mailing, host="rare.example", after=after)
            assert [row.email for row in page.rows] == searched
            found, after = found + page.rows, page.after or 0
        assert after == 0  # the end
        assert len(progress.outcomes(session, mailing).rows) == 8  # without a search every message is looked at
    either_world.add_organisers()
    olive, where = either_world.sign_in(OLIVE), f"/organise/updates/{number}/outcomes"
    page_shown = either_world.get(f"{where}?domain=rare.example", olive).text
    assert "None among the first 3 messages" in page_shown
    assert "Search the next 3" in page_shown
    export = either_world.post(f"{where}.csv", {"domain": "rare.example"}, olive, page=where).text
    assert [row["email"] for row in csv.DictReader(io.StringIO(export))] == ["reader7@rare.example"]
