"""Letters forged in the places where mail programs read differently: beside those of tests/rules/proof/test_forgeries.py."""

from __future__ import annotations

import base64

from tests.rules.proof.test_forgeries import (
    CSV_FILE,
    FALSE_TEXT,
    HTML,
    INNER,
    NL,
    OUTER,
    TEXT,
    TRUE,
    replaced,
    with_header,
    with_part,
)

TYPE = b"Content-Type: multipart/mixed;\r\n boundary=" + b'"' + OUTER + b'"'
INNER_TYPE = b'Content-Type: multipart/alternative;\r\n boundary="' + INNER + b'"'
PLAIN = b'Content-Type: text/plain; charset="utf-8"'
QUOTED = b"Content-Transfer-Encoding: quoted-printable"
DISPOSITION = b'Content-Disposition: attachment;\r\n filename="edition-1.txt"'
LAST_LINE = b"LSB0aGF0IHRoZSBhY2NvdW50cyBiZSBwdWJsaXNoZWQuCg=="
WORDS = b"\r\nYou are served."
FROM, TO = b"From: The Harbour Network <notices@example.org>", b"To: Jamie Thornhill <chair@nec.example>"
SUBJECT = b"Subject: =?utf-8?q?Notice=3A_open_the_books_=E2=80=93_2_signatures?="
FALSE_PART = HTML + NL * 2 + FALSE_TEXT + NL


def other(head: bytes, content: bytes = FALSE_TEXT) -> bytes:
    return with_part(head, content, INNER)


ODD_LETTERS: dict[str, bytes] = {
    # how the parts are divided
    "a boundary in pieces": replaced(TYPE, TYPE.replace(b"boundary=", b'boundary*0="x"; boundary*1=')),
    "a boundary in another character set": replaced(TYPE, TYPE.replace(b'boundary="', b"boundary*=utf-8''").replace(b'"', b"")),
    "a boundary with a backslash": replaced(TYPE, TYPE.replace(b'"=', b'"\\=')),
    "a boundary without quotation marks": replaced(TYPE, TYPE.replace(b'"', b"")),
    "a boundary that ends in a space": replaced(b'boundary="' + OUTER + b'"', b'boundary="' + OUTER + b' "'),
    "a dividing line that ends in a space": replaced(b"--" + OUTER + NL, b"--" + OUTER + b" \t" + NL),
    "a dividing line with more dashes": replaced(b"--" + OUTER + b"--", b"--" + OUTER + b"----" + NL + b"--" + OUTER + b"--"),
    "a dividing line that goes on": with_part(TEXT, b"--" + OUTER + b"x" + NL + FALSE_PART),
    "one boundary within the other": TRUE.replace(INNER, OUTER + b"1"),
    "the other boundary within the one": TRUE.replace(OUTER, INNER + b"1"),
    "one boundary for both": TRUE.replace(INNER, OUTER),
    "a multipart within the words": other(
        b'Content-Type: multipart/mixed; boundary="in"', b"--in\r\n" + FALSE_PART + b"--in--"),
    "a multipart in capitals": replaced(b"multipart/mixed", b"MULTIPART/Digest"),
    "an inner end that is missing": replaced(b"--" + INNER + b"--" + NL, b""),
    "the end of the other in between": replaced(b"--" + INNER + b"--", b"--" + OUTER + b"--" + NL + b"--" + INNER + b"--"),
    "words in front of the inner parts": replaced(b"\r\n--" + INNER, b"We withdraw.\r\n--" + INNER),
    "words behind the inner parts": replaced(b"--" + INNER + b"--", b"--" + INNER + b"--" + NL + b"We withdraw."),
    "parts that are encoded once more": replaced(INNER_TYPE, INNER_TYPE + b"\r\nContent-Transfer-Encoding: base64"),
    "words that are said to be a file": replaced(INNER_TYPE, INNER_TYPE + b'\r\nContent-Disposition: attachment; filename="x"'),
    "no MIME-Version": replaced(b"MIME-Version: 1.0\r\n", b""),
    "two of MIME-Version": with_header(b"MIME-Version: 1.0"),
    # headers of parts
    "two kinds of one part": replaced(PLAIN, PLAIN + b"\r\nContent-Type: text/html"),
    "two dispositions": replaced(DISPOSITION, DISPOSITION + b"\r\nContent-Disposition: inline"),
    "a comment in a kind": replaced(PLAIN, b"Content-Type: text/plain (text/html); charset=utf-8"),
    "a kind of nothing": replaced(PLAIN, b"Content-Type:"),
    "a kind on the next line": replaced(PLAIN, b"Content-Type:\r\n text/plain; charset=utf-8"),
    "an encoding on the next line": replaced(QUOTED, b"Content-Transfer-Encoding:\r\n quoted-printable"),
    "an encoding with a space behind it": replaced(QUOTED, QUOTED + b" "),
    "a line of spaces among the headers": replaced(QUOTED, b" \r\n" + QUOTED),
    "a part without headers": replaced(PLAIN + NL + QUOTED + NL, b""),
    "a place of its own": replaced(DISPOSITION, DISPOSITION + b"\r\nContent-Location: https://evil.example/"),
    "a description of a file": replaced(DISPOSITION, DISPOSITION + b"\r\nContent-Description: open-the-books.pdf"),
    # files
    "a name and a filename": replaced(b"application/pdf", b'application/pdf; name="letter.html"'),
    "a name for the words": replaced(PLAIN, PLAIN + b'; name="letter.html"'),
    "a filename in two spellings": replaced(DISPOSITION, DISPOSITION + b"; filename*=utf-8''evil.html"),
    "a filename in pieces": replaced(b'filename="edition-1.txt"', b'filename*0*=utf-8\'\'edition-1; filename*1*=.txt'),
    "a filename in Latin-1": replaced(b'filename="edition-1.txt"', b"filename*=iso-8859-1''edition-1.txt"),
    "a filename as an encoded word": replaced(b'"edition-1.txt"', b'"=?utf-8?q?edition-1.txt?="'),
    "a filename with a backslash": replaced(b'"edition-1.txt"', b'"edition\\-1.txt"'),
    "a file that is shown": replaced(DISPOSITION, DISPOSITION.replace(b"attachment", b"inline")),
    "a file that is a letter": replaced(b"Content-Type: application/pdf", b"Content-Type: message/rfc822"),
    "a file that is a page": replaced(b"Content-Type: application/pdf", b"Content-Type: text/html"),
    "a file that is a part of a letter": with_part(
        b"Content-Type: message/partial; number=1; total=1; id=x", b"Subject: x\r\n\r\nx"),
    "a file that lies elsewhere": with_part(
        b'Content-Type: message/external-body; access-type=URL; URL="https://evil.example"', b"x"),
    "a file of Outlook's": with_part(
        b'Content-Type: application/ms-tnef\r\nContent-Disposition: attachment; filename="winmail.dat"', b"\x78\x9f\x3e\x22"),
    "a picture for the HTML": with_part(
        b"Content-Type: image/png\r\nContent-ID: <x>\r\nContent-Disposition: inline", b"x", INNER),
    "a calendar": other(b"Content-Type: text/calendar; charset=utf-8", b"BEGIN:VCALENDAR"),
    "words of a richer kind": other(b"Content-Type: text/enriched; charset=utf-8", b"<bold>We withdraw</bold>"),
    "a file in uuencode": with_part(CSV_FILE + b"\r\nContent-Transfer-Encoding: uuencode", b"begin 644 x.csv\r\n`\r\nend"),
    # what is encoded
    "base64 with letters that are none": replaced(LAST_LINE, LAST_LINE[:9] + b"!*" + LAST_LINE[9:]),
    "base64 that ends in the middle": replaced(LAST_LINE, b"LS0=" + LAST_LINE),
    "base64 that goes on": replaced(LAST_LINE, LAST_LINE + b"\r\nV2Ugd2l0aGRyYXcu"),
    "base64 with too many signs at its end": replaced(LAST_LINE, LAST_LINE + b"\r\n="),
    "uuencode among the words": replaced(WORDS, WORDS + b"\r\nbegin 644 x.txt\r\n`\r\nend"),
    "yEnc among the words": replaced(WORDS, WORDS + b"\r\n=ybegin line=128 size=1 name=x.txt"),
    "a soft line end before a space": replaced(WORDS, b"\r\nYou are= \r\n served."),
    "a soft line end at the end": replaced(WORDS, WORDS + b"="),
    "two signs for one": replaced(WORDS, b"\r\nYou are=3D=\r\n== served."),
    "words that flow": replaced(PLAIN, PLAIN + b"; format=flowed; delsp=yes"),
    "a charset that nobody knows": replaced(b'charset="utf-8"', b'charset="x-unknown"'),
    "a charset that switches": replaced(b'charset="utf-8"', b'charset="iso-2022-jp"'),
    "no charset": replaced(
        PLAIN + NL + QUOTED + NL * 2 + b"You", b"Content-Type: text/plain\r\n" + QUOTED + NL * 2 + b"=C3=9Cou"),
    # headers of the letter
    "an encoded word that is none": replaced(SUBJECT, SUBJECT.replace(b"utf-8", b"u8")),
    "an encoded word with a space": replaced(SUBJECT, SUBJECT.replace(b"_open", b" open")),
    "an encoded word with a language": replaced(SUBJECT, SUBJECT.replace(b"utf-8", b"utf-8*en")),
    "encoded words that touch": replaced(SUBJECT, SUBJECT.replace(b"_open", b"?==?utf-8?q?_open")),
    "an encoded sender": replaced(
        FROM, b"From: =?utf-8?q?The_Harbour_Network_=3Cnotices=40example=2Eorg=3E=2C?= <evil@evil.example>"),
    "an empty encoded word in a sender": replaced(FROM, b"From: =?utf-8?q?_?= The Harbour Network <notices@example.org>"),
    "a group as sender": replaced(FROM, b"From: The Harbour Network: notices@example.org;"),
    "a comment behind a sender": replaced(FROM, FROM + b" (evil@evil.example)"),
    "a sender with a route": replaced(FROM, b"From: The Harbour Network <@evil.example:notices@example.org>"),
    "a control character before a sender": replaced(FROM, FROM.replace(b": ", b":\x0c ")),
    "a hard space before a recipient": replaced(TO, TO.replace(b": ", b":\xc2\xa0 ")),
    "a subject in raw bytes": replaced(SUBJECT, "Subject: Notice: open the books – 2 signatures".encode()),
    "a header of a thousand letters": with_header(b"Comments: " + b"x" * 1_100),
    "a subject behind a line of spaces": replaced(SUBJECT, b"X-Other: x\r\n \r\nSubject: We withdraw\r\n" + SUBJECT),
    "a subject that was resent": with_header(b"Resent-Subject: We withdraw", first=True),
    "a second Reply-To behind": with_header(b"Reply-To: evil@evil.example"),
    "a second salt": with_header(b"Undersigned-Salt: 00"),
    "a space before a colon": replaced(SUBJECT, SUBJECT + b"\r\nSubject : We withdraw"),
    "lines that end in two ways": replaced(b"\r\n--" + INNER + b"--", b"\n--" + INNER + b"--"),
    "a last header that ends otherwise": replaced(TYPE + NL, TYPE + b"\n"),
    "lines that end in CR": replaced(b"--" + INNER + b"--" + NL, b"--" + INNER + b"--\r"),
}  # fmt: skip

IN_BASE64 = base64.encodebytes(b"<p>You are served.</p>\n").strip()
TRUE_LETTERS: dict[str, bytes] = {
    "as it was sent": TRUE,
    "with lines that end in LF": TRUE.replace(NL, b"\n"),
    "with what servers on the way put before it": b"Received: from a by b\r\n\tc; Sun, 22 Nov 2026 12:00:01 +0000\r\n" + TRUE,
    "with headers of another kind": with_header(b"X-Spam-Score: 0\r\nX-YMail-OSG: " + b"x" * 1_100),
    "with what Exchange writes beside its files": replaced(
        b"application/pdf", b'application/pdf; name="open-the-books.pdf"'
    ).replace(
        b'filename="open-the-books.pdf"',
        b'filename="open-the-books.pdf";\r\n size=14; creation-date="Sun, 22 Nov 2026 12:00:00 GMT"\r\n'
        b"Content-Description: open-the-books.pdf",
    ),
    "with headers folded anew": replaced(TO, TO.replace(b" <", b"\r\n <")),
    "with its words in base64": replaced(
        QUOTED + NL * 2 + b"<p>You are served.</p>", b"Content-Transfer-Encoding: base64" + NL * 2 + IN_BASE64
    ),
    "with its words as they are": replaced(QUOTED + NL * 2 + b"You", b"Content-Transfer-Encoding: 8bit" + NL * 2 + b"You"),
}
