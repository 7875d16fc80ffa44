"""A person planted everywhere, by the front door, and every place where a trace of her could be left."""

from __future__ import annotations

import base64
import io
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from service.core import queues
from service.core.db import reading, transaction
from service.emails import links
from service.models import Base, Message
from service.organisers import daily_counts
from tests.inbound.post import DOMAIN, VOUCHED, bounce, complaint, letter, receive
from tests.support.people import OLIVE, SLUG
from tests.support.world import World

NAME, EMAIL = "Zephyrine Quillfeather", "zephyrine@quillfeather.example"
"""At a domain that is hers alone, and says who she is."""
WORDS = ("zephyrine", "quillfeather")
FROM = {"environ_base": {"REMOTE_ADDR": "203.0.113.77"}}


def spellings() -> set[bytes]:
    """Her words in lower case, and as base64 has them at each of three places in a text."""
    found = {word.encode() for word in WORDS}
    for word in (*WORDS, *(word.capitalize() for word in WORDS)):
        for before in range(3):
            whole = base64.b64encode(b"x" * before + word.encode() + b"xxx").rstrip(b"=")
            found.add(whole[(4, 4, 4)[before] : -6])
    return found


def stands_in(content: bytes) -> bool:
    return any(one in content or one in content.lower() for one in spellings())


def tables() -> set[str]:
    """In which tables she stands, in any column."""
    found = set()
    with reading() as session:
        for table in Base.metadata.sorted_tables:
            for row in session.execute(select(table)):
                texts = [value if isinstance(value, bytes) else str(value).encode() for value in row]
                if any(stands_in(text) for text in texts):
                    found.add(table.name)
    return found


def in_redis() -> list[str]:
    """The keys in which she stands, or whose value tells of her."""
    known, found = queues.redis(), []
    for key in known.scan_iter():
        value = known.dump(key)
        if stands_in(key) or (value is not None and stands_in(value)):
            found.append(key.decode())
    return found


def in_files(world: World) -> list[str]:
    """The files of the service in which she stands."""
    found = [path for path in world.settings.var_dir.rglob("*") if path.is_file() and stands_in(path.read_bytes())]
    return sorted(path.name for path in found)


def plant(world: World) -> str:
    """Everything that she can do, and others about her. Returns the address of the page of all that is held of her."""
    world.publish(milestones=(1,))
    world.add_organisers()
    olive = world.sign_in(OLIVE)
    sign_and_confirm(world)
    manage = world.manage(EMAIL)
    write_by_mail(world)
    world.post("/complaints", {"name": NAME, "email": EMAIL, "text": f"{NAME} was written to twice."})
    world.post("/organise/sign-in", {"email": EMAIL, "password": "not hers at all"})
    be_imported(world, olive)
    be_written_to(world, olive)
    world.get("/organise/people/signature/1", olive)
    with transaction() as session:
        daily_counts.keep(session, daily_counts.count(session, datetime.now(UTC)), datetime.now(UTC))
    world.sweep(datetime.now(UTC) + timedelta(seconds=10))
    world.work()
    return manage


def sign_and_confirm(world: World) -> None:
    form = {"name": NAME, "email": EMAIL, "clp": "", "office": "none", "display": "public", "consent": "yes", "updates": "yes"}
    post(world, f"/notices/{SLUG}/sign", form)
    world.work()
    post(world, world.link(world.letters(EMAIL, "confirm")[-1], "confirm"), {})
    world.sweep(datetime.now(UTC) + timedelta(hours=1))
    world.work()


def post(world: World, path: str, fields: dict[str, str]) -> None:
    """From an address of her own."""
    token = world.client.get(path, **FROM).text.split('name="csrf_token" value="')[1].split('"')[0]
    assert world.client.post(path, data=fields | {"csrf_token": token}, **FROM).status_code < 400


def write_by_mail(world: World) -> None:
    author = f'"{NAME}" <{EMAIL}>'
    for to, subject in ((f"updates-request@{DOMAIN}", "help"), (f"postmaster@{DOMAIN}", "A question")):
        receive(world, letter(author, to, subject, f"I am {NAME}."), to, EMAIL)
    two = letter(f"{author}, other@example.org", f"postmaster@{DOMAIN}", "Two of us", "Hello.")
    receive(world, two, f"postmaster@{DOMAIN}", EMAIL)


def be_imported(world: World, olive: Any) -> None:
    token = world.get("/organise/imports", olive).text.split('name="csrf_token" value="')[1].split('"')[0]
    file = (io.BytesIO(f"email,name\n{EMAIL},{NAME}\n".encode()), "members.csv")
    form = {"csrf_token": token, "list": "updates", "source": "paper forms, 2026", "file": file}
    assert olive.post("/organise/imports", data=form, content_type="multipart/form-data").status_code == 303
    world.post("/organise/imports/1", {"act": "judge", "email": "email", "name": "name"}, olive)
    world.work()


def be_written_to(world: World, olive: Any) -> None:
    """An update, which her provider complains of, and which comes back."""
    fields = {"list": "updates", "subject": "What happens next", "body": "Dear {name|friend},\n\nwe go on."}
    where = world.post("/organise/updates/new", fields, olive).headers["Location"]
    seen = world.get(where, olive).text.split('name="seen" value="')[1].split('"')[0]
    world.post(where, {"act": "send", "seen": seen}, olive)
    world.sweep(datetime.now(UTC) + timedelta(minutes=5))
    world.work()
    assert world.letters(EMAIL, "What happens next")
    copies = world.rows(select(Message.id).where(Message.mailing_id.is_not(None)))
    receive(world, VOUCHED % b"dmarc=pass header.from=quillfeather.example" + complaint(copies[0]), f"fbl@{DOMAIN}", "")
    text = bounce("5.1.1", f"550 5.1.1 <{EMAIL}> unknown").replace(b"reader@example.net", EMAIL.encode())
    proved = VOUCHED % b"dkim=pass header.d=quillfeather.example"
    receive(world, proved + text, links.bounce_address(copies[0]), "")
