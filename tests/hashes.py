"""`make hashes`: writes into both requirements files the hash of every file that pip may take for a pinned version.

pip then takes nothing else (hash-checking mode, which it switches on by itself). Wheels for Python 3.11 and newer on Linux and
macOS, and the source. Run it after a version was changed; the line above a pin is its reason, and stays.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

from tests.conftest import ROOT

FILES = (ROOT / "requirements.txt", ROOT / "tests" / "requirements.txt")
PIN = re.compile(r"^([A-Za-z0-9_.-]+)(\[[a-z,]+\])?==([^\s;\\]+)\s*(;[^\\]*)?\\?$")
SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
PYTHON = re.compile(r"(?:^|\.)(?:py3|cp31[1-9])")


def index() -> str:
    """The one that pip is set up with."""
    asked = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", "global.index-url"], capture_output=True, text=True, check=False
    )
    return (os.environ.get("PIP_INDEX_URL") or asked.stdout.strip() or "https://pypi.org/simple").rstrip("/")


def hashes(name: str, version: str) -> list[str]:
    """PEP 691: the files of a project with their hashes."""
    project = re.sub(r"[-_.]+", "-", name).lower()
    asked = urllib.request.Request(f"{index()}/{project}/", headers={"Accept": SIMPLE_JSON})
    with urllib.request.urlopen(asked, timeout=60) as answer:
        files = json.load(answer)["files"]
    return sorted({file["hashes"]["sha256"] for file in files if _is_of(file["filename"], project, version)})


def _is_of(filename: str, project: str, version: str) -> bool:
    if filename.endswith(".tar.gz"):
        return (
            re.sub(r"[-_.]+", "-", filename.removesuffix(".tar.gz")).lower()
            == re.sub(r"[-_.]+", "-", f"{project}-{version}").lower()
        )
    if not filename.endswith(".whl"):
        return False
    of_version, (python, abi, platform) = filename.split("-")[1], filename.removesuffix(".whl").split("-")[-3:]
    fits = bool(PYTHON.search(python) or "abi3" in abi) and not abi.endswith("t")
    here = (
        platform == "any" or "macosx" in platform or ("linux" in platform and re.search("x86_64|aarch64", platform) is not None)
    )
    return of_version.lower() == version.lower() and fits and here


def rewritten(path: Path) -> str:
    lines: list[str] = []
    for line in path.read_text().splitlines():
        if line.startswith("    --hash="):
            continue
        lines.append(line)
        if (pin := PIN.match(line.strip())) is not None:
            found = hashes(pin[1], pin[3])
            if not found:
                raise SystemExit(f"The index has no file of {pin[1]} {pin[3]}.")
            lines[-1] = line.rstrip(" \\") + " \\"
            lines += [f"    --hash=sha256:{one}" + (" \\" if one != found[-1] else "") for one in found]
    return "\n".join(lines) + "\n"


def main() -> None:
    for path in FILES:
        path.write_text(rewritten(path))


if __name__ == "__main__":
    main()
