"""Brings the database to the shape that this code expects."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config

from service.core.config import settings


def configuration() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent.parent / "migrations"))
    return config


def upgrade() -> None:
    """Runs the migrations that are missing. SQLite's file and folder are made where they are not there."""
    settings().var_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    command.upgrade(configuration(), "head")
