"""a keyed mark of the visitor or mail server that asked for a letter"""

import sqlalchemy as sa
from alembic import op

revision = '0025'
down_revision = '0024'
MARKED = sa.text("asked_by IS NOT NULL")


def upgrade() -> None:
    op.add_column('messages', sa.Column('asked_by', sa.String(), nullable=True))
    op.create_index(
        'ix_messages_asked_by', 'messages', ['asked_by', 'due_at'], postgresql_where=MARKED, sqlite_where=MARKED
    )
    op.add_column('waiting_forms', sa.Column('asked_by', sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column('waiting_forms', 'asked_by')
    op.drop_index('ix_messages_asked_by', 'messages')
    op.drop_column('messages', 'asked_by')
