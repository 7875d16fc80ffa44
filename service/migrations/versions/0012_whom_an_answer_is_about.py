"""whom a mail server's answer is about"""

import sqlalchemy as sa
from alembic import op

revision = '0012'
down_revision = '0011'


def upgrade() -> None:
    op.add_column('messages', sa.Column('concern', sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column('messages', 'concern')
