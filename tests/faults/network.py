"""Machines beside this one, as far as their network goes: a namespace each, on one bridge with us (ip-netns(8))."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from contextlib import suppress
from typing import Self

import pytest


class Network:
    """Needs root and iproute2; skipped, with the reason, without them. Nothing of it stays."""

    def __init__(self, machines: int = 2) -> None:
        mark = secrets.token_hex(2)  # the name of an interface holds 15 characters
        self.bridge = f"us-{mark}"
        self.names = [f"us-{mark}-{number}" for number in range(machines)]
        self.network = f"10.213.{secrets.randbelow(256)}"
        self.address = f"{self.network}.1"
        """Of this machine, as the others see it."""

    def __enter__(self) -> Self:
        if os.getuid() != 0 or shutil.which("ip") is None:
            pytest.skip("network namespaces need root and iproute2")
        try:
            _ip(f"link add {self.bridge} type bridge")
            _ip(f"address add {self.address}/24 dev {self.bridge}")
            _ip(f"link set {self.bridge} up")
            for number, name in enumerate(self.names):
                self._plug_in(name, f"{self.network}.{number + 2}")
        except subprocess.CalledProcessError as error:
            self.__exit__()
            pytest.skip(f"network namespaces cannot be made here: {error.stderr.decode().strip()}")
        return self

    def _plug_in(self, name: str, address: str) -> None:
        _ip(f"netns add {name}")
        _ip(f"link add {name}h type veth peer name {name}n netns {name}")
        _ip(f"link set {name}h master {self.bridge} up")
        _ip(f"-n {name} address add {address}/24 dev {name}n")
        _ip(f"-n {name} link set {name}n up")

    def __exit__(self, *_: object) -> None:
        """A cable goes with the namespace that holds one end of it."""
        for what in (*(f"netns delete {name}" for name in self.names), f"link delete {self.bridge}"):
            with suppress(subprocess.CalledProcessError):
                _ip(what)

    def on(self, number: int) -> list[str]:
        """Put before a command, it runs there."""
        return ["ip", "netns", "exec", self.names[number]]


def _ip(arguments: str) -> None:
    subprocess.run(["ip", *arguments.split()], check=True, capture_output=True)
