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
    with op.batch_alter_table('request_items') as batch_op:
        batch_op.drop_column('form')
    op.drop_index('ix_messages_counted_as', 'messages')
    with op.batch_alter_table('messages') as batch_op:
        batch_op.drop_column('counted_as')
