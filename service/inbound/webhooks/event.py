"""What every adapter gives: an event, with the provider's own name for it, so that a replay is known."""

from __future__ import annotations

from typing import NamedTuple

from service.inbound.parsing.judgement import Judgement


class Forged(ValueError):
    """This is not from the provider, or not for us."""


class Event(NamedTuple):
    """`judgement.tokens` names the message, by tokens of ours alone."""

    external_id: str
    judgement: Judgement
