"""a timestamp of each manifest, from a service outside"""

import sqlalchemy as sa
from alembic import op

revision = '0027'
down_revision = '0026'


def upgrade() -> None:
    op.add_column('manifests', sa.Column('timestamp', sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    op.drop_column('manifests', 'timestamp')
