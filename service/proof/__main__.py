"""`python -m service.proof FILE…`: says what holds and what does not, without us and without a network.

Takes any of: a manifest, a delivered letter (.eml), a PDF, CSV or text with its manifest, a receipt, two manifests (heads) with
the proof between them, the leaves of a tree, a chain of evidence, the published keys. Exit 0 holds, 1 does not, 2 unreadable.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from service.proof.encoding import Unreadable
from service.proof.signed import Finding
from service.proof.verify import verify

SIGNS = {True: "HOLDS     ", False: "DOES NOT  ", None: "          "}


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m service.proof", description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--key", default="", help="the fingerprint that the signing key must have")
    chosen = parser.parse_args(words)
    try:
        files = [(path.name, path.read_bytes()) for path in chosen.files]
        findings = verify(files, datetime.now(UTC), chosen.key)
    except (OSError, Unreadable) as error:
        _say(str(error))
        return 2
    for finding in findings:
        _say(SIGNS[finding.holds] + finding.sentence)
    _say(verdict(findings))
    return 0 if holds(findings) else 1


def holds(findings: list[Finding]) -> bool:
    return all(finding.holds is not False for finding in findings)


def verdict(findings: list[Finding]) -> str:
    wrong = sum(finding.holds is False for finding in findings)
    return f"{wrong} thing(s) here do not hold." if wrong else "Everything that could be checked holds."


def _say(sentence: str) -> None:
    """No control characters: a file's name or words must not speak for us on a terminal."""
    sys.stdout.write("".join(one if one.isprintable() else "�" for one in sentence) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
