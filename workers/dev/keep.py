"""`python -m workers.dev.keep COMMAND…`: starts a process again when it was killed, as a supervisor does in production.

`make run` would end everything with one process; a newcomer who kills a worker should see that nothing is lost instead.
"""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
import time
from types import FrameType

PR_SET_PDEATHSIG = 1
PAUSE_SECONDS = 1.0


def _die_with_parent() -> None:
    """Linux only (prctl(2)); elsewhere a killed parent leaves its child, which does no harm but stays."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main(command: list[str]) -> int:
    """The command's exit code once it ends by itself; killed by a signal, it is started again."""
    stopping: list[int] = []
    child: subprocess.Popen[bytes] | None = None

    def stop(signum: int, _frame: FrameType | None) -> None:
        stopping.append(signum)
        if child is not None:
            child.terminate()

    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, stop)
    while not stopping:
        child = subprocess.Popen(command, preexec_fn=_die_with_parent)  # noqa: PLW1509  it is called before any thread starts
        code = child.wait()
        if stopping or code >= 0:
            return 0 if stopping else code
        sys.stderr.write(f"{command[-1]} was killed ({signal.Signals(-code).name}); it is started again.\n")
        time.sleep(PAUSE_SECONDS)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
