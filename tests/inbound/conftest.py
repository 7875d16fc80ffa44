"""The receiver as a process of its own, in the world of one test."""

from __future__ import annotations

import os
import signal
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.conftest import ROOT, free_port, wait_until
from tests.support.world import World


@dataclass
class Receiver:
    lmtp: int
    smtp: int
    process: subprocess.Popen[bytes]

    def client(self) -> smtplib.SMTP:
        return smtplib.SMTP("127.0.0.1", self.smtp, timeout=20)

    def lmtp_client(self) -> smtplib.LMTP:
        return smtplib.LMTP("127.0.0.1", self.lmtp, timeout=20)

    def listens(self) -> bool:
        try:
            self.client().quit()
        except OSError:
            return False
        return True


def start(environment: dict[str, str]) -> Receiver:
    ports = free_port(), free_port()
    own = {"INBOUND_LMTP_PORT": str(ports[0]), "INBOUND_SMTP_PORT": str(ports[1])}
    command = [sys.executable, "-m", "workers.inbound"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    one = Receiver(*ports, subprocess.Popen(command, cwd=ROOT, env=os.environ | environment | own, **quiet))  # type: ignore[call-overload]
    wait_until(one.listens)
    return one


@pytest.fixture
def receiver(world: World, environment: dict[str, str]) -> Iterator[Receiver]:
    world.publish()
    one = start(environment)
    yield one
    one.process.send_signal(signal.SIGTERM)
    try:
        assert one.process.wait(10) == 0
    finally:
        one.process.kill()
