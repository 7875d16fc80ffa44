"""Which fonts the documents for officials are set in: typst's own, Noto's from two packages, and the system's Noto."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec

import typst

PACKAGES = ("manimgx_fonts", "manimgx_fonts_cjk")
"""Packages that hold font files and nothing else (SIL Open Font License 1.1)."""
AFTER = ("New Computer Modern", "Noto Sans", "Noto Sans Symbols", "Noto Emoji")
"""Where a letter is looked for that the fonts of single scripts do not have."""
CHINESE = "Noto Sans CJK SC"
"""One family of the five that hold the same characters in the forms of different countries: each takes 33 MB of memory."""
LIVING = (
    "Arabic", "Armenian", "Bengali", "CJK", "Devanagari", "Ethiopic", "Georgian", "Gujarati", "Gurmukhi", "Hebrew", "Kannada",
    "Khmer", "Lao", "Malayalam", "Myanmar", "Oriya", "Sinhala", "Tamil", "Telugu", "Thaana", "Thai", "Tibetan",
)  # fmt: skip
"""Scripts in everyday use (UAX #31, table 5), but for Latin, Greek and Cyrillic, which typst's own fonts have; CJK is four."""


@dataclass(frozen=True)
class Fonts:
    """Fonts that are loaded, and their families in the order in which a letter is looked for."""

    loaded: typst.Fonts
    families: tuple[str, ...]

    def has(self, script: str) -> bool:
        return any(f" {script} " in f"{family} " for family in self.families)


@cache
def packaged() -> Fonts:
    """The fonts that come with the installation, the same on every machine. They stay loaded: 30 ms the first time."""
    return load(PACKAGES, system=False)


@cache
def all_there_are() -> Fonts:
    """Those, and Noto's that the machine has beside them."""
    return load(PACKAGES, system=True)


def load(packages: tuple[str, ...], *, system: bool) -> Fonts:
    """Finds fonts: those of packages that are not installed are missing, and nothing fails."""
    loaded = typst.Fonts(include_system_fonts=system, include_embedded_fonts=True, font_paths=folders(packages))
    noto = {family for family in loaded.families() if family.startswith("Noto ")} - {*AFTER}
    chinese = sorted((family for family in noto if " CJK " in family), key=lambda family: (family != CHINESE, family))
    return Fonts(loaded, ("Libertinus Serif", *sorted(noto - {*chinese}), *AFTER, *chinese[:1], "DejaVu Sans Mono"))


def folders(packages: tuple[str, ...]) -> list[str]:
    specs = [spec for package in packages if (spec := find_spec(package)) is not None]
    return [folder for spec in specs for folder in spec.submodule_search_locations or ()]


def missing() -> tuple[str, ...]:
    """Living scripts that no font here has: a name in one of them is □ in a PDF, and whole everywhere else."""
    return tuple(script for script in LIVING if not all_there_are().has(script))
