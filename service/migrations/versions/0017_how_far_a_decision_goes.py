"""how many an organiser saw when deciding on a cause, and how many have followed that decision"""

import sqlalchemy as sa
from alembic import op

revision = '0017'
down_revision = '0016'


def upgrade() -> None:
    with op.batch_alter_table('brake_decisions') as batch_op:
        batch_op.add_column(sa.Column('mailboxes', sa.Integer(), server_default='0', nullable=False))
        batch_op.add_column(sa.Column('followed', sa.Integer(), server_default='0', nullable=False))
    with op.batch_alter_table('brake_decisions') as batch_op:
        for name in ('mailboxes', 'followed'):
            batch_op.alter_column(name, server_default=None)


def downgrade() -> None:
    with op.batch_alter_table('brake_decisions') as batch_op:
        for name in ('followed', 'mailboxes'):
            batch_op.drop_column(name)
