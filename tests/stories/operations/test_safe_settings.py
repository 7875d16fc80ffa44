"""Settings that are safe by default, each with its opposite in so many words."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from service.core.config import Settings, load
from tests.conftest import ROOT

KEY = "a-key-for-these-tests-alone"


def settings(tmp_path: Path, **changes: str) -> Settings:
    return load({"VAR_DIR": str(tmp_path / "var"), "SECRET_KEY": KEY} | changes)


@pytest.mark.parametrize("one", [{"APPROVALS": "0"}, {"SECOND_FACTOR": "off"}])
def test_one_person_may_do_it_all_where_a_setting_says_so_or_nobody_reaches_it(tmp_path: Path, one: dict[str, str]) -> None:
    assert settings(tmp_path, **one).base_url.startswith("http://localhost")
    assert settings(tmp_path, BASE_URL="https://example.org", ALLOW_ONE_PERSON="1", **one).secure


@pytest.mark.parametrize(
    ("changes", "tls"),
    [
        ({"MAIL_SERVER": "mail.example.org"}, True), ({"MAIL_SERVER": "192.0.2.25"}, True), ({"MAIL_SERVER": "10.0.0.7"}, True),
        ({"MAIL_SERVER": "localhost.example.org"}, True), ({"MAIL_SERVER": "localhost"}, False),
        ({"MAIL_SERVER": "127.0.0.2"}, False),
        ({"MAIL_SERVER": "::1"}, False), ({"MAIL_SERVER": "localhost", "MAIL_USE_TLS": "on"}, True),
        ({"MAIL_SERVER": "mail.example.org", "MAIL_USE_SSL": "on"}, False),
        ({"MAIL_SERVER": "mail.example.org", "ALLOW_PLAIN_RELAY": "1"}, False),
        ({"MAIL_SERVER": "mail.example.org", "ALLOW_PLAIN_RELAY": "1", "MAIL_USE_TLS": "on"}, True),
    ],
)  # fmt: skip
def test_letters_cross_a_network_encrypted_unless_a_setting_says_otherwise(
    tmp_path: Path, changes: dict[str, str], tls: bool
) -> None:
    assert settings(tmp_path, **changes).mail_use_tls is tls


@pytest.mark.parametrize("key", [KEY, "0f" + "3a9c" * 3 + "71be5d2488", "correct horse battery staple"])
def test_a_key_that_nobody_guesses_is_taken(tmp_path: Path, key: str) -> None:
    assert settings(tmp_path, SECRET_KEY=key).secret_key == (key,)


def start(folder: Path) -> subprocess.CompletedProcess[str]:
    """A process that reads its settings and writes a file."""
    code = (
        "from service.core.config import settings; (settings().var_dir / 'written').write_text('x'); print(settings().var_dir)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "SECRET_KEY"} | {"VAR_DIR": str(folder)}
    before = os.umask(0o022)
    try:
        return subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
    finally:
        os.umask(before)


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o777, 0o701])
def test_a_folder_that_others_can_read_is_closed_to_them(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "var"
    folder.mkdir()
    folder.chmod(mode)
    assert start(folder).returncode == 0
    assert folder.stat().st_mode & 0o777 == mode & 0o700
    for path in folder.iterdir():
        assert not path.stat().st_mode & 0o077, path


def test_a_folder_of_everybody_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    folder.chmod(0o1777)
    done = start(folder)
    assert done.returncode == 1
    assert "VAR_DIR" in done.stderr
    assert "give the service a folder of its own" in done.stderr
    assert folder.stat().st_mode & 0o7777 == 0o1777
