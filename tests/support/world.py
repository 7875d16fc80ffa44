"""A whole service for one test: its own database and folder, the session's Redis and postbox, workers run in this process."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pyotp
from flask import Flask
from flask.testing import FlaskClient
from rq import SimpleWorker
from rq.serializers import JSONSerializer
from sqlalchemy import select
from werkzeug.test import TestResponse

from service.app import create_app
from service.core import queues as queue
from service.core.config import Settings
from service.core.db import reading, transaction
from service.models import Letter, Message, WaitingForm
from service.notices import officials, publishing, source_file
from service.organisers import accounts
from service.text.email_addresses import mailbox
from service.text.tables.csv_files import judge, lines_of
from tests.support import people
from workers import clock, jobs
from workers.outbound import leases
from workers.outbound.bulk import shifts
from workers.outbound.bulk.connections import pool
from workers.outbound.letter import _kept
from workers.outbound.smtp.transport import VerifiedMail

SECRET = re.compile(r'<code class="secret">(\w+)</code>')
OFFER = re.compile(r'name="token" value="([^"]+)"')
TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


class Here(SimpleWorker):
    """A worker in this process that listens for no commands: to stop listening costs RQ a second each time."""

    def subscribe(self) -> None:
        pass

    def unsubscribe(self) -> None:
        pass


class Browser(FlaskClient):
    """A browser of a service whose workers are awake: a form is acted on as soon as its page has come."""

    def open(self, *args: Any, **named: Any) -> TestResponse:
        response = super().open(*args, **named)
        if response.request.method == "POST" and response.status_code < 400:
            take_forms()
        return response


def take_forms() -> None:
    """Runs the real job for each form that waits."""
    with reading() as session:
        waiting = list(session.scalars(select(WaitingForm.id)))
    for form_id in waiting:
        jobs.take_form(form_id)


class World:
    """What a story needs: a browser (`client`), workers (`work`), mailboxes (`letters`), and time that passes."""

    def __init__(self, settings: Settings, postbox: str) -> None:
        self.settings, self.postbox = settings, postbox
        self.app: Flask = create_app(settings)
        self.app.test_client_class = Browser
        self.app.extensions["undersigned.mail"] = VerifiedMail(self.app)
        self.client: FlaskClient = self.browser()
        self.secrets: dict[str, str] = {}
        self.steps: dict[str, int] = {}

    def browser(self) -> FlaskClient:
        return self.app.test_client()

    def get(self, path: str, client: FlaskClient | None = None) -> TestResponse:
        return (client or self.client).get(path.removeprefix(self.settings.base_url))

    def post(
        self, path: str, fields: dict[str, Any] | None = None, client: FlaskClient | None = None, page: str = ""
    ) -> TestResponse:
        """Loads the form's page as a browser does (the same address, or another), and posts it with the token there."""
        client = client or self.client
        path = path.removeprefix(self.settings.base_url)
        found = TOKEN.search(client.get(page or path).get_data(as_text=True))
        data = {"csrf_token": found[1] if found else ""} | (fields or {})
        return client.post(path, data=data)

    def sign(self, person: dict[str, str], **changes: str) -> TestResponse:
        fields = person | {"clp": "Harbour", "office": "none", "display": "public", "consent": "yes"} | changes
        return self.post(f"/notices/{people.SLUG}/sign", fields)

    def subscribe(self, person: dict[str, str], slug: str = "updates") -> TestResponse:
        return self.post(f"/lists/{slug}", person)

    def work(self, *queues: str) -> None:
        """Runs the real jobs from the real queue until no bell hangs there."""
        shifts.stopping.clear()
        with self.app.app_context():
            while any(queue.waiting(name) for name in queues or queue.QUEUES):
                for name in filter(queue.waiting, queues or queue.QUEUES):
                    worker = Here(
                        [queue.rq_queue(name)],
                        connection=queue.redis(),
                        serializer=JSONSerializer,
                        name=f"{name}-{time.time_ns()}",
                    )
                    worker.log_job_description = False
                    worker.work(burst=True, logging_level="ERROR")
        self.hang_up()

    def hang_up(self) -> None:
        for kept in _kept():
            kept.connection.close()
        if pool.cache_info().currsize:
            for pipe in list(pool().pipes):
                pool().drop(pipe)

    def deliver_at(self, now: datetime, act: Callable[..., None]) -> None:
        with transaction() as session:
            act(session, now)

    def sweep(self, now: datetime | None = None) -> None:
        """One turn of the clock's sweeps, at a time of our choosing."""
        for duty in (clock.sweep_letters, clock.fall_due, clock.sweep_servings, clock.sweep_mailings, clock.sweep_arrivals):
            with transaction() as session:
                duty(session, now or datetime.now(UTC))

    def letters(self, to: str = "", subject: str = "") -> list[EmailMessage]:
        """Letters in the postbox, the oldest first."""
        with urllib.request.urlopen(f"{self.postbox}/api/v1/messages?limit=500") as response:
            listed = json.load(response)["messages"]
        found = []
        for one in reversed(listed):
            if to in {address["Address"] for address in one["To"]} | ({""} if not to else set()) and subject in one["Subject"]:
                found.append(self.raw(one["ID"]))
        return found

    def raw(self, number: str) -> EmailMessage:
        with urllib.request.urlopen(f"{self.postbox}/api/v1/message/{number}/raw") as response:
            return message_from_bytes(response.read(), policy=policy.default)  # type: ignore[return-value]

    def letter(self, to: str, subject: str = "") -> EmailMessage:
        found = self.letters(to, subject)
        assert len(found) == 1, [letter["Subject"] for letter in found]
        return found[0]

    def link(self, letter: EmailMessage, path: str) -> str:
        """The link of this path in a letter's text, without the host."""
        found = re.search(rf"{re.escape(self.settings.base_url)}(/{path}/\S+)", text_of(letter))
        assert found, text_of(letter)
        return found[1]

    def confirm(self, email: str) -> TestResponse:
        """Lets workers send, opens the newest confirmation letter, presses its button, lets workers send the receipt."""
        self.work()
        response = self.post(self.link(self.letters(email, "confirm")[-1], "confirm"))
        self.work()
        return response

    def manage(self, email: str) -> str:
        """Asks for a fresh link to what we hold about a mailbox, and reads it in its letter, which may still wait."""
        self.post("/manage", {"email": email})
        mine = (Message.mailbox == mailbox(email), Message.kind == "manage_link")
        text = self.rows(select(Letter.text).join(Message, Message.id == Letter.message_id).where(*mine))[-1]
        found = re.search(rf"{re.escape(self.settings.base_url)}(/manage/\S+)", text)
        assert found, text
        return found[1]

    def sign_in(self, email: str) -> FlaskClient:
        """By the link of a letter, and with the second factor where it is asked for: set up at the first time."""
        client = self.browser()
        self.post("/organise/sign-in", {"email": email}, client)
        self.work()
        where = self.post(self.link(self.letters(email, "sign-in")[-1], "organise/sign-in"), {}, client).headers["Location"]
        while (page := self.get(where, client)).status_code == 303:
            where = page.headers["Location"]
        if (offered := OFFER.search(text := page.get_data(as_text=True))) is not None:
            self.secrets[email] = SECRET.findall(text)[0]
            self.post(where, {"token": offered[1], "code": self.code(email)}, client)
        elif "second-factor" in where:
            self.post(where, {"code": self.code(email)}, client)
        return client

    def person(self, email: str, client: FlaskClient) -> str:
        """Where an organiser finds what we know of somebody, by searching as they do."""
        page = self.post("/organise/people", {"words": email}, client).get_data(as_text=True)
        return re.findall(r'href="(/organise/people/(?:subscription|signature)/\d+)"', page)[0]

    def code(self, email: str) -> str:
        """What this organiser's authenticator shows: each code once, so the next one where this one was used."""
        step = max(int(time.time()) // 30, self.steps.get(email, 0) + 1)
        self.steps[email] = step
        return pyotp.TOTP(self.secrets[email]).generate_otp(step)

    def publish(self, *, milestones: tuple[int, ...] = (1, 2, 100), wait: int = 0) -> None:
        """The tests' notice, live, with its two officials."""
        now = datetime.now(UTC)
        with transaction() as session:
            path = self.settings.var_dir / "officials.csv"
            path.write_text(people.OFFICIALS)
            read = judge(lines_of(path), lambda _, row: officials.read(row), [])
            officials.take_in(session, read, now)
            notice = publishing.take_in(session, source_file.read_file(people.NOTICE), now)
            notice.wait_minutes = wait
            publishing.set_milestones(notice, milestones)
            publishing.publish(session, people.SLUG, now)

    def add_organisers(self) -> None:
        with transaction() as session:
            for email, role in ((people.OLIVE, "administrator"), (people.PETRA, "approver"), (people.AUGUST, "author")):
                accounts.add(session, email, role, datetime.now(UTC))

    def count(self) -> int:
        return int(self.get(f"/notices/{people.SLUG}/count.json").json["count"])  # type: ignore[index]

    def rows(self, statement: Any) -> list[Any]:
        with reading() as session:
            return list(session.scalars(statement))


def text_of(letter: EmailMessage) -> str:
    part = letter.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def html_of(letter: EmailMessage) -> str:
    part = letter.get_body(("html",))
    assert part is not None
    return str(part.get_content())


__all__ = ["World", "html_of", "leases", "text_of"]
