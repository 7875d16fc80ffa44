"""The documents that officials receive: what they say, that everybody can read them, that no name is taken for code."""

import csv
import io
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from service.servings.documents.notice_documents import Annex, Signer, annex_csv, annex_pdf
from service.text.tables.csv_cells import plain_cell

BODY = """We, the undersigned, say that the *allotments* belong to those who [dig them](https://gate.example.org/rules).

We **demand**:

1. that the padlock be taken off;
2. that the minutes be published.

- See <https://gate.example.org/answers>.
"""
ANNEX = Annex(
    title="The east gate must be opened again",
    addressed_to="The Committee of the Lower Marsh Allotment Society",
    published_by="The Plot-holders’ Assembly",
    published_on=date(2026, 3, 3),
    edition=2,
    edition_hash="1f3a5c7e" * 8,
    body=BODY,
    count=1234,
    cut_off=1250,
    served_at=datetime(2026, 3, 12, 14, 5, tzinfo=UTC),
    imprint="Published by Ada Example, 1 Well Lane, Lower Marsh",
    rehearsal=False,
    url="https://notices.example.org/notices/east-gate/editions/2.txt",
)
ADA = Signer("Ada Example", "Upper Marsh", "chair")
BERT = Signer("Bert Sample", "East Ferry")
CHLOE = Signer("Chloë Specimen")


def words(pdf: bytes) -> str:
    """The text of the document with runs of white space folded, as a reader that extracts it sees it."""
    if not (pdftotext := shutil.which("pdftotext")):
        pytest.skip("pdftotext (poppler-utils) is not installed")
    text = subprocess.run([pdftotext, "-layout", "-", "-"], input=pdf, capture_output=True, check=True).stdout.decode()
    return " ".join(text.split())


def rows_of(document: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(document.decode("utf-8-sig"), newline="")))


def test_the_document_says_what_is_served_on_whom_and_by_whom() -> None:
    text = words(annex_pdf(ANNEX, [ADA, BERT, CHLOE]))
    for part in (
        ANNEX.title, ANNEX.addressed_to, ANNEX.published_by, "3 March 2026, edition 2", "12 March 2026, 14:05 UTC",
        "1. that the padlock be taken off;", "https://gate.example.org/rules", "Page 1 of 2", "Page 2 of 2",
        "Edition 2 · SHA-256 1f3a5c7e1f3a", ANNEX.edition_hash, "sha256sum 2.txt", ANNEX.url, ANNEX.imprint,
    ):  # fmt: skip
        assert part in text
    assert "REHEARSAL" not in text


def test_names_stand_under_their_party_with_the_office_beside_them() -> None:
    text = words(annex_pdf(ANNEX, [CHLOE, ADA, BERT, Signer("Dora Nobody", " upper  MARSH")]))
    order = [
        "East Ferry (1)",
        "Bert Sample",
        "Upper Marsh (2)",
        "Ada Example, chair",
        "No local party given (1)",
        "Chloë",
    ]
    assert [text.index(part) for part in order] == sorted(text.index(part) for part in order)


@pytest.mark.parametrize(
    ("count", "named", "said"),
    [
        (1234, 3, "Signed by 1,234 people 3 people are listed by name; 1,231 are counted without a name"),
        (2, 1, "Signed by 2 people 1 person is listed by name; 1 is counted without a name"),
        (2, 2, "Signed by 2 people All of them are listed by name."),
        (1, 1, "Signed by 1 person Listed by name below."),
        (1000000, 0, "Signed by 1,000,000 people None is listed by name"),
        (0, 0, "Signed by 0 people No signature has been confirmed yet."),
    ],
)
def test_it_says_how_many_are_named_and_how_many_only_counted(count: int, named: int, said: str) -> None:
    assert said in words(annex_pdf(replace(ANNEX, count=count), [ADA, BERT, CHLOE][:named]))


def test_a_rehearsal_is_marked_on_every_page() -> None:
    pdf = annex_pdf(replace(ANNEX, rehearsal=True), [Signer(f"Ada {i}") for i in range(300)])
    pages = re.split(r"Page \d of \d", words(pdf))[:-1]
    assert len(pages) > 2
    assert all("REHEARSAL — not served" in page for page in pages)


@pytest.mark.parametrize("name", ["Юрий Пример", "Ινώ Παράδειγμα", "Éilís Őry-Łoś", "Şule Ünlü", "Nguyễn Thị Ví"])
def test_names_in_latin_greek_and_cyrillic_are_shown(name: str) -> None:
    text = words(annex_pdf(ANNEX, [Signer(name, name, name)]))
    assert f"{name} (1) {name}, {name}" in text
    assert "□" not in text


def test_the_document_is_tagged_titled_and_declares_pdf_ua() -> None:
    pdf = annex_pdf(ANNEX, [ADA])
    for part in (
        b"/StructTreeRoot",
        b"/Marked true",
        b"/Lang(en-GB)",
        b"<pdfuaid:part>1</pdfuaid:part>",
        b"/DisplayDocTitle",
    ):
        assert part in pdf
    assert ANNEX.title.encode() in pdf


def test_the_same_input_gives_the_same_bytes() -> None:
    elsewhere = replace(ANNEX, served_at=ANNEX.served_at.astimezone(timezone(timedelta(hours=5))))
    first = annex_pdf(ANNEX, [ADA, BERT])
    assert first == annex_pdf(ANNEX, iter([ADA, BERT])) == annex_pdf(elsewhere, [ADA, BERT])
    assert first != annex_pdf(replace(ANNEX, served_at=ANNEX.served_at + timedelta(seconds=1)), [ADA, BERT])


@pytest.mark.parametrize("number", [2000, 6000])
def test_thousands_of_names_are_all_there(number: int) -> None:
    signers = [
        Signer(f"Ada Example{i:05}", f"Party {i % 37:02}" if i % 5 else "", "chair" if i % 9 == 0 else "")
        for i in range(number)
    ]
    text = words(annex_pdf(replace(ANNEX, count=number), signers))
    assert set(re.findall(r"Example(\d{5})", text)) == {f"{i:05}" for i in range(number)}
    assert ANNEX.edition_hash in text


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        annex_pdf(replace(ANNEX, served_at=datetime(2026, 3, 12)), [])
    with pytest.raises(ValueError, match="2 names for 1 signatures"):
        annex_pdf(replace(ANNEX, count=1), [ADA, BERT])


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"), ("+44 20", "'+44 20"), ("-1", "'-1"), ("@SUM(A1)", "'@SUM(A1)"), ("\tx", "'\tx"),
        ("\rx", "'\rx"), ("\nx", "'\nx"), ("  =1", "'  =1"), ("＝1", "'＝1"), ("\u00a0@x", "'\u00a0@x"),
        ("", ""), ("Ada", "Ada"),
        ("a=b", "a=b"), ("Müller-Muster", "Müller-Muster"), ("ada@example.org", "ada@example.org"), ("'=1", "''=1"),
        ("''@x", "'''@x"), ("A;=1+1", "A;'=1+1"), ("A;\t@x", "A;\t'@x"), ("A;'=1", "A;''=1"),
    ],
)  # fmt: skip
def test_no_cell_is_a_formula(value: str, cell: str) -> None:
    assert plain_cell(value) == cell


def test_the_csv_is_rfc_4180_with_a_byte_order_mark() -> None:
    assert annex_csv([replace(ADA, number=4711), Signer('Bo "B", Jr', "Łódź", number=4712)]) == (
        '\ufeffnumber,name,clp,office\r\n4711,Ada Example,Upper Marsh,chair\r\n4712,"Bo ""B"", Jr",Łódź,\r\n'.encode()
    )
    assert annex_csv([]) == b"\xef\xbb\xbfnumber,name,clp,office\r\n"


def test_the_csv_reads_back_as_the_same_names() -> None:
    signers = [ADA, CHLOE, Signer('A "q", x', "two\nlines", "王"), Signer("=HYPERLINK(1)", "@x", "a;b")]
    cells = [["0", *(plain_cell(value) for value in (one.name, one.clp, one.office))] for one in signers]
    assert rows_of(annex_csv(signers))[1:] == cells


def test_a_table_of_the_notice_is_set_as_a_table() -> None:
    table = "| Day | Votes |\n|---|--:|\n| Mon | **7** |\n| Tue | [8](https://example.org/x) |"
    pdf = annex_pdf(replace(ANNEX, body=f"{table}\n\nhttps://example.org/_a_/b, ~~not~~."), [ADA])
    assert "Day Votes Mon 7 Tue 8" in words(pdf)
    assert "https://example.org/_a_/b, not." in words(pdf)
    assert b"/TH" in pdf
    assert b"/TD" in pdf
