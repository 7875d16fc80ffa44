"""Letters go in by SMTP and are read back by HTTP."""

import json
import smtplib
from urllib.parse import quote

import pytest

from tests.postbox.running import ALICE, BOB, CAROL, SENDER, Postbox, letter, status


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
