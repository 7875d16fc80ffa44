"""how the file of an import was read"""

import sqlalchemy as sa
from alembic import op

revision = '0011'
down_revision = '0010'


def upgrade() -> None:
    with op.batch_alter_table('imports') as batch_op:
        batch_op.add_column(sa.Column('read_as', sa.String(), server_default='', nullable=False))


def downgrade() -> None:
    with op.batch_alter_table('imports') as batch_op:
        batch_op.drop_column('read_as')
