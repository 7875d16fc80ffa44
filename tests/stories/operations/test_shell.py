"""Commands as the shell runs them: exit codes, and what goes to which stream."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent.parent


def shell(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "flask", "--app", "wsgi", *words]
    return subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False)


def test_from_the_shell_results_and_news_keep_apart(environment: dict[str, str], tmp_path: Path) -> None:
    unmigrated = shell(environment, "notices", "status", "--json")
    assert unmigrated.returncode == 1
    assert "flask --app wsgi migrate" in json.loads(unmigrated.stdout)["error"]
    assert "Traceback" not in unmigrated.stderr
    assert json.loads(shell(environment, "migrate", "--json").stdout) == {"migrated": True}
    assert shell(environment, "seed").returncode == 0
    rows = tmp_path / "people.csv"
    rows.write_text("email,name\nann@example.org,Ann Ashworth\nnobody,Ben\n")
    words = ("subscribers", "import", str(rows), "--list", "updates", "--source", "autumn fair", "--json")
    done = shell(environment, *words)
    assert done.returncode == 1
    assert json.loads(done.stdout)["added"] == 1
    assert "line 3:" in done.stderr
    assert shell(environment, "notices", "burn").returncode == 2


@pytest.mark.parametrize("secret", ["", "a-key-for-these-tests-alone"])
def test_a_folder_that_cannot_be_written_is_one_sentence(environment: dict[str, str], tmp_path: Path, secret: str) -> None:
    (tmp_path / "file").write_text("in the way")
    broken = environment | {"VAR_DIR": str(tmp_path / "file" / "var"), "SECRET_KEY": secret}
    for words in (("migrate",), ("notices", "status")):
        result = shell(broken, *words)
        assert result.returncode == 1, result.stderr
        assert "Traceback" not in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1
