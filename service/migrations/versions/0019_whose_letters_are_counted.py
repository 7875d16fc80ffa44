"""whose letters are counted together, whatever tag they are written with; which form of several a letter's link lists"""

import sqlalchemy as sa
from alembic import op

revision = '0019'
down_revision = '0018'
MARKED = sa.text("counted_as IS NOT NULL")


def upgrade() -> None:
    op.add_column('messages', sa.Column('counted_as', sa.String(), nullable=True))
    op.create_index(
        'ix_messages_counted_as', 'messages', ['counted_as', 'created_at'], postgresql_where=MARKED, sqlite_where=MARKED
    )
    op.add_column('request_items', sa.Column('form', sa.Integer(), server_default='0', nullable=False))


def downgrade() -> None:
    op.drop_column('request_items', 'form')
    op.drop_index('ix_messages_counted_as', 'messages')
    op.drop_column('messages', 'counted_as')
