"""The people of these tests: fictional, the same in every story, on reserved domains."""

ANN = {"name": "Ann Ashworth", "email": "ann@example.org"}
BEN = {"name": "Ben O'Malley", "email": "ben@example.org"}
CHI = {"name": "Chiara Bianchi-Novák", "email": "chiara@example.org"}

OLIVE = "olive@example.org"  # an organiser: administrator
PETRA = "petra@example.org"  # an organiser: approver
AUGUST = "august@example.org"  # an organiser: author

OFFICIALS = """\
office,name,email,source,verified_on
General Secretary,Morgan Fell,secretary@nec.example,party website,2026-10-01
Chair of the NEC,Jamie Thornhill,chair@nec.example,party website,2026-10-01
"""

NOTICE = """\
---
title: Open the books
slug: open-the-books
addressed_to: the General Secretary and the National Executive Committee
published_by: The Harbour Members' Network
published_on: 2026-11-02
---
We the undersigned demand:

- that the accounts be published;
- that the minutes be published.

Until then we ask every month.
"""
SLUG = "open-the-books"
