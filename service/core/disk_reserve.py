"""How much of the disk mail that comes in may fill: all but a reserve, which is for those who sign, confirm and leave."""

from __future__ import annotations

import shutil

from service.core.config import settings

MEGABYTE = 1_000_000
WARNED_AT = 3
"""Times the reserve: from here on /readyz says that the disk fills."""


def free_megabytes() -> int:
    """Of the disk that VAR_DIR is on."""
    return shutil.disk_usage(settings().var_dir).free // MEGABYTE


def has_room_for_mail() -> bool:
    return free_megabytes() >= settings().inbound_reserve_mb


def remarks() -> dict[str, str]:
    """For /readyz, before it is full."""
    free, reserve = free_megabytes(), settings().inbound_reserve_mb
    if free >= reserve * WARNED_AT:
        return {}
    taken = "mail that comes in is taken" if free >= reserve else "mail that comes in is asked to come back later"
    return {"disk": f"{free:,} MB are free, of which {reserve:,} MB are kept for signers: {taken}"}
