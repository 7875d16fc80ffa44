"""A real Postfix in front, with the lines of the README: mail reaches us over LMTP, unknown addresses are refused."""

from __future__ import annotations

import os
import re
import shutil
import smtplib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from service import links
from service.models import Arrival, Subscription
from tests.conftest import ROOT, free_port, wait_until
from tests.inbound.conftest import Receiver
from tests.inbound.post import DOMAIN, letter
from tests.people import ANN
from tests.world import World

MASTER = """\
{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
lmtp unix - - n - - lmtp
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.example.org
mydestination =
mynetworks = 192.0.2.1
smtpd_peername_lookup = no
alias_maps =
alias_database =
"""


def lines_of_the_readme(port: int) -> str:
    """What the README tells people to write into main.cf, with this test's port."""
    found = re.search(r"^    relay_domains.*\n(?:    .*\n)+", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert found
    return re.sub(r"(?m)^    ", "", found[0]).replace("127.0.0.1:8024", f"127.0.0.1:{port}")


@pytest.fixture
def postfix(receiver: Receiver) -> Iterator[int]:
    """The port of a Postfix of our own, in a folder of its own."""
    if shutil.which("postfix") is None or os.getuid() != 0:
        pytest.skip("Postfix is not installed, or we are not root")
    folder, port = Path(f"/tmp/undersigned-postfix-{os.getpid()}"), free_port()
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("queue", "data"):
        (folder / name).mkdir(parents=True)
    folder.chmod(0o755)
    shutil.chown(folder / "data", "postfix")
    (folder / "main.cf").write_text(MAIN.format(folder=folder) + lines_of_the_readme(receiver.lmtp))
    (folder / "master.cf").write_text(MASTER.format(port=f"127.0.0.1:{port}"))
    control = ["postfix", "-c", str(folder)]
    subprocess.run([*control, "start"], check=True, capture_output=True, timeout=60)
    yield port
    subprocess.run([*control, "stop"], check=False, capture_output=True, timeout=60)
    shutil.rmtree(folder, ignore_errors=True)


def test_mail_from_outside_reaches_us_through_postfix(world: World, postfix: int) -> None:
    to, token = f"updates-subscribe@{DOMAIN}", links.bounce_address(7)
    with smtplib.SMTP("127.0.0.1", postfix, timeout=30) as client:
        assert client.sendmail(ANN["email"], [to], letter(ANN["email"], to)) == {}
        assert client.sendmail("", [token], letter("MAILER-DAEMON@example.org", token)) == {}
        for nobody in (f"nobody@{DOMAIN}", f"bounce+{'a' * 26}@{DOMAIN}", "ann@elsewhere.example"):
            with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
                client.sendmail(ANN["email"], [nobody], letter(ANN["email"], nobody))
            assert refused.value.recipients[nobody][0] // 100 in {4, 5}
    wait_until(lambda: len(world.rows(select(Arrival.id))) == 2, 30)
    assert {(row.source, row.sender, row.recipient) for row in world.rows(select(Arrival))} == {
        ("lmtp", ANN["email"], to), ("lmtp", "", token),
    }  # fmt: skip
    world.work()
    assert world.letter(ANN["email"], "confirm")
    assert world.rows(select(Subscription.state)) == ["pending"]
