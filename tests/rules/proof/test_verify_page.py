"""The page that checks a file: what was served is told by itself; what cannot be confirmed is told with its reason."""

from __future__ import annotations

import io

import pytest

from tests.support.people import ANN, BEN, SLUG
from tests.support.world import World

CONFIRMED = "Everything that could be checked holds."
NOT_CONFIRMED = "We could not confirm this."


def checked(world: World, *files: tuple[str, bytes]) -> str:
    """What the page says of these files."""
    uploads = [(io.BytesIO(content), name) for name, content in files]
    return world.post("/verify", {"files": uploads}).get_data(as_text=True)


def served(world: World, number: int = 1) -> dict[str, bytes]:
    """The files of a letter of this serving."""
    letter = world.letters("chair@nec.example")[number - 1]
    return {str(part.get_filename()): bytes(part.get_payload(decode=True)) for part in letter.iter_attachments()}


@pytest.fixture
def served_world(world: World) -> World:
    """Two servings: one of a single name, one of two."""
    world.publish(milestones=(1,))
    world.sign(ANN)
    world.confirm(ANN["email"])
    world.sweep()
    world.work()
    world.sign(BEN)
    world.confirm(BEN["email"])
    assert world.app.test_cli_runner().invoke(args=["notices", "serve", SLUG]).exit_code == 0
    world.sweep()
    world.work()
    return world


def test_each_document_of_a_letter_is_confirmed_by_itself(served_world: World) -> None:
    names = [name for name in served(served_world) if name != "manifest.json"]
    assert len(names) == 3
    for name in names:
        page = checked(served_world, (name, served(served_world)[name]))
        assert CONFIRMED in page, name
        assert "is published, and was in use then" in page


def test_documents_of_two_servings_are_confirmed_together(served_world: World) -> None:
    lists = [served(served_world, number)["open-the-books-signatures.csv"] for number in (1, 2)]
    page = checked(served_world, ("list.csv", lists[0]), ("list.csv", lists[1]))
    assert CONFIRMED in page
    assert "with serving 1 of" in page
    assert "with serving 2 of" in page


def test_a_changed_document_is_not_confirmed_and_the_page_says_why(served_world: World) -> None:
    changed = served(served_world)["open-the-books.pdf"] + b"\n"
    page = checked(served_world, ("list.pdf", changed))
    assert NOT_CONFIRMED in page
    assert "list.pdf: we could not confirm this file, because no manifest here names one with exactly these bytes" in page


def test_one_true_and_one_changed_document_are_told_apart(served_world: World) -> None:
    true = served(served_world)["open-the-books.pdf"]
    page = checked(served_world, ("true.pdf", true), ("false.pdf", true + b" "))
    assert NOT_CONFIRMED in page
    assert "true.pdf: this was given to" in page
    assert "false.pdf: we could not confirm" in page


def test_a_rehearsals_document_was_served_on_nobody(world: World) -> None:
    world.publish()
    world.add_organisers()
    runner = world.app.test_cli_runner()
    path = world.settings.var_dir / "notice.md"
    path.write_text("---\ntitle: Open the gates\nslug: open-the-gates\naddressed_to: the Chair\npublished_by: The Members\n"
                    "published_on: 2026-11-02\n---\nWe demand:\n\n- that the gates be opened.\n")  # fmt: skip
    assert runner.invoke(args=["notices", "import", str(path)]).exit_code == 0
    assert runner.invoke(args=["notices", "serve", "open-the-gates"]).exit_code == 0
    world.sweep()
    world.work()
    letter = next(one for one in world.letters() if "Open the gates" in str(one["Subject"]))
    pdf = next(
        bytes(part.get_payload(decode=True)) for part in letter.iter_attachments() if part.get_filename().endswith(".pdf")
    )
    page = checked(world, ("list.pdf", pdf))
    assert "we could not confirm this file" in page


def test_what_is_held_about_a_person_is_told_to_be_no_receipt(served_world: World) -> None:
    manage = served_world.manage(ANN["email"])
    export = served_world.post(manage, {"act": "export"}).data
    page = checked(served_world, ("what-we-hold.json", export))
    assert "it is a copy of everything that is held about a person, and proves nothing" in page
    assert "receipt.json" in page
    assert "was changed" not in page


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest", "save the letter as .eml"),
        (b"PK\x03\x04rest", "unpack it"),
        (b"\x89PNG\r\n\x1a\nrest", "it is a picture"),
        (b"\xff\xd8\xff\xe0rest", "it is a picture"),
        (b"<!DOCTYPE html><p>Dear Chair", "it is a web page"),
        (b"Dear Chair,\n\nwe demand\n", "no letter that carries one"),
        (b'{"a": 1}', "another program saved it anew"),
        (b"", "no letter that carries one"),
    ],
)
def test_what_is_no_file_of_ours_is_told_with_what_to_do(world: World, content: bytes, reason: str) -> None:
    world.publish()
    page = checked(world, ("something", content))
    assert reason in page
    assert "Traceback" not in page


@pytest.mark.settings(LIMIT_VERIFY="3 per 10 minutes")
def test_all_leaves_may_be_a_million_and_are_read_so_many_times_alone(served_world: World) -> None:
    statuses = [served_world.get(f"/notices/{SLUG}/editions/1/leaves.txt").status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
