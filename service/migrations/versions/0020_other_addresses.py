"""since when two organisers let letters of an office go to its other address; none of before had said so"""

import sqlalchemy as sa
from alembic import op

revision = '0020'
down_revision = '0019'


def upgrade() -> None:
    op.add_column('officials', sa.Column('fallback_since', sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('officials') as batch_op:
        batch_op.drop_column('fallback_since')
