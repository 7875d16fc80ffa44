"""What a mail program shows is what was hashed: six readers of MIME over true, forged and by chance changed letters.

Wherever the verdict is *holds*, each of them shows exactly what the manifest names.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from service.proof.encoding import decode
from tests.mail_programs.comparing import differences
from tests.mail_programs.odd_letters import ODD_LETTERS, TRUE_LETTERS
from tests.mail_programs.random_changes import changed_letters
from tests.mail_programs.views import views_of
from tests.rules.proof.test_forgeries import FORGED_LETTERS, TRUE, judged
from tests.support.proof_files import ONE, SALT

FORGED = FORGED_LETTERS | ODD_LETTERS
DELIVERY = decode(ONE)["manifest"]["deliveries"][0]
CHANGES = 4_000
Differences = dict[str, dict[str, list[str]]]


@pytest.fixture
def shown_otherwise(tmp_path: Path) -> Callable[[dict[str, bytes]], Differences]:
    """By letter and by program: what it shows that the manifest does not name, or the other way round."""

    def compare(letters: dict[str, bytes]) -> Differences:
        views = views_of(letters, tmp_path)
        return {
            what: {program: list(differences(view[what], DELIVERY, SALT, ONE)) for program, view in views.items()}
            for what in letters
        }

    return compare


def test_a_true_letter_holds_and_each_program_shows_what_was_hashed(
    shown_otherwise: Callable[[dict[str, bytes]], Differences],
) -> None:
    assert {what: judged({"letter.eml": content}) for what, content in TRUE_LETTERS.items()} == dict.fromkeys(
        TRUE_LETTERS, "HOLDS"
    )
    for what, programs in shown_otherwise(TRUE_LETTERS).items():
        assert len(programs) == 6
        assert not any(programs.values()), (what, programs)


@pytest.mark.parametrize("what", ODD_LETTERS)
def test_what_mail_programs_read_differently_never_holds(what: str) -> None:
    assert ODD_LETTERS[what] != TRUE
    assert judged({"letter.eml": ODD_LETTERS[what]}) in {"DOES_NOT_HOLD", "UNREADABLE"}


def test_the_programs_do_read_the_forgeries_differently(
    shown_otherwise: Callable[[dict[str, bytes]], Differences],
) -> None:
    """Else this file would prove nothing. What is named as changed, at least one of them shows as changed."""
    compared = shown_otherwise(FORGED)
    seen = [what for what, programs in compared.items() if any(programs.values())]
    assert len(seen) >= len(FORGED) * 2 // 3
    disagreed = [what for what in seen if not all(compared[what].values())]
    assert len(disagreed) >= 20, disagreed
    named = {what for what, content in FORGED.items() if judged({"letter.eml": content}) == "DOES_NOT_HOLD"}
    assert named - set(seen) == {"no salt"}


def test_whatever_chance_changes_holds_only_where_each_program_shows_what_was_hashed(
    shown_otherwise: Callable[[dict[str, bytes]], Differences],
) -> None:
    letters = {str(number): content for number, content in enumerate(changed_letters(CHANGES))}
    holding = {what: content for what, content in letters.items() if judged({"letter.eml": content}) == "HOLDS"}
    assert CHANGES // 50 < len(holding) < CHANGES // 5
    for what, programs in shown_otherwise(holding).items():
        assert not any(programs.values()), (letters[what], programs)
