"""`make pictures`: starts a sample service of its own, lets somebody sign, and takes the README's pictures.

docs/pictures/notice.png, register.png, check.png, letter.png, list.png, import.png, and of the studio
editor.png, dashboard.png, progress.png, report.png; each at most 200 kB. Everybody in them is made up.
"""

from __future__ import annotations

import html
import io
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright
from rich.console import Console
from rich.text import Text

from service.core import config
from service.core.db import transaction
from service.migrations import upgrade
from service.models import Signature
from service.notices import publishing
from service.operations import sample
from service.text import person_names
from service.text.email_addresses import mailbox
from tests import studio_pictures
from tests.conftest import ROOT, answers, free_port, wait_until
from tests.support.browser import ARGUMENTS

PICTURES = ROOT / "docs" / "pictures"
LARGEST = 200_000
FIRST = ("Ada", "Bilal", "Carys", "Dermot", "Farah", "Gwen", "Harpreet", "Iona", "Jack", "Kwame", "Leila", "Mair", "Niamh")
LAST = ("Abbasi", "Haddad", "Keane", "Llewellyn", "MacLeod", "Mensah", "Osman", "Pugh", "Singh", "Turner", "Whitlock")
PARTIES = ("Harbour North", "Valley", "Castle and Moor", "Upper Quay")
OFFICES = ("", "", "secretary", "", "chair", "", "")
IMPORT = (
    "subscribers",
    "import",
    "members.csv",
    "--list",
    "updates",
    "--source",
    "paper forms, annual meeting, 14 November 2026",
)
BAD = {
    412: "gwen.example.org,Gwen Pugh",
    987: "una@example.org,=Una",
    1640: ",Wyn Keane",
    2204: "member7@example.org,Ada Abbasi",
}
TERMINAL = """<!doctype html><meta charset="utf-8"><style>
body { margin: 0; padding: 22px; background: #e9e5db; }
main { background: #1b1917; color: #e8e3d9; border-radius: 8px; overflow: hidden; font: 15px/1.55 monospace; }
header { padding: 9px 16px; background: #2c2925; color: #b8b0a2; font-size: 13px; }
pre { margin: 0; padding: 16px 20px 20px; font: inherit; }
b { color: #8fd6ab; font-weight: normal; }
</style><main><header>Terminal</header><pre><b>$</b> """


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | _settings(Path(folder))
        config.use(config.load(environment))
        plant()
        process = subprocess.Popen(
            [sys.executable, "-m", "workers.dev.launch"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
        )
        try:
            wait_until(lambda: answers(f"{config.settings().base_url}/readyz"), 60)
            take(environment)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)
    for picture in sorted(PICTURES.glob("*.png")):
        size = picture.stat().st_size
        print(f"{picture.relative_to(ROOT)}: {size / 1000:.0f} kB")
        if size > LARGEST:
            sys.exit(f"{picture.name} is larger than {LARGEST / 1000:.0f} kB.")


def _settings(folder: Path) -> dict[str, str]:
    """A service on free ports, with the safeguards of production, so that no banner stands in the pictures."""
    ports = ("WEB_PORT", "POSTBOX_SMTP_PORT", "POSTBOX_PORT", "INBOUND_LMTP_PORT", "INBOUND_SMTP_PORT")
    return {name: str(free_port()) for name in ports} | {
        "VAR_DIR": str(folder / "var"),
        "APPROVALS": "1",
        "SECOND_FACTOR": "on",
        "COOLING_SECONDS": "2",
        "ORGANISATION": "The Harbour Members' Network",
    }


def plant() -> None:
    """The sample notice, and more signers than the sample has."""
    upgrade.upgrade()
    now = datetime.now(UTC)
    with transaction() as session:
        sample.plant(session, now)
        notice = publishing.find(session, sample.NOTICE.slug)
        notice.published_by = "The Harbour Members' Network"
        edition = notice.edition
        assert edition is not None
        for number in range(edition.count + 1, 87):
            name, email = f"{FIRST[number % len(FIRST)]} {LAST[number % len(LAST)]}", f"signer{number}@example.org"
            session.add(
                Signature(
                    edition_id=edition.id, email=email, mailbox=mailbox(email), name=name, name_key=person_names.key(name),
                    clp=PARTIES[number % len(PARTIES)], office=OFFICES[number % 7], state="confirmed", sequence=number,
                    display="officials" if number % 6 == 0 else "public", created_at=now, confirmed_at=now,
                )
            )  # fmt: skip
        edition.count = edition.last_sequence = 86


def take(environment: dict[str, str]) -> None:
    site, postbox = config.settings().base_url, f"http://127.0.0.1:{config.settings().postbox_port}"
    notice = f"{site}/notices/{sample.NOTICE.slug}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1200, "height": 920}, color_scheme="light")
        sign(page, notice, postbox)
        page.goto(notice)
        page.screenshot(path=PICTURES / "notice.png")
        page.set_viewport_size({"width": 1060, "height": 700})
        page.goto(f"{notice}/deliveries")
        page.screenshot(path=PICTURES / "register.png")
        page.set_viewport_size({"width": 1060, "height": 760})
        check(page, site, postbox)
        page.screenshot(path=PICTURES / "check.png")
        letter = browser.new_page(viewport={"width": 700, "height": 980}, color_scheme="light")
        letter.set_content(newest(postbox, "nec.example")["HTML"])
        letter.screenshot(path=PICTURES / "letter.png")
        print_list(postbox)
        terminal = browser.new_page(viewport={"width": 900, "height": 200})
        terminal.set_content(imported(environment))
        terminal.screenshot(path=PICTURES / "import.png", full_page=True)
        studio_pictures.take(browser, PICTURES)
        browser.close()


def sign(page: Page, notice: str, postbox: str) -> None:
    """Somebody signs and confirms; then every official has been served."""
    page.goto(f"{notice}/sign")
    page.get_by_label("Name", exact=True).fill("Esther Marlowe")
    page.get_by_label("E-mail", exact=True).fill("esther@example.org")
    page.get_by_label("Local party").fill("Valley")
    page.get_by_label("on the public list").check()
    page.get_by_label("I agree").check()
    page.get_by_role("button", name="Sign").click()
    wait_until(lambda: bool(listed(postbox, "esther@")))
    page.goto(re.findall(r"http\S+/confirm/\S+", newest(postbox, "esther@")["Text"])[0])
    page.get_by_role("button", name="Confirm").click()
    wait_until(lambda: len(listed(postbox, "nec.example")) == len(sample.OFFICIALS), 60)
    wait_until(lambda: b"Waiting" not in urllib.request.urlopen(f"{notice}/deliveries").read())


def check(page: Page, site: str, postbox: str) -> None:
    """A letter to an official, as it was delivered, on the page that checks it."""
    number = listed(postbox, "nec.example")[-1]["ID"]
    with urllib.request.urlopen(f"{postbox}/api/v1/message/{number}/raw") as response:
        letter = {"name": "letter.eml", "mimeType": "message/rfc822", "buffer": response.read()}
    page.goto(f"{site}/verify")
    page.get_by_label("Files").set_input_files(letter)
    page.get_by_role("button", name="Check").click()
    page.get_by_text("Everything that could be checked holds").wait_for()


def print_list(postbox: str) -> None:
    """The second page of the list that a letter to an official carries as a PDF: the names, by local party."""
    message = newest(postbox, "nec.example")
    pdf = next(one for one in message["Attachments"] if one["ContentType"] == "application/pdf")
    with tempfile.NamedTemporaryFile(suffix=".pdf") as file:
        with urllib.request.urlopen(f"{postbox}/api/v1/message/{message['ID']}/part/{pdf['PartID']}") as response:
            Path(file.name).write_bytes(response.read())
        page = ("-f", "2", "-l", "2", "-singlefile", "-r", "84", "-png")
        subprocess.run(["pdftoppm", *page, file.name, str(PICTURES / "list")], check=True)


def fetched(url: str) -> Any:
    with urllib.request.urlopen(url) as response:
        return json.load(response)


def listed(postbox: str, to: str) -> list[dict[str, Any]]:
    messages = fetched(f"{postbox}/api/v1/messages?limit=100")["messages"]
    return [one for one in messages if any(to in address["Address"] for address in one["To"])]


def newest(postbox: str, to: str) -> dict[str, Any]:
    return dict(fetched(f"{postbox}/api/v1/message/{listed(postbox, to)[-1]['ID']}"))


def imported(environment: dict[str, str]) -> str:
    """Runs the import in a terminal of its own, and shows what stood there at the end."""
    folder = Path(environment["VAR_DIR"])
    lines = [
        BAD.get(number, f"member{number}@example.org,{FIRST[number % len(FIRST)]} {LAST[number % len(LAST)]}")
        for number in range(2, 2502)
    ]
    (folder / "members.csv").write_text("\n".join(["email,name", *lines]) + "\n")
    command = [sys.executable, "-m", "flask", "--app", "wsgi", *IMPORT]
    terminal = environment | {"COLUMNS": "100", "TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, cwd=folder, env=terminal, stdout=theirs, stderr=theirs)
    os.close(theirs)
    printed = b""
    while part := _read(ours):
        printed += part
    os.close(ours)
    process.wait(60)
    console = Console(record=True, width=100, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for line in printed.decode().replace("\r\n", "\n").rstrip("\n").split("\n"):
        console.print(Text.from_ansi(re.sub(r"\x1b\[\?25[lh]|\x1b\[\d?[AK]", "", line.split("\r")[-1])), highlight=False)
    words = " ".join(f'"{word}"' if " " in word else word for word in IMPORT)
    shown = console.export_html(code_format="{code}", inline_styles=True)
    typed = f"flask --app wsgi {words}".replace(" --source", " \\\n    --source")
    return f"{TERMINAL}{html.escape(typed, quote=False)}\n{shown}</pre></main>"


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so once the other side is closed
        return b""


if __name__ == "__main__":
    main()
