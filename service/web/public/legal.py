"""The pages that law and decency ask for, made from settings."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from service.people.retention_rules import BESIDE, RULES

blueprint = Blueprint("pages", __name__)


@blueprint.get("/privacy")
def privacy() -> ResponseReturnValue:
    return render_template("pages/privacy.html", rules=RULES | BESIDE)


@blueprint.get("/imprint")
def imprint() -> ResponseReturnValue:
    return render_template("pages/imprint.html")


@blueprint.get("/accessibility")
def accessibility() -> ResponseReturnValue:
    return render_template("pages/accessibility.html")
