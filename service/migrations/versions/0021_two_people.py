"""who invited an organiser, and since when; an office that is held back"""

import sqlalchemy as sa
from alembic import op

revision = '0021'
down_revision = '0020'


def upgrade() -> None:
    op.add_column('organisers', sa.Column('invited_by_id', sa.BigInteger(), nullable=True))
    op.add_column('organisers', sa.Column('role_since', sa.DateTime(timezone=True), nullable=True))
    op.add_column('officials', sa.Column('held_at', sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('officials') as batch_op:
        batch_op.drop_column('held_at')
    with op.batch_alter_table('organisers') as batch_op:
        batch_op.drop_column('role_since')
        batch_op.drop_column('invited_by_id')
