"""Alembic's entry: runs inside `flask --app wsgi migrate`, on the service's own engine."""

from alembic import context
from sqlalchemy import create_engine

from service.core.config import settings
from service.models import Base

url = settings().database_url
engine = create_engine(url)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=url.startswith("sqlite"))
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
