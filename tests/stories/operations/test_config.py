"""Settings: defaults that work, nonsense refused with a sentence that names the setting, secrets kept."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from service.core import config
from service.core.config import SettingRefused, Settings, load

ROOT = Path(__file__).parent.parent.parent.parent
KEY = "a-key-for-these-tests-alone"

NONSENSE = {
    "VAR_DIR": ["var\nlib"],
    "DATABASE_URL": ["undersigned.db", "mysql://localhost/x", "://", "postgresql://u@h:port/x"],
    "REDIS_URL": ["localhost:6379", "http://localhost", "unix://", "redis://localhost:port"],
    "WEB_PORT": ["http", "0", "65536", "-1", "80.5", "²"],
    "BASE_URL": ["notices.example.org", "ftp://example.org", "https://", "https://x.org/?a=1", "https://x.org:port",
                 "https://example.org/notices", "https://me@example.org"],
    "TRUSTED_PROXIES": ["-1", "all", "²"],
    "SECRET_KEY": ["short", f"{KEY},short", ",", "changeme-changeme", "a" * 40, f"{KEY},changemechangeme"],
    "HASH_KEY": ["short", "12" * 20, "please-change-me-0123456789", "your_secret_key_here"],
    "METRICS_TOKEN": ["short"],
    "MAIL_SERVER": ["mail server", "smtp://mail.example.org", "mail.example.org:25"],
    "MAIL_PORT": ["smtp", "70000"],
    "MAIL_USERNAME": ["a\nb"],
    "MAIL_PASSWORD": ["a\0b"],
    "MAIL_USE_TLS": ["maybe", "2"],
    "ALLOW_PLAIN_RELAY": ["maybe"],
    "ALLOW_PRIVATE_MX": ["maybe"],
    "MAIL_USE_SSL": ["maybe"],
    "MAIL_CA_FILE": ["/nowhere/ca.pem"],
    "MAIL_DEFAULT_SENDER": ["nobody", "a@b\r\nBcc: c@d", "Our Network <nobody>", "<a@example.org>, <b@example.org>"],
    "MAIL_TIMEOUT_SECONDS": ["0", "soon"],
    "MAIL_DOMAIN": ["lists", "lists.example.org:25", "@example.org", "lists example.org", "-a.org"],
    "MAIL_ROUTES": ["nec.example", "nec.example=host", "nec.example=host:smtp", "=host:25"],
    "DKIM_DOMAIN": ["example", "a b.org"],
    "DKIM_SELECTOR": ["a b", "s1;", ""],
    "DKIM_KEY_FILE": ["/nowhere/key.pem"],
    "DKIM_ED25519_SELECTOR": ["a b"],
    "DKIM_ED25519_KEY_FILE": ["/nowhere/key.pem"],
    "PROOF_KEY_FILE": ["proof\n.pem"],
    "WITNESS_EMAIL": ["witness", "a b@example.org"],
    "OFFICIALS_DIRECT": ["maybe"],
    "CLEAR_NETWORKS": ["everywhere", "10.0.0.1/8", "127.0.0.0/8;::1"],
    "LIMIT_ASKED": ["0", "many"],
    "LIMIT_UNANSWERED": ["0", "few"],
    "TIMESTAMP_URL": ["stamps.example", "ftp://stamps.example"],
    "TIMESTAMP_CA_FILE": ["/nowhere/at/all.pem"],
    "DNS_TRUSTED": ["perhaps"],
    "DNS_SERVER": ["192.0.2.53:dns", ":53", "dns.example.org"],
    "LIMIT_CONFIRM": ["many"],
    "GROUP_SIZE": ["0", "some"],
    "GROUP_SHARE": ["-1", "half"],
    "INBOUND_RESERVE_MB": ["-1", "half"],
    "NEWCOMER_HOURS": ["-1", "a day"],
    "ALLOW_ONE_PERSON": ["maybe"],
    "FEEDBACK_DOMAINS": ["yahoo", "arf.mail.yahoo.com;b.example"],
    "ADDRESS_DAYS": ["0", "old"],
    "ATTACH_NAMES": ["-1", "all"],
    "CORRECTION_HOURS": ["-1", "soon"],
    "DATABASE_WAIT_SECONDS": ["soon", "-1"],
    "MAIL_CONNECTIONS": ["0", "many"],
    "SIGNING_THREADS": ["0", "two"],
    "LIMIT_MESSAGES": ["-1", "fast"],
    "LIMIT_MAILING": ["-1", "fast"],
    "LIMIT_RECEIVING_DOMAIN": ["-1", "fast"],
    "LIMIT_DOMAIN_CONNECTIONS": ["-1", "many"],
    "REFUSED_SHARE": ["-1", "few"],
    "INBOUND_LMTP_PORT": ["x"],
    "INBOUND_SMTP_PORT": ["x"],
    "INBOUND_HOST": ["every where", "smtp://here"],
    "INBOUND_AUTHSERV_ID": ["mx example"],
    "INBOX_FORWARD_TO": ["us", "a@b\nc"],
    "SOFT_BOUNCES": ["0", "few"],
    "SOFT_DAYS": ["0", "-3"],
    "BLOCKED_SHARE": ["-1", "few"],
    "BRAKE_FAILURES": ["-1", "many"],
    "BRAKE_SHARE": ["0", "few"],
    "BRAKE_NEW_CAUSE": ["-1", "new"],
    "SES_TOPIC": ["arn:aws\nsns"],
    "POSTMARK_PASSWORD": ["short"],
    "POSTBOX_SMTP_PORT": ["x"],
    "POSTBOX_PORT": ["x"],
    "ORGANISATION": ["Us\nand them"],
    "POSTAL_ADDRESS": ["1 Street\r\nTown"],
    "IMPRINT": ["Published\nby us"],
    "CONTACT_EMAIL": ["contact", "a@b\nc"],
    "APPROVALS": ["2", "-1", "yes"],
    "SECOND_FACTOR": ["maybe"],
    "SERVING_WAIT_MINUTES": ["-1", "soon"],
    "UNCONFIRMED_DAYS": ["0", "week"],
    "PSEUDONYMISE_DAYS": ["0", "-3"],
    "LIMIT_VISITOR": ["many", "10", "-1 per minute", "0 per minute"],
    "LIMIT_SIGN_IN": ["ten per minute"],
    "LIMIT_VERIFY": ["ten per minute"],
    "PDF_SECONDS": ["0", "-1", "long"],
    "LIMIT_CODE": ["five"],
    "COOLING_SECONDS": ["a minute"],
    "TYPED_COUNT_ABOVE": ["-1"],
    "ALERT_URL": ["alerts", "ftp://alerts.example.org/"],
    "LIMIT_DOMAIN": ["10 per moon"],
    "LIMIT_COMMANDS": ["ten an hour"],
    "LIMIT_SIGN_IN_DAY": ["0", "few"],
    "LIMIT_GAP_MINUTES": ["-1", "x"],
    "LIMIT_DAY": ["0", "x"],
}  # fmt: skip


def settings(tmp_path: Path, **changes: str) -> Settings:
    return load({"VAR_DIR": str(tmp_path / "var"), "SECRET_KEY": KEY} | changes)


def test_every_setting_has_its_nonsense_here() -> None:
    assert set(NONSENSE) == {item.name.upper() for item in fields(Settings)}
    assert all(item.metadata["explain"].endswith(".") for item in fields(Settings))


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in NONSENSE.items() for text in texts if text])
def test_nonsense_is_refused_in_a_sentence_that_names_the_setting(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(SettingRefused) as refused:
        settings(tmp_path, **{name: text})
    sentence = str(refused.value)
    assert sentence.startswith(f"{name} ")
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert "literal" not in sentence


@pytest.mark.parametrize("name", ["SECRET_KEY", "HASH_KEY", "METRICS_TOKEN"])
def test_a_refused_secret_is_not_shown(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingRefused) as refused:
        settings(tmp_path, **{name: "hunter2"})
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("together", "named"),
    [
        ({"MAIL_USE_TLS": "on", "MAIL_USE_SSL": "on"}, "MAIL_USE_TLS and MAIL_USE_SSL"),
        ({"MAIL_SERVER": "mail.example.org", "MAIL_USE_TLS": "off"}, "ALLOW_PLAIN_RELAY=1"),
        ({"MAIL_SERVER": "192.0.2.25", "MAIL_USE_TLS": "off", "MAIL_PASSWORD": "x", "ALLOW_PLAIN_RELAY": "1"}, "MAIL_PASSWORD"),
        ({"BASE_URL": "https://example.org", "APPROVALS": "0"}, "APPROVALS is 0"),
        ({"BASE_URL": "https://example.org", "SECOND_FACTOR": "off"}, "ALLOW_ONE_PERSON=1"),
        ({"DKIM_DOMAIN": "example.org"}, "DKIM_DOMAIN and DKIM_KEY_FILE"),
        ({"SECRET_KEY_FILE": "/nowhere/key"}, "SECRET_KEY_FILE"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(tmp_path: Path, together: dict[str, str], named: str) -> None:
    with pytest.raises(SettingRefused, match=named):
        settings(tmp_path, **together)


def test_the_defaults_are_those_of_a_first_look(tmp_path: Path) -> None:
    found = load({"VAR_DIR": str(tmp_path)})
    assert found.database_url == f"sqlite:///{tmp_path}/undersigned.db"
    assert found.redis_url.startswith("unix:///tmp/undersigned-")
    assert len(found.redis_url) < 108
    assert (found.web_port, found.base_url, found.secure) == (8000, "http://localhost:8000", False)
    assert (found.mail_server, found.mail_port) == ("127.0.0.1", found.postbox_smtp_port) == ("127.0.0.1", 1025)
    assert (found.mail_use_tls, found.mail_use_ssl, found.trusted_proxies) == (False, False, 0)
    assert (found.approvals, found.second_factor, found.serving_wait_minutes, found.unconfirmed_days) == (1, True, 15, 7)
    assert found.limit_visitor == "60 per 10 minutes"
    assert (found.limit_gap_minutes, found.limit_day) == (15, 3)
    assert found.postal_address in found.imprint
    assert found.organisation in found.imprint
    assert load({"WEB_PORT": "8123", "VAR_DIR": str(tmp_path)}).base_url == "http://localhost:8123"
    assert load({}).var_dir == Path("var").absolute() if not Path("var").exists() else True


def test_an_empty_variable_is_the_default(tmp_path: Path) -> None:
    empty = {name: "" for name in NONSENSE if name not in {"VAR_DIR", "SECRET_KEY"}}
    assert settings(tmp_path, **empty) == settings(tmp_path)


@pytest.mark.parametrize(
    ("url", "storage"),
    [("unix:///run/r.sock", "redis+unix:///run/r.sock"), ("redis://h:1/0", "redis://h:1/0"), ("rediss://h", "rediss://h")],
)
def test_the_limiter_spells_redis_its_own_way(tmp_path: Path, url: str, storage: str) -> None:
    assert settings(tmp_path, REDIS_URL=url).limits_storage == storage


def test_any_setting_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    (tmp_path / "name").write_text("Our Network")
    found = load(
        {"VAR_DIR": str(tmp_path), "SECRET_KEY_FILE": str(tmp_path / "key"), "ORGANISATION_FILE": str(tmp_path / "name")}
    )
    assert found.secret_key == (KEY,)
    assert found.organisation == "Our Network"
    (tmp_path / "name").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingRefused, match="ORGANISATION_FILE"):
        load({"VAR_DIR": str(tmp_path), "ORGANISATION_FILE": str(tmp_path / "name")})


def test_a_rotated_key_signs_first_and_the_old_one_still_hashes(tmp_path: Path) -> None:
    found = settings(tmp_path, SECRET_KEY=f"the-new-key-of-today,{KEY}")
    assert found.secret_key == ("the-new-key-of-today", KEY)
    assert found.hash_key == KEY


def test_the_generated_secret_is_private_and_stays(tmp_path: Path) -> None:
    first = load({"VAR_DIR": str(tmp_path / "var")})
    file = tmp_path / "var" / "secret.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert load({"VAR_DIR": str(tmp_path / "var")}).secret_key == first.secret_key
    assert len(first.secret_key[0]) >= 48
    assert [one.name for one in file.parent.iterdir()] == ["secret.key"]
    file.write_text("")
    with pytest.raises(SettingRefused, match=r"secret\.key"):
        load({"VAR_DIR": str(tmp_path / "var")})


def test_processes_that_start_at_once_have_one_secret(tmp_path: Path) -> None:
    code = "import os; from service.core.config import load; print(load(os.environ).secret_key[0])"
    bare = {name: value for name, value in os.environ.items() if name != "SECRET_KEY"} | {"VAR_DIR": str(tmp_path / "var")}
    start = [subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=bare, stdout=subprocess.PIPE) for _ in range(6)]
    said = {process.communicate()[0] for process in start}
    assert len(said) == 1
    assert len(said.pop().strip()) >= 48


def test_a_process_reads_its_settings_once(tmp_path: Path) -> None:
    before = config.settings()
    chosen = settings(tmp_path)
    config.use(chosen)
    assert config.settings() is chosen
    config.use(before)
