"""Files of people as spreadsheets write them: told by their bytes, read whole, and said how; or refused with a way out."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import pytest
from sqlalchemy import select

from service.models import Import, Subscription
from tests.stories.people.test_people import send_file
from tests.stories.subscriptions.test_imports import reasons, take
from tests.support.people import AUGUST, OLIVE, PETRA
from tests.support.world import World

ROWS = [
    ["email", "name", "clp", "joined"],
    ["rene@example.org", "René Zoë", "Upper Marsh", 41000],
    ["bo@example.org", "Bo", "-", ""],
]
NAMES = {"rene@example.org": "René Zoë", "bo@example.org": "Bo"}


def packed(files: dict[str, str]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def xlsx(rows: list[list[object]]) -> bytes:
    """A workbook of two sheets, the first empty, as ECMA-376 has it at the least."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    cells = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in rows)
    sheets = "".join(f'<sheet name="{name}" sheetId="{at}" r:id="r{at}"/>' for at, name in enumerate(("Cover", "Members"), 1))
    targets = "".join(
        f'<Relationship Id="r{at}" Type="{relations}/worksheet" Target="worksheets/sheet{at}.xml"/>' for at in (1, 2)
    )
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
    default = f'<Default Extension="xml" ContentType="{kind}"/>'
    document = f'<Relationship Id="r1" Type="{relations}/officeDocument" Target="xl/workbook.xml"/>'
    return packed(
        {
            "[Content_Types].xml": f'<Types xmlns="{package}/content-types">{default}</Types>',
            "_rels/.rels": f'<Relationships xmlns="{package}/relationships">{document}</Relationships>',
            "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{relations}"><sheets>{sheets}</sheets></workbook>',
            "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">{targets}</Relationships>',
            "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData/></worksheet>',
            "xl/worksheets/sheet2.xml": f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>',
        }
    )


def _cell(value: object) -> str:
    return f"<c><v>{value}</v></c>" if isinstance(value, int) else f'<c t="inlineStr"><is><t>{value}</t></is></c>'


def ods(rows: list[list[object]]) -> bytes:
    """The same as OpenDocument 1.2."""
    names = {part: f"urn:oasis:names:tc:opendocument:xmlns:{part}:1.0" for part in ("office", "table", "text")}
    spaces = " ".join(f'xmlns:{part}="{uri}"' for part, uri in names.items())
    lines = "".join(
        "<table:table-row>"
        + "".join(f'<table:table-cell office:value-type="string"><text:p>{value}</text:p></table:table-cell>' for value in row)
        + "</table:table-row>"
        for row in rows
    )
    body = f'<table:table table:name="Members">{lines}</table:table>'
    content = f"<office:document-content {spaces}><office:body><office:spreadsheet>{body}</office:spreadsheet></office:body>"
    return packed(
        {
            "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
            "META-INF/manifest.xml": '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>',
            "content.xml": f"{content}</office:document-content>",
        }
    )


def as_csv(encoding: str) -> Callable[[list[list[object]]], bytes]:
    return lambda rows: "".join(";".join(map(str, row)) + "\r\n" for row in rows).encode(encoding)


MADE = {
    "Windows-1252": as_csv("cp1252"),
    "UTF-16": as_csv("utf-16"),
    "UTF-8": as_csv("utf-8-sig"),
    "a spreadsheet": xlsx,
    "OpenDocument": ods,
}


@pytest.mark.parametrize("kind", MADE)
def test_a_command_reads_it_and_says_how(world: World, kind: str) -> None:
    document, code = take(world, MADE[kind](ROWS))
    assert (document["added"], code) == (2, 0), document
    assert document["read_as"] == ("a spreadsheet" if kind == "OpenDocument" else kind)
    assert {one.email: one.name for one in world.rows(select(Subscription))} == NAMES


@pytest.mark.parametrize("kind", MADE)
def test_the_page_reads_it_and_says_how(world: World, kind: str) -> None:
    world.publish()
    world.add_organisers()
    olive = world.sign_in(OLIVE)
    where = send_file(world, olive, MADE[kind](ROWS)).headers["Location"]
    page = world.get(where, olive).text
    assert ("The file was read as" in page) is (kind != "UTF-8")
    world.post(where, {"act": "judge", "email": "email", "name": "name", "clp": "clp"}, olive)
    world.work()
    world.post(where, {"act": "take in"}, olive)
    world.work()
    assert {one.email: one.name for one in world.rows(select(Subscription))} == NAMES


def test_one_spoilt_line_does_not_change_how_the_others_are_read(world: World) -> None:
    content = "email,name\nzoe@example.org,Zoë\n".encode() + b"rene@example.org,Ren\xe9\n"
    document, _ = take(world, content)
    assert document["read_as"] == "UTF-8"
    assert reasons(document) == {3: "is not in UTF-8; save the file as CSV in UTF-8"}
    assert world.rows(select(Subscription.name)) == ["Zoë"]


NAMED_APART = "email,First Name,Last name\nann@example.org,Ann,Ashworth\nben@example.org,,O'Malley\nchi@example.org,Chi,\n"
JOINED = ["Ann Ashworth", "O'Malley", "Chi"]


def test_first_and_last_name_are_joined_by_a_command(world: World) -> None:
    document, code = take(world, NAMED_APART, "--column", "name=First name", "--column", "surname=last name")
    assert code == 0, document
    assert world.rows(select(Subscription.name).order_by(Subscription.id)) == JOINED
    for wrong in ("name", "shoe=x", "name=", "name=Given"):
        document, code = take(world, NAMED_APART, "--column", wrong)
        assert code == 1
        assert "error" in document


def test_first_and_last_name_are_joined_on_the_page(world: World) -> None:
    world.publish()
    world.add_organisers()
    olive = world.sign_in(OLIVE)
    where = send_file(world, olive, NAMED_APART).headers["Location"]
    page = world.get(where, olive).text
    assert page.count("<option selected>last name</option>") == 1
    assert world.post(where, {"act": "judge", "email": "email", "surname": "last name"}, olive).status_code == 422
    world.post(where, {"act": "judge", "email": "email", "name": "first name", "surname": "last name"}, olive)
    world.work()
    world.post(where, {"act": "take in"}, olive)
    world.work()
    assert world.rows(select(Subscription.name).order_by(Subscription.id)) == JOINED


def test_a_column_that_stands_there_twice_is_refused_where_it_is_chosen(world: World) -> None:
    world.publish()
    world.add_organisers()
    olive = world.sign_in(OLIVE)
    where = send_file(world, olive, "email,clp,note,note,clp\nann@example.org,Harbour,,,\n").headers["Location"]
    page = world.post(where, {"act": "judge", "email": "email", "clp": "clp"}, olive)
    assert page.status_code == 422
    assert "two columns called “clp”" in page.text
    assert world.post(where, {"act": "judge", "email": "email"}, olive).status_code == 303


def test_a_file_without_good_lines_offers_nobody_and_can_be_dropped(world: World) -> None:
    world.publish()
    world.add_organisers()
    olive = world.sign_in(OLIVE)
    where = send_file(world, olive, "email\nnobody\n").headers["Location"]
    world.post(where, {"act": "judge", "email": "email"}, olive)
    world.work()
    page = world.get(where, olive).text
    assert "Nobody in this file can be added" in page
    assert 'value="take in"' not in page
    assert world.post(where, {"act": "drop"}, olive).status_code == 303
    assert world.rows(select(Import.state)) == ["dropped"]


def test_a_file_waits_on_its_own_organisers_dashboard_alone(world: World) -> None:
    world.publish()
    world.add_organisers()
    olive = world.sign_in(OLIVE)
    send_file(world, olive, "email\nann@example.org\n")
    assert "A file waits" in world.get("/organise", olive).text
    for other in (PETRA, AUGUST):
        assert "A file waits" not in world.get("/organise", world.sign_in(other)).text


@pytest.mark.parametrize(
    "content",
    [
        packed({"xl/worksheets/sheet1.xml": "0" * 1000}),
        packed({"word/document.xml": "<x/>"}),
        xlsx(ROWS)[:-200],
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 1000,
        packed({"xl/workbook.xml": "<a>" * 100_000}),
        b"PK\x03\x04",
    ],
)
def test_a_broken_spreadsheet_is_refused_with_a_way_out(world: World, content: bytes) -> None:
    document, code = take(world, content)
    assert code == 1
    assert "save its sheet as “CSV UTF-8”" in str(document["error"])


def test_a_spreadsheet_that_unpacks_without_end_is_refused(world: World) -> None:
    """Two hundred kilobytes that hold two million cells of a thousand letters: the child runs into its bounds."""
    rows = "<row>" + "<c t='inlineStr'><is><t>" + "x" * 1000 + "</t></is></c>" * 1 + "</row>"
    bomb = xlsx([["email"]])
    sheet = "xl/worksheets/sheet2.xml"
    with zipfile.ZipFile(io.BytesIO(bomb)) as archive:
        files = {name: archive.read(name).decode() for name in archive.namelist()}
    files[sheet] = files[sheet].replace("</sheetData>", rows * 1_500_000 + "</sheetData>")
    document, code = take(world, packed(files))
    assert code == 1
    assert "too large" in str(document["error"])
