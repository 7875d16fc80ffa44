"""`python -m service.servings.documents.pdf_process`: one document, JSON in, JSON and PDF out.

The memory that typst takes ends with the process.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime

from service.servings.documents.pdf_compiler import compile_content

if __name__ == "__main__":
    job = json.load(sys.stdin.buffer)
    typeset = compile_content(job["content"], datetime.fromisoformat(job["served_at"]))
    sys.stdout.buffer.write(json.dumps(typeset.missing).encode() + b"\n" + typeset.pdf)
