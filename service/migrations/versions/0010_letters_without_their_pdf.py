"""a serving says whether its PDF could be made, and which scripts it lacks"""

import sqlalchemy as sa
from alembic import op

revision = '0010'
down_revision = '0009'


def upgrade() -> None:
    with op.batch_alter_table('servings') as batch_op:
        batch_op.add_column(sa.Column('without_pdf', sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column('missing_scripts', sa.String(), server_default='', nullable=False))


def downgrade() -> None:
    with op.batch_alter_table('servings') as batch_op:
        batch_op.drop_column('missing_scripts')
        batch_op.drop_column('without_pdf')
