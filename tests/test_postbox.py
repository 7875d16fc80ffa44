"""The postbox by its front doors: letters go in by SMTP and are read back by HTTP."""

import json
import os
import signal
import smtplib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest

ROOT = Path(__file__).resolve().parents[1]
SENDER = "notices@example.org"
ALICE, BOB, CAROL = "alice@example.org", "bob@example.org", "carol@example.org"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Postbox:
    def __init__(self, folder: Path) -> None:
        self.folder, self.smtp_port, self.web_port = folder, free_port(), free_port()
        self.start()

    def start(self) -> None:
        self.process = self.launch()
        deadline = time.monotonic() + 20
        while not self.answers():
            assert self.process.poll() is None, "the postbox stopped"
            assert time.monotonic() < deadline, "the postbox did not start"
            time.sleep(0.02)

    def launch(self, **settings: str) -> subprocess.Popen[str]:
        ports = {"POSTBOX_SMTP_PORT": str(self.smtp_port), "POSTBOX_PORT": str(self.web_port)}
        env = {**os.environ, **ports, "VAR_DIR": str(self.folder), **settings}
        command = [sys.executable, "-m", "workers.postbox"]
        return subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True)

    def answers(self) -> bool:
        try:
            self.open("/readyz")
            socket.create_connection(("127.0.0.1", self.smtp_port)).close()
        except (URLError, ConnectionError):
            return False
        return True

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        self.process.communicate(timeout=5)
        return self.process.returncode

    def open(self, path: str, method: str = "GET", data: bytes | None = None, **headers: str) -> tuple[bytes, Any]:
        url = f"http://127.0.0.1:{self.web_port}{path}"
        with urlopen(Request(url, data, headers, method=method), timeout=10) as response:
            return response.read(), response.headers

    def get(self, path: str) -> Any:
        return json.loads(self.open(f"/api/v1{path}")[0])

    def page(self, path: str) -> str:
        return self.open(path)[0].decode()

    def send(self, raw: bytes | EmailMessage, *recipients: str, sender: str = SENDER, **options: Any) -> None:
        data = raw.as_bytes(policy=raw.policy.clone(linesep="\r\n")) if isinstance(raw, EmailMessage) else raw
        with smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=10) as connection:
            connection.sendmail(sender, recipients or [ALICE], data, **options)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postbox]:
    postbox = Postbox(tmp_path_factory.mktemp("postbox"))
    yield postbox
    postbox.stop()


@pytest.fixture
def postbox(running: Postbox) -> Postbox:
    running.open("/api/v1/messages", "DELETE")
    return running


def letter(subject: str = "Confirm your signature", text: str = "Good day\n", to: str = f"Alice <{ALICE}>") -> EmailMessage:
    message = EmailMessage()
    message["From"] = f"Undersigned <{SENDER}>"
    message["To"] = to
    message["Subject"] = subject
    message["Message-ID"] = "<one@example.org>"
    message.set_content(text)
    return message


def test_a_letter_is_listed_and_read_as_mailpit_would_show_it(postbox: Postbox) -> None:
    message = letter(text="Confirm: http://localhost:8000/confirm/abc\n")
    message["Date"] = "Mon, 02 Nov 2026 10:00:00 +0100"
    message["List-Unsubscribe"] = "<https://example.org/u/1>, <mailto:leave@example.org>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.add_alternative("<p>Confirm</p>", subtype="html")
    postbox.send(message)
    listed = postbox.get("/messages")
    [entry] = listed.pop("messages")
    assert listed == {
        "total": 1, "unread": 1, "count": 1, "messages_count": 1, "messages_unread": 1, "start": 0, "tags": [],
    }  # fmt: skip
    assert entry["From"] == {"Name": "Undersigned", "Address": SENDER}
    assert entry["To"] == [{"Name": "Alice", "Address": ALICE}]
    assert (entry["Cc"], entry["Bcc"], entry["ReplyTo"], entry["Read"]) == ([], [], [], False)
    assert entry["Snippet"] == "Confirm: http://localhost:8000/confirm/abc"
    whole = postbox.get(f"/message/{entry['ID']}")
    assert (whole["MessageID"], whole["ReturnPath"]) == ("one@example.org", SENDER)
    assert (whole["HTML"].strip(), whole["Date"]) == ("<p>Confirm</p>", "2026-11-02T10:00:00+01:00")
    assert whole["ListUnsubscribe"]["Links"] == ["https://example.org/u/1", "mailto:leave@example.org"]
    assert whole["ListUnsubscribe"]["HeaderPost"] == "List-Unsubscribe=One-Click"
    assert postbox.get("/messages")["unread"] == 0


def test_raw_is_every_byte_that_was_sent(postbox: Postbox) -> None:
    raw = b"Subject: dots\r\nX-Long: a\r\n\tb\r\n\r\n.one\r\n..two\r\n.\r\n\xff\xfe\x00 end \r\n\r\n"
    postbox.send(raw)
    assert postbox.open("/api/v1/message/latest/raw")[0] == raw
    assert postbox.get("/message/latest/headers") == {"Subject": ["dots"], "X-Long": ["a b"]}
    assert postbox.get("/messages")["messages"][0]["Size"] == len(raw)


def test_attachments_are_counted_and_download_as_they_were(postbox: Postbox) -> None:
    message = letter()
    message.add_attachment(b"%PDF-1.7 \x00", maintype="application", subtype="pdf", filename="Größe.pdf")
    message.add_attachment(letter("inner"))
    postbox.send(message)
    assert postbox.get("/messages")["messages"][0]["Attachments"] == 2
    pdf, inner = postbox.get("/message/latest")["Attachments"]
    assert (pdf["FileName"], pdf["ContentType"], pdf["Size"]) == ("Größe.pdf", "application/pdf", 10)
    body, headers = postbox.open(f"/api/v1/message/latest/part/{pdf['PartID']}")
    assert body == b"%PDF-1.7 \x00"
    assert headers["Content-Disposition"].startswith("attachment")
    assert b"Subject: inner" in postbox.open(f"/api/v1/message/latest/part/{inner['PartID']}")[0]


def test_bcc_is_whoever_received_it_and_stands_in_no_header(postbox: Postbox) -> None:
    message = letter()
    message["Cc"] = BOB.upper()
    postbox.send(message, ALICE, BOB, CAROL)
    assert postbox.get("/message/latest")["Bcc"] == [{"Name": "", "Address": CAROL}]


def test_international_mail(postbox: Postbox) -> None:
    raw = "From: Jürgen <jürgen@exämple.org>\r\nSubject: Grüße =?utf-8?q?=E2=82=AC?= =?utf-8?b?4oKs?=\r\n\r\nß\r\n"
    postbox.send(raw.encode(), "jürgen@example.org", mail_options=["SMTPUTF8", "BODY=8BITMIME"])
    entry = postbox.get("/messages")["messages"][0]
    assert entry["From"] == {"Name": "Jürgen", "Address": "jürgen@exämple.org"}
    assert (entry["Subject"], entry["Snippet"]) == ("Grüße €€", "ß")
    assert entry["Bcc"] == [{"Name": "", "Address": "jürgen@example.org"}]
    assert postbox.get(f"/search?query={quote('subject:GRÜSSE')}")["messages_count"] == 1


NESTED = b"".join(b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n) for n in range(1200))
BROKEN = {
    "empty": b"",
    "no headers": b"just words\r\nand more\r\n",
    "unknown charset": b"Subject: =?klingon?q?a?=\r\nContent-Type: text/plain; charset=klingon\r\n\r\n\xff\r\n",
    "null in charset": b'Content-Type: text/plain; charset="a\x00b"\r\n\r\nx\r\n',
    "half a surrogate": b"Subject: =?utf-7?q?+2AA-?=\r\nContent-Type: text/plain; charset=utf-7\r\n\r\n+2AA-\r\n",
    "bad base64": b"Subject: =?utf-8?b?A?=\r\nContent-Transfer-Encoding: base64\r\n\r\n!\r\n",
    "unclosed multipart": b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/html\r\n\r\n<p",
    "nested beyond reason": NESTED,
    "raw bytes in headers": b'From: \xff\xfe <\xff@\xfe>\r\nTo: ,,;<<>>,"\r\nDate: \xff\r\n\xff\xff: \xff\r\n\r\n',
    "year zero": b"Date: Mon, 01 Jan 0001 00:00:00 +2359\r\n\r\n",
    "hostile file name": b"Content-Type: a/b\xff\r\nContent-Disposition: attachment;"
    b" filename*=a%00b''../%0d%0aSet-Cookie:%20x%ff\r\n\r\nx",
    "letter in a letter": b"Content-Type: message/delivery-status\r\n\r\nA: b\r\n\r\nC: \xff\r\n",
}


@pytest.mark.parametrize("raw", BROKEN.values(), ids=BROKEN.keys())
def test_broken_mail_is_kept_and_shown(postbox: Postbox, raw: bytes) -> None:
    sent = raw if raw.endswith(b"\r\n") or not raw else raw + b"\r\n"
    postbox.send(raw)
    [entry] = postbox.get("/messages")["messages"]
    assert postbox.open("/api/v1/message/latest/raw")[0].rstrip() == sent.rstrip()
    whole = postbox.get(f"/message/{entry['ID']}")
    postbox.get("/message/latest/headers")
    for part in whole["Attachments"] + whole["Inline"]:
        postbox.open(f"/api/v1/message/latest/part/{part['PartID']}")
    for path in ("", "/html", "?view=html", "?view=text", "?view=headers", "?view=raw", "?view=attachments", "?view=x"):
        assert postbox.page(f"/message/{entry['ID']}{path}") is not None
    assert "/message/" in postbox.page("/")


def test_an_envelope_address_that_is_not_text_is_kept(postbox: Postbox) -> None:
    with smtplib.SMTP("127.0.0.1", postbox.smtp_port) as connection:
        connection.ehlo()
        for line in (b"MAIL FROM:<>\r\n", b"RCPT TO:<\xff@example.org>\r\n"):
            connection.send(line)
            assert connection.getreply()[0] == 250
        assert connection.data(b"Subject: bounce\r\n\r\n")[0] == 250
    whole = postbox.get("/message/latest")
    assert (whole["ReturnPath"], whole["Bcc"]) == ("", [{"Name": "", "Address": "\ufffd@example.org"}])


@pytest.mark.parametrize(
    ("query", "subjects"),
    [
        ("subject:signature", ["Your signature"]),
        ("SIGNATURE", ["Your signature"]),
        ("to:bob@example.org", ["An update"]),
        (f"from:{SENDER}", ["An update", "Your signature"]),
        ('"three demands"', ["An update"]),
        ("three to:alice", []),
        ("100%", []),
        ('" to:', []),
    ],
)
def test_search(postbox: Postbox, query: str, subjects: list[str]) -> None:
    postbox.send(letter("Your signature"))
    postbox.send(letter("An update", "All three demands were heard.\n", to=BOB), BOB)
    found = postbox.get(f"/search?query={quote(query)}")
    assert [message["Subject"] for message in found["messages"]] == subjects
    assert (found["messages_count"], found["total"]) == (len(subjects), 2)
    assert all(subject in postbox.page(f"/?query={quote(query)}") for subject in subjects)


def test_the_list_is_newest_first_and_in_pages(postbox: Postbox) -> None:
    for number in range(5):
        postbox.send(letter(f"Letter {number}"))
    page = postbox.get("/messages?start=1&limit=2")
    assert [message["Subject"] for message in page["messages"]] == ["Letter 3", "Letter 2"]
    assert (page["start"], page["count"], page["total"]) == (1, 2, 5)
    assert postbox.get("/messages?start=x&limit=-7")["count"] == 5
    assert postbox.get("/messages?start=99999999999999999999")["count"] == 0
    html = postbox.page("/?start=2&limit=2")
    assert "Newer" in html
    assert "Older" in html
    assert "Letter 2" in html
    assert "Letter 4" not in html


def test_delete_some_or_all(postbox: Postbox) -> None:
    for number in range(3):
        postbox.send(letter(f"Letter {number}"))
    newest = postbox.get("/messages")["messages"][0]["ID"]
    postbox.open("/api/v1/messages", "DELETE", json.dumps({"IDs": [newest, "no such"]}).encode())
    assert [message["Subject"] for message in postbox.get("/messages")["messages"]] == ["Letter 1", "Letter 0"]
    for nonsense in (b"{", b"[1]", b'{"IDs": "1"}'):
        assert status(postbox, "/api/v1/messages", "DELETE", nonsense) == 400
    assert postbox.get("/messages")["total"] == 2
    postbox.open("/api/v1/messages", "DELETE")
    assert postbox.get("/messages")["total"] == 0


def status(postbox: Postbox, path: str, method: str = "GET", data: bytes | None = None, **headers: str) -> int:
    with pytest.raises(HTTPError) as refused:
        postbox.open(path, method, data, **headers)
    refused.value.close()
    return refused.value.code


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
