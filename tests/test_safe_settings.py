"""Settings that are safe by default, each with its opposite in so many words."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.config import Settings, load

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
