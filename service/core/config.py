"""The settings of this process, read once from the environment; nonsense is refused at start.

service.core.settings_table has each of them with its sentence.

A setting NAME may also be given as NAME_FILE, the path of a file that holds it: the habit of container secrets.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import fields
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from service.core import machine_secret, private_files
from service.core.setting_types import SHORTEST_KEY
from service.core.settings_table import SECRETS, Settings

__all__ = ["SettingRefused", "Settings", "load", "runtime_folder", "settings", "use"]


class SettingRefused(ValueError):
    """A setting that cannot be meant; the text says which, and what would do."""


def load(environ: Mapping[str, str]) -> Settings:
    """Reads the settings. Raises SettingRefused with a sentence that names the setting."""
    values: dict[str, Any] = {}
    for item in fields(Settings):
        name = item.name.upper()
        text = _text(environ, name) or item.metadata["default"]
        try:
            values[item.name] = item.metadata["parse"](text) if text else ""
        except ValueError as error:
            shown = "not shown here" if item.name in SECRETS else repr(text)
            raise SettingRefused(f"{name} is {shown}: it {error}.") from None
    _derive(values)
    return Settings(**values)


def _text(environ: Mapping[str, str], name: str) -> str:
    path = environ.get(f"{name}_FILE")
    if path is None:
        return environ.get(name, "").strip()
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SettingRefused(f"{name}_FILE is {path!r}: it cannot be read ({why}).") from None


def _derive(values: dict[str, Any]) -> None:
    """Fills what was left empty from the other settings, and checks what depends on more than one."""
    var: Path = values["var_dir"]
    values["database_url"] = values["database_url"] or f"sqlite:///{var / 'undersigned.db'}"
    values["redis_url"] = values["redis_url"] or f"unix://{runtime_folder(var) / 'valkey.sock'}"
    values["mail_routes"] = values["mail_routes"] or {}
    values["feedback_domains"] = values["feedback_domains"] or ()
    values["secret_key"] = values["secret_key"] or (_generated(var / "secret.key"),)
    values["hash_key"] = values["hash_key"] or values["secret_key"][-1]
    values["mail_port"] = values["mail_port"] or values["postbox_smtp_port"]
    values["base_url"] = values["base_url"] or f"http://localhost:{values['web_port']}"
    values["mail_default_sender"] = (
        values["mail_default_sender"] or f"{values['organisation'].split(' (')[0]} <notices@{values['mail_domain']}>"
    )
    values["contact_email"] = values["contact_email"] or f"contact@{values['mail_domain']}"
    values["inbound_authserv_id"] = values["inbound_authserv_id"] or values["mail_domain"]
    values["imprint"] = values["imprint"] or (
        f"Published and promoted by {values['organisation']}, {values['postal_address']}."
    )
    _protect_the_relay(values)
    _want_two_people(values)
    if bool(values["dkim_domain"]) != bool(values["dkim_key_file"]):
        raise SettingRefused("DKIM_DOMAIN and DKIM_KEY_FILE go together: set both or neither.")


def _protect_the_relay(values: dict[str, Any]) -> None:
    """Letters hold names: they cross a network in the clear only where a setting says so, and passwords never do."""
    if values["mail_use_tls"] and values["mail_use_ssl"]:
        raise SettingRefused("MAIL_USE_TLS and MAIL_USE_SSL are both on: choose one.")
    is_near = _is_this_machine(values["mail_server"])
    if values["mail_use_tls"] == "":
        values["mail_use_tls"] = not (is_near or values["mail_use_ssl"] or values["allow_plain_relay"])
    if is_near or values["mail_use_tls"] or values["mail_use_ssl"]:
        return
    if values["mail_username"] or values["mail_password"]:
        raise SettingRefused("MAIL_PASSWORD would cross the network in the clear: set MAIL_USE_TLS=on or MAIL_USE_SSL=on.")
    if not values["allow_plain_relay"]:
        raise SettingRefused(
            "MAIL_USE_TLS is off, and letters would cross the network in the clear: set it on, or ALLOW_PLAIN_RELAY=1."
        )


def _want_two_people(values: dict[str, Any]) -> None:
    """Of a service that people reach, whose address says https."""
    if not values["base_url"].startswith("https://") or values["allow_one_person"]:
        return
    for name, value in (("approvals", "0"), ("second_factor", "off")):
        if not values[name]:
            raise SettingRefused(
                f"{name.upper()} is {value}, so one person could do it all: ALLOW_ONE_PERSON=1 if you mean it."
            )


def _is_this_machine(server: str) -> bool:
    try:
        return ip_address(server.strip("[]")).is_loopback
    except ValueError:
        return server.lower() == "localhost"


def runtime_folder(var: Path) -> Path:
    """A short folder for the socket of the bundled Valkey: a unix socket's path must stay under 108 characters."""
    mark = hashlib.sha256(str(var).encode()).hexdigest()[:10]
    return Path(f"/tmp/undersigned-{os.getuid()}-{mark}")  # noqa: S108  its owner and mode are checked


def _generated(path: Path) -> str:
    """The secret of this machine, made once; processes that start together end with the same one."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            machine_secret.make(path)
        secret = path.read_text().strip()
    except OSError as error:
        raise SettingRefused(f"VAR_DIR is {str(path.parent)!r}: it cannot be written ({error.strerror}).") from None
    if len(secret) < SHORTEST_KEY:
        raise SettingRefused(f"SECRET_KEY is not set, and {path} holds no key: remove that file, and a new one is made.")
    return secret


_current: list[Settings] = []


def use(settings: Settings) -> None:
    """Makes these the settings of this process."""
    _current[:] = [settings]


def settings() -> Settings:
    """The settings of this process, read from the environment at the first call; from then on its files are its own."""
    if not _current:
        loaded = load(os.environ)
        try:
            private_files.protect(loaded.var_dir)
        except private_files.NotPrivate as error:
            raise SettingRefused(f"VAR_DIR is {str(loaded.var_dir)!r}: it {error}.") from None
        use(loaded)
    return _current[0]
