"""A real Postfix of our own: its files in a folder, its port free; without other settings it hands all to one next server."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest

from tests.conftest import free_port, wait_until

MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mydestination =
alias_maps =
alias_database =
"""
RELAYING = """\
myhostname = relay.example
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtp_dns_support_level = disabled
relayhost = [127.0.0.1]:{next_port}
"""
SERVICES = """\
cleanup  unix  n - n - 0 cleanup
qmgr     unix  n - n 300 1 qmgr
tlsmgr   unix  - - n 1000? 1 tlsmgr
rewrite  unix  - - n - - trivial-rewrite
bounce   unix  - - n - 0 bounce
defer    unix  - - n - 0 bounce
trace    unix  - - n - 0 bounce
verify   unix  - - n - 1 verify
lmtp     unix  - - n - - lmtp
smtp     unix  - - n - - smtp
relay    unix  - - n - - smtp
error    unix  - - n - - error
retry    unix  - - n - - error
proxymap unix  - - n - - proxymap
anvil    unix  - - n - 1 anvil
scache   unix  - - n - 1 scache
postlog  unix-dgram n - n - 1 postlogd
"""
QUEUES = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace")
MAILDROP = {"public": 0o710, "maildrop": 0o730}


class Postfix:
    """Listens on `port` from `with` to its end; skipped, with the reason, where Postfix is missing or cannot be started."""

    def __init__(self, settings: str = RELAYING) -> None:
        self.settings = settings
        self.port, self.next_port = free_port(), free_port()
        self.master = Path("/usr/lib/postfix/sbin/master")
        if not self.master.exists():
            pytest.skip("Postfix is not installed")
        if os.getuid() != 0:
            pytest.skip("Postfix starts as root alone")
        self.folder = Path(tempfile.mkdtemp(prefix="undersigned-postfix-"))

    def __enter__(self) -> Self:
        self._lay_out()
        command = [self.master, "-c", self.folder / "etc", "-d"]
        # Its own session, for at its end it signals the whole group.
        self.process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self._greets)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _greets(self) -> bool:
        assert self.process.poll() is None, "Postfix ended at once"
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 5) as probe:
            return probe.recv(100).startswith(b"220")
        return False

    def _lay_out(self) -> None:
        """What `postfix check` makes for an instance: folders with their owners."""
        self.folder.chmod(0o755)
        (self.folder / "etc").mkdir()
        (self.folder / "etc/main.cf").write_text((MAIN + self.settings).format(folder=self.folder, next_port=self.next_port))
        smtpd = f"127.0.0.1:{self.port} inet n - n - - smtpd\n"
        (self.folder / "etc/master.cf").write_text(smtpd + SERVICES)
        owner = pwd.getpwnam("postfix")
        (self.folder / "queue/pid").mkdir(parents=True)
        for name, mode in (dict.fromkeys(QUEUES, 0o700) | MAILDROP).items():
            (self.folder / "queue" / name).mkdir()
            (self.folder / "queue" / name).chmod(mode)
            shutil.chown(self.folder / "queue" / name, "postfix", "postdrop" if name in MAILDROP else None)
        (self.folder / "data").mkdir(mode=0o700)
        os.chown(self.folder / "data", owner.pw_uid, owner.pw_gid)
