"""the mark of the visitor who confirmed a signature; a serving that waits for an organiser's look"""

import sqlalchemy as sa
from alembic import op

revision = '0022'
down_revision = '0021'


def upgrade() -> None:
    op.add_column('signatures', sa.Column('visitor', sa.String(), nullable=True))
    op.create_index(
        'ix_signatures_visitor', 'signatures', ['confirmed_at'], postgresql_where=sa.text('visitor IS NOT NULL'),
        sqlite_where=sa.text('visitor IS NOT NULL'),
    )
    op.add_column('servings', sa.Column('waits_for_look', sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column('servings', sa.Column('looked_at', sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column('servings', 'looked_at')
    op.drop_column('servings', 'waits_for_look')
    op.drop_index('ix_signatures_visitor', 'signatures')
    op.drop_column('signatures', 'visitor')
