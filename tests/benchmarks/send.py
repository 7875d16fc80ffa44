"""One bulk worker's process: `python -m tests.benchmarks.send MAILING`. Sends the mailing to its end, prints what it took."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from service.app import create_app
from service.core.config import settings
from service.core.db import reading
from service.models import Mailing
from workers.outbound.bulk import shifts
from workers.outbound.smtp.transport import VerifiedMail


def main(mailing_id: int) -> None:
    app = create_app(settings())
    app.extensions["undersigned.mail"] = VerifiedMail(app)
    with app.app_context():
        shifts.pool()
        began, cpu = time.time(), time.process_time()
        while True:
            shifts.run(mailing_id)
            with reading() as session:
                if session.get_one(Mailing, mailing_id).state == "sent":
                    break
            time.sleep(0.02)
    # Not ru_maxrss: a child inherits its parent's peak from before the exec.
    rss = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024
    print(json.dumps({"began": began, "ended": time.time(), "cpu": time.process_time() - cpu, "rss_mb": rss}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
