"""`python -m service.volume`: one volume of a long list, JSON in, PDF out: typst's memory ends with the process."""

from __future__ import annotations

import json
import sys
from datetime import datetime

from service.documents import compile_pdf

if __name__ == "__main__":
    given = json.load(sys.stdin.buffer)
    content = json.dumps(given["content"], ensure_ascii=False)
    sys.stdout.buffer.write(compile_pdf(content, datetime.fromisoformat(given["served_at"])))
