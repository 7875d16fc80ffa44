"""Start the receivers: `python -m workers.inbound`. LMTP on INBOUND_LMTP_PORT, SMTP on INBOUND_SMTP_PORT."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from typing import Any

from sqlalchemy import event

from service.core.config import SettingRefused, settings
from service.core.db import engine_for
from service.core.logs import configure
from workers.inbound.listen import Spool, door

log = logging.getLogger(__name__)


def main() -> None:
    configure()
    logging.getLogger("mail").setLevel(logging.WARNING)  # aiosmtpd would log every address
    if settings().database_url.startswith("sqlite"):
        event.listen(engine_for(settings().database_url), "connect", _sync)
    sys.setswitchinterval(0.0005)  # else each reply waits up to 5 ms while the thread that commits computes
    asyncio.run(serve())


def _sync(connection: Any, _record: Any) -> None:
    """Each commit reaches the disk before the 250: what a power cut takes elsewhere is done again; here it would be lost."""
    connection.execute("PRAGMA synchronous=FULL")


async def serve() -> None:
    """Until SIGTERM: no new connections then, and what is being stored is still answered."""
    stop, spool = asyncio.Event(), Spool()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    tasks = [asyncio.create_task(spool.run()), asyncio.create_task(spool.ring())]
    servers = [
        await _listen(spool, "lmtp", settings().inbound_lmtp_port),
        await _listen(spool, "smtp", settings().inbound_smtp_port),
    ]
    log.info("receiving mail: LMTP on port %d, SMTP on port %d", settings().inbound_lmtp_port, settings().inbound_smtp_port)
    await stop.wait()
    for server in servers:
        server.close()
    while not spool.queue.empty():
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)  # the replies of the last commit
    for task in tasks:
        task.cancel()


async def _listen(spool: Spool, source: str, port: int) -> asyncio.Server:
    try:
        make = door(spool, source, settings().mail_domain)
        return await asyncio.get_running_loop().create_server(make, settings().inbound_host, port)
    except OSError as error:
        name = f"INBOUND_{source.upper()}_PORT"
        raise SettingRefused(f"{name} is {port}: it cannot be listened on ({os.strerror(error.errno or 0).lower()}).") from None


if __name__ == "__main__":
    try:
        main()
    except SettingRefused as refused:
        sys.exit(str(refused))
