"""What the public and search engines see: no page with names is to be kept, and what was written for some stays with them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from service.core.db import transaction
from service.mailings import mailing_lifecycle
from service.mailings.audience import Audience
from service.models import Mailing, MailingList
from service.web.robots import INDEXED
from tests.support.people import ANN, BEN, SLUG
from tests.support.world import World, html_of, text_of


def test_no_page_that_names_a_signer_may_be_kept_by_a_search_engine(world: World) -> None:
    world.publish(milestones=(1,))
    world.sign(ANN)
    confirm_page = world.get("/")
    world.confirm(ANN["email"])
    world.sweep()
    world.work()
    adapter = world.app.url_map.bind("localhost")
    values = {"slug": SLUG, "number": 1}
    named = set()
    for rule in world.app.url_map.iter_rules():
        if "GET" not in (rule.methods or set()) or rule.arguments - set(values) or rule.rule.startswith("/static"):
            continue
        page = world.get(adapter.build(rule.endpoint, {name: values[name] for name in rule.arguments}))
        if ANN["name"] in page.text:
            named.add(rule.endpoint)
            assert page.headers.get("X-Robots-Tag") == "noindex", rule.endpoint
    assert named >= {"notices.front", "notices.show", "notices.public_list"}
    assert named.isdisjoint(INDEXED)
    assert confirm_page.headers["X-Robots-Tag"] == "noindex"
    assert "X-Robots-Tag" not in world.get("/news").headers


@pytest.mark.settings(APPROVALS="0")
@pytest.mark.parametrize("narrowed", [
    {"signed": True}, {"clps": ("harbour",)}, {"offices": ("chair",)}, {"joined_after": "2020-01-01"},
    {"joined_before": "2099-01-01"}, {},
])  # fmt: skip
def test_an_update_to_some_of_a_list_stands_on_no_public_page(world: World, narrowed: dict[str, object]) -> None:
    world.publish(milestones=(100,))
    world.sign(BEN, updates="yes", office="chair")
    world.confirm(BEN["email"])
    with transaction() as session:
        mailing_list = session.scalars(select(MailingList)).one()
        who = Audience((mailing_list.id,), **narrowed)  # type: ignore[arg-type]
        now = datetime.now(UTC)
        mailing = mailing_lifecycle.draft(session, mailing_list, "To you", "Only you.", None, now, who)
        mailing_lifecycle.submit(mailing)
        session.flush()
        mailing_lifecycle.approve(session, mailing, None, mailing_lifecycle.content_hash(mailing), now)
    world.sweep()
    world.work()
    copy = world.letter(BEN["email"], "To you")
    [slug] = world.rows(select(Mailing.slug))
    public = world.get(f"/news/{slug}").status_code == 200
    assert public == (not narrowed)
    assert ("To you" in world.get("/news").text) == public
    assert ("Only you." in world.get("/news.atom").text) == public
    assert ("/news/" in text_of(copy)) == ("/news/" in html_of(copy)) == public
