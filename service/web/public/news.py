"""Published updates: permalinks and a feed."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from service.core.db import reading
from service.emails import links
from service.mailings import news
from service.models import MailingList
from service.web.feeds import atom

blueprint = Blueprint("news", __name__)


@blueprint.get("/news")
def index() -> ResponseReturnValue:
    with reading() as session:
        lists = list(session.scalars(select(MailingList).order_by(MailingList.title)))
        return render_template("pages/news.html", updates=news.published(session), lists=lists)


@blueprint.get("/news/<slug>")
def show(slug: str) -> ResponseReturnValue:
    with reading() as session:
        update = news.find_published(session, slug)
        return render_template("pages/update.html", update=update, body=news.for_the_web(update))


@blueprint.get("/news.atom")
def feed() -> ResponseReturnValue:
    with reading() as session:
        updates = [(update, news.for_the_web(update)) for update in news.published(session, 20)]
        return atom("pages/news.xml", updates=updates, url=links.url)
