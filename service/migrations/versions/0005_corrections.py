"""corrections are deliveries, too"""

import sqlalchemy as sa
from alembic import op

revision = '0005'
down_revision = '0004'
OLD, NEW = 'uq_deliveries_serving_id_office', 'uq_deliveries_serving_id_office_correction'


def upgrade() -> None:
    with op.batch_alter_table('deliveries') as batch_op:
        batch_op.add_column(sa.Column('correction', sa.Integer(), server_default='0', nullable=False))
        batch_op.drop_constraint(OLD, type_='unique')
        batch_op.create_unique_constraint(NEW, ['serving_id', 'office', 'correction'])


def downgrade() -> None:
    with op.batch_alter_table('deliveries') as batch_op:
        batch_op.drop_constraint(NEW, type_='unique')
        batch_op.create_unique_constraint(OLD, ['serving_id', 'office'])
        batch_op.drop_column('correction')
