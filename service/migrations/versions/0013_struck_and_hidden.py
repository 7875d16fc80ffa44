"""signatures that were struck out, names that were hidden, proposals from a command"""

import sqlalchemy as sa
from alembic import op

import service.models.base

revision = '0013'
down_revision = '0012'
REF = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')
TIMES = ('struck_at', 'hidden_at')
COUNTED = ('editions', 'servings', 'deliveries')


def upgrade() -> None:
    with op.batch_alter_table('signatures') as batch_op:
        for name in TIMES:
            batch_op.add_column(sa.Column(name, service.models.base.UTCDateTime(timezone=True), nullable=True))
    for table in COUNTED:
        with op.batch_alter_table(table) as batch_op:
            batch_op.add_column(sa.Column('struck', sa.Integer(), server_default='0', nullable=False))
    with op.batch_alter_table('corrections') as batch_op:
        batch_op.add_column(sa.Column('kind', sa.String(16), server_default='withdrawn', nullable=False))
    with op.batch_alter_table('proposals') as batch_op:
        batch_op.alter_column('proposed_by_id', existing_type=REF, nullable=True)


def downgrade() -> None:
    with op.batch_alter_table('proposals') as batch_op:
        batch_op.alter_column('proposed_by_id', existing_type=REF, nullable=False)
    op.drop_column('corrections', 'kind')
    for table in reversed(COUNTED):
        op.drop_column(table, 'struck')
    for name in reversed(TIMES):
        op.drop_column('signatures', name)
