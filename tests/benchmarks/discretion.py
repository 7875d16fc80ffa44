"""Whether the time of a form's answer tells what we know of its address, while others use the service.

`python -m tests.benchmarks.discretion [sqlite|postgresql] [calm|busy|redis]` starts the web server, a worker and a Valkey as
the Procfile does, on loopback, with a folder of its own, and sends the form to sign 2,000 times for each of four states of an
address, in an order by chance: alone, with 20 visitors beside it, or with those and a Redis that hangs. For each pair of states
it prints the AUC, how often the answer of the one takes longer than that of the other (0.5: the time tells nothing), and the
upper end of its 95 % interval (Hanley and McNeil 1982).
"""

from __future__ import annotations

import http.client
import itertools
import math
import os
import random
import re
import shlex
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlencode

from honcho.environ import parse_procfile
from sqlalchemy import select

from service.confirmations import confirmation_requests
from service.core import config
from service.core.db import engine_for, transaction
from service.emails.suppressions import suppress
from service.migrations import upgrade
from service.models import Request
from service.notices import publishing, source_file
from service.signatures import signing
from service.text import email_addresses
from tests.conftest import ROOT, free_port, wait_until
from tests.support.people import NOTICE, SLUG
from tests.support.servers.postgres import Cluster
from workers.dev import valkey

TIMES = int(os.environ.get("TIMES", "2000"))
VISITORS = 20
STATES = ("new", "pending", "confirmed", "suppressed")
FORM = {"name": "Ann Ashworth", "clp": "Harbour", "office": "none", "display": "public", "consent": "yes"}
PATH = f"/notices/{SLUG}/sign"
TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
GOAL = 0.56


class Visitor:
    """One browser, one connection after the other, as curl makes them."""

    def __init__(self, port: int) -> None:
        self.port = port
        status, headers, page = self._ask("GET", PATH)
        assert status == 200
        self.cookie = headers["Set-Cookie"].partition(";")[0]
        found = TOKEN.search(page)
        assert found
        self.token = found[1]

    def _ask(self, method: str, path: str, body: str = "", **headers: str) -> tuple[int, dict[str, str], str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        page = answer.read().decode()
        connection.close()
        return answer.status, dict(answer.getheaders()), page

    def sign(self, email: str) -> float:
        """Seconds from the first byte to the last."""
        body = urlencode(FORM | {"email": email, "csrf_token": self.token})
        began = time.perf_counter()
        status, _, page = self._ask(
            "POST", PATH, body, Cookie=self.cookie, **{"Content-Type": "application/x-www-form-urlencoded"}
        )
        took = time.perf_counter() - began
        assert status == 200, page
        return took

    def look(self) -> None:
        self._ask("GET", f"/notices/{SLUG}")


def people() -> dict[str, list[str]]:
    """2,000 addresses in each state."""
    now = datetime.now(UTC) - timedelta(hours=2)
    with transaction() as session:
        notice = publishing.take_in(session, source_file.read_file(NOTICE), now)
        publishing.set_milestones(notice, ())
        publishing.publish(session, SLUG, now)
    found = {state: [f"{state}{number}@p{number}.example" for number in range(TIMES)] for state in STATES}
    for number, (pending, confirmed, barred) in enumerate(
        zip(found["pending"], found["confirmed"], found["suppressed"], strict=True)
    ):
        with transaction() as session:
            notice = publishing.find_public(session, SLUG)
            for email in (pending, confirmed):
                signing.ask(session, notice, signing.read_form(FORM | {"email": email}), now)
            request = session.scalars(select(Request).where(Request.email == confirmed)).one()
            confirmation_requests.use(session, request, now)
            signing.confirm(session, request, now)
            suppress(session, email_addresses.mailbox(barred), "complained", now)
            session.info.pop("bells", None)
        if number % 500 == 0:
            print(f"… {number * 3:,} people", file=sys.stderr, flush=True)
    return found


@contextmanager
def server(environment: dict[str, str]) -> Iterator[int]:
    """The web server, a worker for letters, and their Valkey. Yields the Valkey's process number."""
    commands = parse_procfile((ROOT / "Procfile").read_text()).processes
    ours = [[sys.executable, "-m", *shlex.split(commands["web"])], [sys.executable, "-m", "workers.run", "prompt"]]
    known = os.environ | environment
    kept = subprocess.Popen(valkey.command(), env=known, stdout=subprocess.DEVNULL)
    wait_until(config.settings().socket_path.exists)
    running = [subprocess.Popen(command, cwd=ROOT, env=known, stderr=subprocess.DEVNULL) for command in ours]
    try:
        yield kept.pid
    finally:
        kept.send_signal(signal.SIGCONT)
        for process in (*running, kept):
            process.terminate()
        for process in (*running, kept):
            process.wait(30)


@contextmanager
def others(port: int) -> Iterator[None]:
    """Twenty visitors who read the notice, think for a while, and sign, in a process of their own."""
    process = subprocess.Popen([sys.executable, "-m", "tests.benchmarks.discretion", "visitors", str(port)], cwd=ROOT)
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


def visit(port: int) -> None:
    def one(number: int) -> None:
        visitor, chance = Visitor(port), random.Random(number)
        for turn in itertools.count():
            visitor.look()
            time.sleep(chance.uniform(0, 2))
            visitor.sign(f"visitor{number}x{turn}@v{number}x{turn}.example")

    threads = [threading.Thread(target=one, args=(number,)) for number in range(VISITORS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def measure(port: int, found: dict[str, list[str]]) -> dict[str, list[float]]:
    """Seconds by state."""
    order = [(state, email) for state in STATES for email in found[state]]
    random.Random(1).shuffle(order)
    visitor = Visitor(port)
    times: dict[str, list[float]] = {state: [] for state in STATES}
    for number, (state, email) in enumerate(order):
        times[state].append(visitor.sign(email))
        if number % 1000 == 0:
            print(f"… {number:,} of {len(order):,}", file=sys.stderr, flush=True)
    return times


def auc(one: Sequence[float], other: Sequence[float]) -> tuple[float, float]:
    """How often `one` is the longer (ties count half), folded to ≥ 0.5, and the upper end of its 95 % interval."""
    ranked = sorted([(seconds, 0) for seconds in one] + [(seconds, 1) for seconds in other])
    below = wins = 0.0
    for _, group in itertools.groupby(ranked, key=lambda pair: pair[0]):
        kinds = [kind for _, kind in group]
        ours, theirs = kinds.count(0), kinds.count(1)
        wins += ours * (below + theirs / 2)
        below += theirs
    area = wins / (len(one) * len(other))
    area = max(area, 1 - area)
    q1, q2 = area / (2 - area), 2 * area * area / (1 + area)
    variance = area * (1 - area) + (len(one) - 1) * (q1 - area * area) + (len(other) - 1) * (q2 - area * area)
    return area, area + 1.96 * math.sqrt(variance / (len(one) * len(other)))


def report(times: dict[str, list[float]]) -> bool:
    for state, taken in times.items():
        median, late = statistics.median(taken), sorted(taken)[len(taken) * 99 // 100]
        print(f"{state:>10}: {len(taken):,} requests, median {1000 * median:7.1f} ms, 99 % within {1000 * late:7.1f} ms")
    worst = 0.0
    for one, other in itertools.combinations(STATES, 2):
        area, upper = auc(times[one], times[other])
        worst = max(worst, upper)
        print(f"{one:>10} and {other:<10}: AUC {area:.3f}, at most {upper:.3f}")
    print(f"the worst is {worst:.3f}, the goal {GOAL}")
    return worst <= GOAL


def main(database: str = "sqlite", how: str = "busy") -> int:
    with TemporaryDirectory(prefix="undersigned-bench-") as name, ExitStack() as stack:
        port, folder = free_port(), Path(name)
        environment = {
            "VAR_DIR": name, "WEB_PORT": str(port), "BASE_URL": f"http://127.0.0.1:{port}", "MAIL_PORT": "9",
            "LIMIT_VISITOR": "1000000 per minute", "OUTSIDE": "",
        }  # fmt: skip
        if database == "postgresql":
            cluster = stack.enter_context(Cluster(folder))
            environment["DATABASE_URL"] = cluster.create("discretion")
        config.use(config.load(environment))
        if database == "sqlite":
            upgrade.upgrade()
        found = people()
        engine_for(config.settings().database_url).dispose()
        redis = stack.enter_context(server(environment))
        wait_until(lambda: _answers(port), 30)
        if how != "calm":
            stack.enter_context(others(port))
        if how == "redis":
            os.kill(redis, signal.SIGSTOP)
        print(f"{database}, {how}:", flush=True)
        return 0 if report(measure(port, found)) else 1


def _answers(port: int) -> bool:
    try:
        Visitor(port)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    acts: dict[str, Callable[..., object]] = {"visitors": lambda port: visit(int(port))}
    first = sys.argv[1] if len(sys.argv) > 1 else ""
    sys.exit(acts[first](*sys.argv[2:]) if first in acts else main(*sys.argv[1:]))  # type: ignore[arg-type]
