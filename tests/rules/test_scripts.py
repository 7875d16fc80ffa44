"""Names of every script in a list for officials: printed, in their direction, in lines that end before the margin."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from service.servings.documents import fonts
from service.servings.documents.notice_documents import Signer, annex_pdf, annex_volumes
from service.servings.documents.pdf_compiler import Typeset
from service.text.characters import scripts
from tests.stories.servings.test_documents import ANNEX, words

NAMES = {
    "Arabic": "محمد علي", "Armenian": "Արամ Պետրոսյան", "Bengali": "সুমি রহমান", "Burmese": "မောင်မောင် မြို့",
    "Chinese": "李小龍", "Cyrillic": "Юрий Пример", "Devanagari": "सुनील कुमार", "Ethiopic": "አበበ በቂላ",
    "Georgian": "გიორგი ბერიძე", "Greek": "Ινώ Παράδειγμα", "Gujarati": "નિર્મલા પટેલ", "Gurmukhi": "ਗੁਰਪ੍ਰੀਤ ਸਿੰਘ",
    "Hangul": "김철수", "Hebrew": "משה כהן", "Kana": "やまだ はなこ", "Kannada": "ನಿರ್ಮಲಾ ರಾವ್", "Khmer": "ភួង សុភាព",
    "Lao": "ສົມຊາຍ ວົງສາ", "Malayalam": "മീനാക്ഷി നായർ", "Odia": "ମିନା ଦାସ", "Sinhala": "නිමල් පෙරේරා", "Tamil": "நிமல் குமார்",
    "Telugu": "మీనా కుమారి", "Thai": "ศรีสุดา มีสุข", "Vietnamese": "Nguyễn Thị Ví",
}  # fmt: skip
"""A name in each of them, Latin apart: all invented."""


def signers(names: list[str]) -> list[Signer]:
    return [Signer(name, name, "", number) for number, name in enumerate(names, 1)]


@pytest.fixture(scope="module")
def volume() -> Typeset:
    """One list with a name in each script."""
    return annex_volumes(ANNEX, signers(list(NAMES.values())))[0]


def test_names_of_all_scripts_are_printed(volume: Typeset) -> None:
    text = words(volume.pdf)
    assert volume.missing == ()
    assert "□" not in text
    for name in NAMES.values():
        assert set(name) - {" "} <= set(text), name


def test_the_same_names_give_the_same_bytes_and_anybody_can_read_them(volume: Typeset) -> None:
    assert annex_volumes(ANNEX, signers(list(NAMES.values())))[0].pdf == volume.pdf
    for part in (b"<pdfuaid:part>1</pdfuaid:part>", b"/StructTreeRoot", b"/Lang(en-GB)"):
        assert part in volume.pdf


@pytest.mark.parametrize("name", ["محمد علي", "משה כהן"])
def test_what_stands_beside_a_name_that_runs_from_right_to_left_stays_on_its_right(name: str) -> None:
    """Poppler gives such words as they are drawn, from left to right."""
    first, last = (word[::-1] for word in name.split())
    drawn = sorted(boxes(annex_pdf(ANNEX, [Signer(name, name, "chair")])))
    row = [word for _, top, _, _, word in drawn if abs(top - line_of(drawn, "chair")) < 8 and len(word) > 1]
    assert row == [last, f"{first},", "chair"]
    [heading] = [word for *_, word in drawn if word.endswith("(1)")]
    assert heading.replace(scripts.END_OF_ISOLATE, "") == f"{first} (1)"


@pytest.mark.parametrize("number", [3, 500])
def test_a_name_of_a_hundred_letters_wraps_within_its_column(number: int) -> None:
    letters = "AWøжกမம李한م"
    pdf = annex_pdf(ANNEX, signers([letter * 100 for letter in letters] + [f"Ann {count}" for count in range(number)]))
    columns = 2 if number < 400 else 3
    width = (210 - 50 - (columns - 1) * 7) / columns / 25.4 * 72
    for letter in letters:
        drawn = [box for box in boxes(pdf) if box[4].count(letter) > 1]
        assert len(drawn) > 2
        assert max(right - left for left, _, right, _, _ in drawn) <= width + 0.5, letter
        assert "".join(box[4] for box in drawn).count(letter) >= 190  # as heading and as name; some are drawn as one


def test_a_long_title_wraps_and_stays_whole_in_the_properties() -> None:
    title = "Donaudampfschifffahrtsgesellschaft" * 3
    everywhere = replace(
        ANNEX, title=title, addressed_to=title, published_by=title, imprint=title, body=f"{title}\n\n- {title}"
    )
    pdf = annex_pdf(everywhere, [])
    assert max(right for _, _, right, _, _ in boxes(pdf)) <= (210 - 25) / 25.4 * 72 + 0.5
    assert title.encode() in pdf


def test_a_name_with_a_hyphen_or_of_usual_length_is_left_as_it_is() -> None:
    for name in ("Featherstonehaugh-Cholmondeley", "Wolfeschlegelstein Ann", "ศรีสุดา มีสุข", "李小龍"):
        assert scripts.breakable(name) == name


def test_where_packages_of_fonts_are_missing_nothing_fails_and_they_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    none = fonts.load(("no_such_package",), system=False)
    assert none.families == ("Libertinus Serif", *fonts.AFTER, "DejaVu Sans Mono")
    assert not none.has("Thai")
    monkeypatch.setattr(fonts, "all_there_are", lambda: none)
    assert {"Thai", "CJK", "Bengali"} <= set(fonts.missing())


def test_a_font_of_the_system_is_taken_where_the_packages_have_none(tmp_path: Path) -> None:
    """As a machine's owner puts fonts: into the folder of their own that fontconfig names."""
    [source] = [path for path in fonts.folders(fonts.PACKAGES) if (Path(path) / "NotoSansThai[wght].ttf").exists()]
    place = tmp_path / ".local" / "share" / "fonts"
    place.mkdir(parents=True)
    shutil.copy(Path(source) / "NotoSansThai[wght].ttf", place)
    command = [
        sys.executable,
        "-c",
        "from service.servings.documents import fonts; print(*fonts.load((), system=True).families, sep=chr(10))",
    ]
    environment = os.environ | {"HOME": str(tmp_path), "XDG_DATA_HOME": str(place.parent)}
    families = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split("\n")
    assert "Noto Sans Thai" in families


def boxes(pdf: bytes) -> list[tuple[float, float, float, float, str]]:
    """Where each word of a document stands: left, top, right, bottom in points, and the word."""
    if not (pdftotext := shutil.which("pdftotext")):
        pytest.skip("pdftotext (poppler-utils) is not installed")
    drawn = subprocess.run([pdftotext, "-bbox", "-", "-"], input=pdf, capture_output=True, check=True).stdout.decode()
    found = re.findall(r'<word xMin="([\d.-]+)" yMin="([\d.-]+)" xMax="([\d.-]+)" yMax="([\d.-]+)">(.*?)</word>', drawn)
    return [(float(left), float(top), float(right), float(bottom), word) for left, top, right, bottom, word in found]


def line_of(drawn: list[tuple[float, float, float, float, str]], word: str) -> float:
    return next(top for _, top, _, _, text in drawn if text == word)
