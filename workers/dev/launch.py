"""`make run`: prepare everything that is missing, start every process of Procfile.dev, say where to go.

Ends with one sentence and exit 1 where something cannot work; ends every process within seconds on Ctrl-C.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from honcho.environ import parse_procfile
from honcho.manager import Manager
from sqlalchemy.exc import SQLAlchemyError

from service.core.config import SettingRefused, Settings, settings
from service.core.db import transaction
from service.emails import links
from service.errors import NotFound
from service.migrations import upgrade
from service.operations import sample
from service.organisers import accounts
from workers.dev import valkey

ROOT = Path(__file__).parent.parent.parent
DEVELOPMENT = {"APPROVALS": "0", "SECOND_FACTOR": "off", "COOLING_SECONDS": "10", "DNS_SERVER": "off"}
ORGANISER = "organiser@example.org"
READY_SECONDS = 60
ASKED_TO_STOP = {0, -signal.SIGINT, -signal.SIGTERM, 128 + signal.SIGINT, 128 + signal.SIGTERM}


def main() -> None:
    for name, value in DEVELOPMENT.items():
        os.environ.setdefault(name, value)
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    with ExitStack() as until_the_end:
        try:
            config = settings()
            until_the_end.enter_context(alone(config.var_dir))
            check_ports(config)
            prepare()
            bundled = config.redis_url == f"unix://{config.socket_path}"
            redis = until_the_end.enter_context(valkey.running()) if bundled else None
        except (SettingRefused, OSError) as error:
            sys.exit(f"Undersigned cannot start. {error}")
        except SQLAlchemyError as error:
            reason = str(getattr(error, "orig", None) or error).splitlines()[0]
            sys.exit(f"Undersigned cannot start. The database said no: {reason}.")
        code = run_all(config, redis)
    if code in ASKED_TO_STOP:
        sys.exit(0)  # else make would call an orderly Ctrl-C an error
    print("One process ended by itself (see above), so all were stopped. `make run` goes on where they were.", flush=True)
    sys.exit(code)


def prepare() -> None:
    """Brings the database up to date, with sample content and an organiser."""
    upgrade.upgrade()
    with transaction() as session:
        sample.plant(session, datetime.now(UTC))
        accounts.add(session, ORGANISER, "administrator", datetime.now(UTC))


def run_all(config: Settings, redis: subprocess.Popen[bytes] | None) -> int:
    """Runs the processes of Procfile.dev until one of them ends; its exit code."""
    manager = Manager()
    for name, line in parse_procfile((ROOT / "Procfile.dev").read_text()).processes.items():
        manager.add_process(name, line, cwd=str(ROOT), env=dict(os.environ, PYTHONUNBUFFERED="1"))
    threading.Thread(target=welcome, args=(config,), daemon=True).start()
    if redis is not None:
        threading.Thread(target=end_with, args=(redis, manager), daemon=True).start()
    manager.loop()
    return int(manager.returncode)


def end_with(redis: subprocess.Popen[bytes], manager: Manager) -> None:
    """Without Valkey nothing is run: whoever stopped it finds all stopped, not letters that wait for a minute."""
    code = redis.wait()
    if manager.returncode is None:
        print(f"The bundled Valkey ended ({code}).", flush=True)
        manager.returncode = code or 1
        manager.terminate()


def alone(folder: Path) -> IO[str]:
    """Holds this folder for one run at a time. Raises SettingRefused where another holds it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    held = (folder / "run.lock").open("a")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SettingRefused(f"Undersigned runs from {folder} already: stop that, or set VAR_DIR to another folder.") from None
    return held


def check_ports(config: Settings) -> None:
    """Raises SettingRefused for a port that somebody else has."""
    for name in ("web_port", "postbox_smtp_port", "postbox_port", "inbound_lmtp_port", "inbound_smtp_port"):
        number = getattr(config, name)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", number))
            except OSError:
                upper = name.upper()
                raise SettingRefused(f"Port {number} is taken: stop what uses it, or set {upper} to another.") from None


def welcome(config: Settings) -> None:
    """Waits until everything is ready, then says where to go, here and in a file that only we can read."""
    flask = command()
    if not ready(f"http://127.0.0.1:{config.web_port}/readyz"):
        print("Not everything is ready after a minute; look at the lines above, and at /readyz.", flush=True)
        return
    with transaction() as session:
        try:
            link = links.sign_in_url(accounts.new_link(session, ORGANISER, datetime.now(UTC)).key)
        except NotFound:
            link = f"(nobody signs in yet: {flask} organisers add EMAIL --role administrator)"
    text = f"""
  Undersigned is ready.
    The site        {config.base_url}/
    Organisers      {link}
                    (works once; `{flask} organisers link {ORGANISER}` makes another)
    Join by e-mail  {flask} inbound send updates-subscribe@{config.mail_domain} --from you@example.org
    The postbox     http://localhost:{config.postbox_port}/   every letter lands here
    Commands        {flask} --help
    Stop with Ctrl-C; `make run` again loses nothing.
"""
    print(text, flush=True)
    path = config.var_dir / "welcome.txt"
    path.touch(0o600)
    path.chmod(0o600)
    path.write_text(text)


def command() -> str:
    """How to call a command with the settings of this run, from another terminal."""
    names = ("VAR_DIR", "WEB_PORT", "BASE_URL", "POSTBOX_SMTP_PORT", "INBOUND_SMTP_PORT", *DEVELOPMENT)
    given = [f"{name}={os.environ[name]}" for name in names if name in os.environ]
    return " ".join([*given, ".venv/bin/flask --app wsgi"])


def ready(url: str) -> bool:
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(url, timeout=2) as response:
                return bool(response.status == 200)
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    return False


if __name__ == "__main__":
    try:
        main()
    except subprocess.SubprocessError as error:
        sys.exit(f"Undersigned cannot start. {error}")
