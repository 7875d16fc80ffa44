"""failures of jobs, and the problems that organisers were told of"""

import sqlalchemy as sa
from alembic import op

from service.models.base import UTCDateTime

revision = '0008'
down_revision = '0007'


def upgrade() -> None:
    op.create_table(
        'failures',
        sa.Column('job', sa.String(), nullable=False),
        sa.Column('row_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
        sa.Column('count', sa.Integer(), nullable=False),
        sa.Column('kind', sa.String(), nullable=False),
        sa.Column('place', sa.String(), nullable=False),
        sa.Column('first_at', UTCDateTime(timezone=True), nullable=False),
        sa.Column('last_at', UTCDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('job', 'row_id', name=op.f('pk_failures')),
    )
    op.create_table(
        'told_problems',
        sa.Column('key', sa.String(), nullable=False),
        sa.Column('seen_at', UTCDateTime(timezone=True), nullable=False),
        sa.Column('told_at', UTCDateTime(timezone=True), nullable=True),
        sa.Column('over_at', UTCDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint('key', name=op.f('pk_told_problems')),
    )
    op.create_index(op.f('ix_told_problems_over_at'), 'told_problems', ['over_at'])


def downgrade() -> None:
    op.drop_table('told_problems')
    op.drop_table('failures')
