"""`make run`: prepare everything that is missing, start every process of Procfile.dev, say where to go.

Ends with one sentence and exit 1 where something cannot work; ends every process within seconds on Ctrl-C.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

from honcho.environ import parse_procfile
from honcho.manager import Manager
from sqlalchemy.exc import SQLAlchemyError

from service import links, migrate, organisers, sample
from service.config import SettingRefused, Settings, settings
from service.db import transaction
from service.errors import NotFound

ROOT = Path(__file__).parent.parent
DEVELOPMENT = {"APPROVALS": "0", "SECOND_FACTOR": "off"}
ORGANISER = "organiser@example.org"
READY_SECONDS = 60


def main() -> None:
    for name, value in DEVELOPMENT.items():
        os.environ.setdefault(name, value)
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    bundled = "REDIS_URL" not in os.environ
    try:
        known = settings()
        check_ports(known)
        migrate.upgrade()
        with transaction() as session:
            sample.plant(session, datetime.now(UTC))
            organisers.add(session, ORGANISER, "administrator", datetime.now(UTC))
    except (SettingRefused, OSError) as error:
        sys.exit(f"Undersigned cannot start. {error}")
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        sys.exit(f"Undersigned cannot start. The database said no: {reason}.")
    manager = Manager()
    for name, command in parse_procfile((ROOT / "Procfile.dev").read_text()).processes.items():
        if name != "redis" or bundled:
            manager.add_process(name, command, cwd=str(ROOT), env=dict(os.environ, PYTHONUNBUFFERED="1"))
    threading.Thread(target=welcome, args=(known,), daemon=True).start()
    manager.loop()
    sys.exit(manager.returncode)


def check_ports(known: Settings) -> None:
    """Raises SettingRefused for a port that somebody else has."""
    for name in ("web_port", "postbox_smtp_port", "postbox_port"):
        number = getattr(known, name)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", number))
            except OSError:
                upper = name.upper()
                raise SettingRefused(f"Port {number} is taken: stop what uses it, or set {upper} to another.") from None


def welcome(known: Settings) -> None:
    """Waits until everything is ready, then says where to go, here and in a file that only we can read."""
    if not ready(f"http://127.0.0.1:{known.web_port}/readyz"):
        print("Not everything is ready after a minute; look at the lines above, and at /readyz.", flush=True)
        return
    with transaction() as session:
        try:
            link = links.sign_in_url(organisers.new_link(session, ORGANISER, datetime.now(UTC)).key)
        except NotFound:
            link = "(nobody signs in yet: flask --app wsgi organisers add EMAIL --role administrator)"
    text = f"""
  Undersigned is ready.
    The site        {known.base_url}/
    Organisers      {link}
                    (works once; `flask --app wsgi organisers link {ORGANISER}` makes another)
    The postbox     http://localhost:{known.postbox_port}/   every letter lands here
    Stop with Ctrl-C; `make run` again loses nothing.
"""
    print(text, flush=True)
    path = known.var_dir / "welcome.txt"
    path.touch(0o600)
    path.chmod(0o600)
    path.write_text(text)


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
