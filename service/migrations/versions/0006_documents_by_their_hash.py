"""a document that was served is found by its hash"""

from alembic import op

revision = '0006'
down_revision = '0005'


def upgrade() -> None:
    op.create_index('ix_enclosures_hash', 'enclosures', ['hash'])


def downgrade() -> None:
    op.drop_index('ix_enclosures_hash', 'enclosures')
