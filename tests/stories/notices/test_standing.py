"""A notice that stays in force: who is asked again, when it is served again, what officials must be told later."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from service.core.db import transaction
from service.errors import Refused
from service.models import Edition, Serving
from service.notices import officials, publishing, source_file
from service.servings import schedule
from service.web.public import notices as pages
from tests.support import crowd
from tests.support.people import ANN, BEN, NOTICE, SLUG
from tests.support.world import World, text_of
from workers import clock

DAY = timedelta(days=1)
AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
CHAIR = "chair@nec.example"
TREASURER = {
    "office": "Treasurer", "name": "Kit Moss", "email": "treasurer@nec.example", "source": "x", "verified_on": "2026-11-01"
}  # fmt: skip


def ask_again(world: World) -> None:
    with transaction() as session:
        clock.ask_again(session, datetime.now(UTC))
    world.work()


def serve(world: World) -> None:
    """What is due is served now, whatever it would have waited for."""
    with transaction() as session:
        session.execute(update(Serving).where(Serving.state == "due").values(due_at=datetime.now(UTC)))
    world.sweep()
    world.work("notices")


def names_given(world: World, official: str) -> list[list[str]]:
    """The names in the list of each letter to this official, the oldest letter first."""
    found = []
    for letter in world.letters(official):
        [content] = [part.get_content() for part in letter.iter_attachments() if str(part.get_filename()).endswith(".csv")]
        text = content.decode("utf-8-sig") if isinstance(content, bytes) else str(content).lstrip("\ufeff")
        found.append([row["name"] for row in csv.DictReader(io.StringIO(text, newline=""))])
    return found


def test_a_changed_text_is_a_new_edition_and_earlier_signers_are_asked(either_world: World) -> None:
    world = either_world
    world.publish(milestones=(100,))
    for person in (ANN, BEN):
        world.sign(person)
        world.confirm(person["email"])
    with transaction() as session:
        publishing.take_in(session, source_file.read_file(NOTICE.replace("every month", "every week")), datetime.now(UTC))
        publishing.publish(session, SLUG, datetime.now(UTC))
    assert world.count() == 0
    ask_again(world)
    ask_again(world)
    letter = world.letter(ANN["email"], "has a new text")
    assert world.rows(select(Edition.hash).order_by(Edition.number))[1] in text_of(letter)
    assert ANN["name"] in world.get(world.link(letter, "confirm")).get_data(as_text=True)
    assert world.count() == 0
    world.post(world.link(letter, "confirm"))
    assert world.count() == 1
    assert world.rows(select(Edition.count).order_by(Edition.number)) == [2, 1]
    assert len(world.letters(BEN["email"], "has a new text")) == 1


def test_officials_added_later_get_counts_alone_until_signers_agree(either_world: World) -> None:
    world = either_world
    world.publish(milestones=(2, 3))
    for person in (ANN, BEN):
        world.sign(person)
        world.confirm(person["email"])
    world.work()
    with transaction() as session:
        assert officials.take_in(session, [officials.read(TREASURER)], datetime.now(UTC)) == (1, 0)
    ask_again(world)
    letter = world.letter(ANN["email"], "May your name go to Treasurer?")
    assert "Treasurer" in world.get(world.link(letter, "confirm")).get_data(as_text=True)
    assert "goes to them, too" in world.post(world.link(letter, "confirm")).get_data(as_text=True)
    assert world.count() == 2
    crowd.sign(range(1))
    serve(world)
    assert names_given(world, "treasurer@nec.example") == [[ANN["name"], crowd.person(0).name]]
    assert names_given(world, CHAIR)[1] == [ANN["name"], BEN["name"], crowd.person(0).name]
    assert "(3 signatures)" in world.letter("treasurer@nec.example")["Subject"]


def test_who_agrees_does_so_for_those_named_and_no_later_ones(world: World) -> None:
    world.publish(milestones=(1, 2))
    world.sign(ANN)
    world.confirm(ANN["email"])
    first, second = TREASURER, TREASURER | {"office": "Auditor", "email": "auditor@nec.example"}
    for official in (first, second):
        with transaction() as session:
            officials.take_in(session, [officials.read(official)], datetime.now(UTC))
        ask_again(world)
    early, late = world.letters(ANN["email"], "May your name go to")
    assert "Treasurer, Auditor?" in late["Subject"]
    world.post(world.link(early, "confirm"))
    crowd.sign(range(1))
    serve(world)
    assert names_given(world, "treasurer@nec.example")[0] == [ANN["name"], crowd.person(0).name]
    assert names_given(world, "auditor@nec.example")[0] == [crowd.person(0).name]


@pytest.mark.parametrize(
    ("repeats", "days", "grown", "due"),
    [("weekly", 6.9, 1, 0), ("weekly", 7.1, 1, 1), ("weekly", 7.1, 0, 0), ("monthly", 29, 1, 0), ("monthly", 31, 1, 1),
     ("never", 400, 1, 0)],
)  # fmt: skip
def test_it_is_served_again_by_its_schedule_while_the_count_grows(
    world: World, repeats: str, days: float, grown: int, due: int
) -> None:
    world.publish(milestones=(1,))
    with transaction() as session:
        publishing.find(session, SLUG).repeats = repeats
    crowd.sign(range(1))
    world.work("notices")
    crowd.sign(range(1, 1 + grown))
    for _ in range(2):
        with transaction() as session:
            schedule.fall_due_by_date(session, datetime.now(UTC) + timedelta(days=days))
    waiting = world.rows(select(Serving).where(Serving.state == "due"))
    assert [one.causes for one in waiting] == [[repeats]] * due


def test_the_register_shows_the_newest_servings_and_a_way_to_those_before(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "SERVINGS", 1)
    world.publish(milestones=(1, 2))
    for number in range(2):
        crowd.sign(range(number, number + 1))
        serve(world)
    newest = world.get(f"/notices/{SLUG}/deliveries").get_data(as_text=True)
    assert "2 signatures</h2>" in newest
    assert "1 signature</h2>" not in newest
    way = newest.split("Earlier servings")[0].rpartition('href="')[2].partition('"')[0]
    assert "1 signature</h2>" in world.get(way).get_data(as_text=True)
    assert "Earlier servings" not in world.get(way).get_data(as_text=True)
    assert len((world.get(f"/notices/{SLUG}/deliveries.json").json or {})["deliveries"]) == 4
    for odd in ("0", "-1", "x", "9" * 40):
        assert world.get(f"/notices/{SLUG}/deliveries?before={odd}").status_code == 200


def test_it_is_served_at_publication_where_that_is_wished(world: World) -> None:
    world.publish(milestones=(100,))
    assert world.rows(select(Serving)) == []
    text = NOTICE.replace("published_on", "at_publication: yes\nrepeats: weekly\nwait_minutes: 0\npublished_on")
    with transaction() as session:
        source = source_file.read_file(text.replace(SLUG, "second-notice"))
        publishing.take_in(session, source, datetime.now(UTC))
        publishing.publish(session, "second-notice", datetime.now(UTC))
    assert [one.causes for one in world.rows(select(Serving))] == [["publication"]]
    world.work("notices")
    assert "Nobody has signed yet" in text_of(world.letter(CHAIR))


@pytest.mark.parametrize("line", ["repeats: daily", "at_publication: perhaps", "milestones: some", "serve_on: soon"])
def test_a_schedule_that_cannot_be_meant_is_refused(line: str) -> None:
    with pytest.raises(Refused):
        source_file.read_file(NOTICE.replace("published_on", f"{line}\npublished_on"))


def test_a_letter_after_the_first_says_what_changed(world: World) -> None:
    world.publish(milestones=(1, 2))
    crowd.sign(range(1))
    world.work("notices")
    crowd.sign(range(1, 2))
    with transaction() as session:
        publishing.meet(publishing.find(session, SLUG), 2, datetime(2026, 11, 20, tzinfo=UTC).date())
    serve(world)
    said = text_of(world.letters(CHAIR)[1])
    assert "1 more than in our last letter" in said
    assert "Met on 20 November 2026: 2. that the minutes be published" in said
    assert crowd.person(1).name in said
    assert crowd.person(0).name not in said
    assert names_given(world, CHAIR)[1] == [crowd.person(0).name, crowd.person(1).name]


def test_a_met_demand_is_shown_and_opened_again(world: World) -> None:
    world.publish()
    for on, shown in ((datetime(2026, 11, 20, tzinfo=UTC).date(), "Met on 20 November 2026"), (None, "Open")):
        with transaction() as session:
            publishing.meet(publishing.find(session, SLUG), 1, on)
        assert shown in world.get(f"/notices/{SLUG}").get_data(as_text=True)


def test_an_objection_ends_with_who_held_the_office(world: World) -> None:
    with transaction() as session:
        officials.take_in(session, [officials.read(TREASURER)], AT)
        officials.find(session, 1).objected_at = AT
        officials.take_in(session, [officials.read(TREASURER | {"email": "new@nec.example"})], AT)
        assert officials.find(session, 1).objected_at == AT
        officials.take_in(session, [officials.read(TREASURER | {"name": "Lou Marsh"})], AT)
        assert officials.find(session, 1).objected_at is None
