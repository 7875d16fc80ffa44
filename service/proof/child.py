"""`python -m service.proof.child`: the verifier in a process of its own, with bounds, for a page that anybody may use.

JSON comes in and goes out: {"files": [[name, base64], …], "now", "keys", "issued": [hash, …], "authorities"} becomes
{"findings": [[holds, sentence, judged], …], "problem": a sentence or ""}.
"""

from __future__ import annotations

import base64
import json
import resource
import sys
from datetime import datetime

from service.proof.encoding import Unreadable
from service.proof.manifests_check import Trust
from service.proof.verify import verify

MEMORY = 1 << 30
PROCESSOR_SECONDS = 8


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, PROCESSOR_SECONDS))
    asked = json.load(sys.stdin.buffer)
    files = [(name, base64.b64decode(content)) for name, content in asked["files"]]
    authorities = tuple(base64.b64decode(authority) for authority in asked["authorities"])
    trust = Trust(keys=asked["keys"], issued=frozenset(asked["issued"]), authorities=authorities)
    try:
        answer = {"findings": verify(files, datetime.fromisoformat(asked["now"]), trust), "problem": ""}
    except Unreadable as error:
        answer = {"findings": [], "problem": str(error)}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
