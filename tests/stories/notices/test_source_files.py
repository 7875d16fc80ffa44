"""What a notice's file may say: nothing in it is left out without a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.errors import Refused
from service.notices import source_file
from tests.support.people import NOTICE
from tests.support.world import World

TEXT = "We the undersigned demand:\n\n- that the accounts be published.\n"


def of(lines: str, body: str = TEXT) -> str:
    """The tests' notice with more lines in its front matter, or another text."""
    return NOTICE.partition("---\nWe the")[0] + f"{lines}---\n{body}"


@pytest.mark.parametrize(("line", "said"), [
    ("mileston: 10", "“mileston” (did you mean milestones?)"),
    ("Milestones: 10", "“Milestones” (did you mean milestones?)"),
    ("serve-on: 2026-12-01", "“serve-on” (did you mean serve_on?)"),
    ("wait_minute: 5", "“wait_minute” (did you mean wait_minutes?)"),
    ("at publication: yes", "“at publication” (did you mean at_publication?)"),
    ("repeat: weekly", "“repeat” (did you mean repeats?)"),
    ("adressed_to: nobody", "“adressed_to” (did you mean addressed_to?)"),
    ("colour: red", "“colour”. It may hold title, slug"),
    ("# a remark: here", "“# a remark”. It may hold"),
    (": nothing", "we do not know: “”. It may hold"),
    ("Tıtle: x", "“Tıtle” (did you mean title?)"),
    ("mileston: 10\nauthor: me", "“mileston” (did you mean milestones?), “author”."),
])  # fmt: skip
def test_an_unknown_key_is_refused_by_name(line: str, said: str) -> None:
    with pytest.raises(Refused) as refused:
        source_file.read_file(of(f"{line}\n"))
    assert said in str(refused.value)


def test_a_key_that_stands_twice_is_refused() -> None:
    with pytest.raises(Refused, match="has title, milestones more than once"):
        source_file.read_file(of("milestones: 1\nmilestones: 2\ntitle: Another\n"))


@pytest.mark.parametrize(("body", "said"), [
    ("We demand better.\n", "it has no list"), ("", "has no text"), ("# Only a heading\n", "it has no list"),
    ("1) \n2) that it be so\n", "point 1 is empty"), ("- one\n-\n- three\n-\n", "point 2, 4 is empty"),
    ("    - code, no list\n", "it has no list"), ("- ```\n  only code\n  ```\n", "point 1 is empty"),
])  # fmt: skip
def test_a_notice_without_demands_is_refused(body: str, said: str) -> None:
    with pytest.raises(Refused) as refused:
        source_file.read_file(of("", body))
    assert said in str(refused.value)


@pytest.mark.parametrize("body", [TEXT, "1. that it be so\n", "> - in a quotation\n", "* one\n\n  more\n* two\n    - nested\n"])
def test_what_demands_something_is_taken(body: str) -> None:
    assert source_file.demands(source_file.read_file(of("milestones: 1, 2\nserve_on: 2026-12-01\n", body)).body)


def run(world: World, *arguments: str) -> tuple[int, str]:
    result = world.app.test_cli_runner().invoke(args=list(arguments))
    return result.exit_code, " ".join((result.output + result.stderr).split())


def test_the_command_says_it_in_one_sentence_and_takes_nothing_in(world: World, tmp_path: Path) -> None:
    file = tmp_path / "notice.md"
    file.write_text(of("mileston: 10\n"))
    code, said = run(world, "notices", "import", str(file))
    assert code != 0
    assert "a key that we do not know: “mileston” (did you mean milestones?)" in said
    file.write_text(of("", "We demand better.\n"))
    assert "it has no list" in run(world, "notices", "import", str(file))[1]
    assert run(world, "notices", "status", "--json")[1].startswith('{"notices": []}')


def test_a_column_that_is_nearly_one_of_ours_is_refused_and_others_are_left_alone(world: World, tmp_path: Path) -> None:
    file = tmp_path / "officials.csv"
    line = "Treasurer,Kim Reed,treasurer@nec.example,party website,2026-11-01"
    file.write_text(f"office,name,email,source,verified_on,fallback_mail\n{line},kim@nec.example\n")
    code, said = run(world, "officials", "import", str(file))
    assert code != 0
    assert "'fallback_mail', which we do not know. Did you mean fallback_email?" in said
    file.write_text(f"office,name,email,source,verified_on,remarks\n{line},none\n")
    assert "1 added" in run(world, "officials", "import", str(file))[1]
