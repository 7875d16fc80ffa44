"""what somebody wrote themselves, the files that came with it, and From as it stands there"""

import sqlalchemy as sa
from alembic import op

revision = '0015'
down_revision = '0014'


def upgrade() -> None:
    op.add_column('arrivals', sa.Column('written_by', sa.Text(), server_default='', nullable=False))
    op.add_column('arrivals', sa.Column('own', sa.Text(), server_default='', nullable=False))
    op.add_column('arrivals', sa.Column('files', sa.JSON(), server_default='[]', nullable=False))


def downgrade() -> None:
    for name in ('files', 'own', 'written_by'):
        op.drop_column('arrivals', name)
