"""The postbox's pages, limits and life as a process."""

import signal
import smtplib
import time
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.postbox.running import SENDER, Postbox, free_port, letter, status


def test_what_is_not_there_is_said_to_be_missing(postbox: Postbox) -> None:
    for path in ("/api/v1/message/latest", "/api/v1/message/7/raw", "/message/9999999999999999999999", "/message/²"):
        assert status(postbox, quote(path)) == 404
    assert status(postbox, "/api/v1/search") == 400


def test_a_foreign_host_name_is_refused(postbox: Postbox) -> None:
    assert status(postbox, "/api/v1/messages", Host="attacker.example.org") == 400


def test_links_in_the_text_can_be_followed_and_nothing_else_is_markup(postbox: Postbox) -> None:
    postbox.send(letter(text='<script>x</script> (see http://localhost:8000/confirm/a-_.b?x=1&y="2).\n'))
    html = postbox.page("/message/latest?view=text")
    assert '<a href="http://localhost:8000/confirm/a-_.b?x=1&amp;y=">' in html
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_html_is_shown_where_it_can_do_nothing_but_open_links(postbox: Postbox) -> None:
    message = letter()
    message.add_alternative("<!DOCTYPE html><html><body><a href='http://localhost/x'>x</a></body></html>", subtype="html")
    postbox.send(message)
    body, headers = postbox.open("/message/latest/html")
    assert body.startswith(b'<!DOCTYPE html><base target="_blank"><html>')
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "sandbox allow-popups allow-popups-to-escape-sandbox" in headers["Content-Security-Policy"]
    assert '<iframe src="/message/' in postbox.page("/message/latest")


def test_a_get_reads_and_a_head_does_not(postbox: Postbox) -> None:
    postbox.send(letter())
    postbox.open("/message/latest", "HEAD")
    assert postbox.get("/messages")["unread"] == 1
    assert 'class="unread"' in postbox.page("/")
    postbox.open("/message/latest")
    assert postbox.get("/messages")["unread"] == 0
    assert 'class="unread"' not in postbox.page("/")


def test_too_large_is_refused_before_it_is_sent(postbox: Postbox) -> None:
    with smtplib.SMTP("127.0.0.1", postbox.smtp_port) as connection:
        connection.ehlo()
        assert connection.esmtp_features["size"] == str(32 * 1024 * 1024)
        assert connection.has_extn("smtputf8")
        assert connection.has_extn("8bitmime")
        assert connection.mail(SENDER, [f"SIZE={33 * 1024 * 1024}"])[0] == 552


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_restart_keeps_messages(tmp_path: Path, number: signal.Signals) -> None:
    postbox = Postbox(tmp_path / "var")
    postbox.send(letter())
    # An open connection must not delay the stop.
    with smtplib.SMTP("127.0.0.1", postbox.smtp_port):
        asked_at = time.monotonic()
        assert postbox.stop(number) == (-number if number == signal.SIGKILL else 0)
        assert time.monotonic() - asked_at < 1
    postbox.start()
    assert postbox.get("/messages")["messages"][0]["Subject"] == "Confirm your signature"
    postbox.stop()


@pytest.mark.parametrize("name", ["POSTBOX_SMTP_PORT", "POSTBOX_PORT"])
def test_a_taken_port_is_said_in_one_sentence(tmp_path: Path, running: Postbox, name: str) -> None:
    taken = running.smtp_port if name == "POSTBOX_SMTP_PORT" else running.web_port
    other = {"POSTBOX_SMTP_PORT": str(free_port()), "POSTBOX_PORT": str(free_port()), "VAR_DIR": str(tmp_path)}
    process = running.launch(**{**other, name: str(taken)})
    said = process.communicate(timeout=20)[1]
    assert process.returncode == 1
    reason = f"cannot listen on 127.0.0.1:{taken} (address already in use)"
    assert said == f"Postbox: {reason}; set {name} to a free port.\n"


def test_a_port_that_is_no_port_is_refused(running: Postbox) -> None:
    process = running.launch(POSTBOX_SMTP_PORT="mail")
    assert "POSTBOX_SMTP_PORT must be a port" in process.communicate(timeout=20)[1]
    assert process.returncode == 1
