"""who connected to the SMTP door; up to which message the Message-ID's token stood in the bounce address, too"""

import sqlalchemy as sa
from alembic import op

revision = '0018'
down_revision = '0017'


def upgrade() -> None:
    op.add_column('arrivals', sa.Column('peer', sa.String(), nullable=True))
    op.create_table(
        'former_tokens',
        sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
        sa.Column('last_message_id', sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_former_tokens')),
    )
    op.execute("INSERT INTO former_tokens (id, last_message_id) SELECT 1, max(id) FROM messages HAVING max(id) IS NOT NULL")


def downgrade() -> None:
    op.drop_table('former_tokens')
    with op.batch_alter_table('arrivals') as batch_op:
        batch_op.drop_column('peer')
