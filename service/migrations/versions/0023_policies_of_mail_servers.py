"""what officials' domains say of how their mail servers are to be spoken to"""

import sqlalchemy as sa
from alembic import op

revision = '0023'
down_revision = '0022'


def upgrade() -> None:
    op.create_table(
        'mail_policies',
        sa.Column('domain', sa.String(255), nullable=False),
        sa.Column('version', sa.String(32), nullable=False),
        sa.Column('mode', sa.String(16), nullable=False),
        sa.Column('mx', sa.JSON(), nullable=False),
        sa.Column('fetched_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('ends_at', sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('domain', name='pk_mail_policies'),
    )


def downgrade() -> None:
    op.drop_table('mail_policies')
