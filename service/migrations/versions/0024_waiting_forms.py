"""forms that wait for a worker, so that a page takes as long for one address as for another"""

import sqlalchemy as sa
from alembic import op

revision = '0024'
down_revision = '0023'


def upgrade() -> None:
    op.create_table(
        'waiting_forms',
        sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
        sa.Column('kind', sa.String(16), nullable=False),
        sa.Column('fields', sa.JSON(), nullable=False),
        sa.Column('received_at', sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('id', name='pk_waiting_forms'),
    )
    op.create_index('ix_waiting_forms_received_at', 'waiting_forms', ['received_at'])


def downgrade() -> None:
    op.drop_table('waiting_forms')
