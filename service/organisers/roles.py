"""The roles of organisers, each with its sentence."""

from __future__ import annotations

ROLES = {
    "author": "writes updates and tests them",
    "approver": "approves what others wrote, and stops what should not go",
    "administrator": "looks after people, organisers and officials as well",
}
APPROVERS = frozenset({"approver", "administrator"})
ADMINISTRATORS = frozenset({"administrator"})
EVERYBODY = frozenset(ROLES)
