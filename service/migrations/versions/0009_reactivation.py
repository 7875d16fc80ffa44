"""when somebody to whom we had stopped writing was told so, and the request that asks whether we may again"""

import sqlalchemy as sa
from alembic import op

from service.models.base import UTCDateTime

revision = '0009'
down_revision = '0008'


def upgrade() -> None:
    with op.batch_alter_table('suppressions') as batch_op:
        batch_op.add_column(sa.Column('told_at', UTCDateTime(), nullable=True))
    with op.batch_alter_table('requests') as batch_op:
        batch_op.add_column(sa.Column('reactivates', sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    with op.batch_alter_table('requests') as batch_op:
        batch_op.drop_column('reactivates')
    with op.batch_alter_table('suppressions') as batch_op:
        batch_op.drop_column('told_at')
