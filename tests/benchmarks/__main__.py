"""`make bench`: prints one `name value unit` line for each figure, ratios within one run, and writes VAR_DIR/bench.json."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.benchmarks import delivery, growth, inbound, prompt, proof, studio
from tests.benchmarks.sinks import Missing

Figure = tuple[str, float, str]
GROUPS: dict[str, Callable[[Path], Iterator[Figure]]] = {
    "unsigned": delivery.unsigned,
    "signed": delivery.signed,
    "two": delivery.two_workers,
    "late": delivery.late,
    "growth": growth.fan_out_and_growth,
    "import": growth.import_rows,
    "prompt": prompt.prompt_beside_bulk,
    "serving": proof.serving,
    "annex": proof.annex,
    "tree": proof.tree,
    "verifier": proof.verifier,
    "receiving": inbound.receiving,
    "judging": inbound.judging,
    "studio": studio.pages,
}


def main(wanted: list[str]) -> int:
    """Runs the groups named, or all. Exit 2 for a group that there is none of."""
    if unknown := set(wanted) - set(GROUPS):
        print(f"There is no group {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}.", file=sys.stderr)
        return 2
    found: dict[str, dict[str, object]] = {}
    with tempfile.TemporaryDirectory(prefix="undersigned-bench-") as folder:
        for name in wanted or list(GROUPS):
            print(f"… {name}", file=sys.stderr, flush=True)
            began = time.monotonic()
            try:
                for figure, value, unit in GROUPS[name](Path(folder)):
                    found[figure] = {"value": round(value, 3), "unit": unit}
                    print(f"{figure} {value:,.3f} {unit}", flush=True)
            except Missing as missing:
                found[name] = {"value": None, "unit": f"skipped: {missing}"}
                print(f"{name} skipped {missing}", flush=True)
            print(f"  {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    where = Path(os.environ.get("VAR_DIR", "var"))
    where.mkdir(parents=True, exist_ok=True)
    (where / "bench.json").write_text(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
