"""a suppression says its cause, on which decisions hang, beside its sentence"""

import sqlalchemy as sa
from alembic import op

from service.core.config import settings

revision = '0007'
down_revision = '0006'
CAUSES = """
UPDATE suppressions SET cause = CASE
  WHEN reason = 'bounced: too many temporary failures' THEN 'soft'
  WHEN reason = 'bounced: an organiser judged it' THEN 'judged'
  WHEN reason LIKE 'bounced%' THEN 'hard'
  WHEN reason LIKE 'an organiser%' THEN 'organiser'
  WHEN reason = 'erased at their own request' THEN 'erased'
  ELSE 'complaint' END
"""


def upgrade() -> None:
    with op.batch_alter_table('suppressions') as batch_op:
        batch_op.add_column(sa.Column('cause', sa.String(16), server_default='complaint', nullable=False))
    op.execute(CAUSES)
    for hash in _erased():
        op.execute(sa.text("UPDATE suppressions SET cause = 'erased' WHERE hash = :hash").bindparams(hash=hash))
    with op.batch_alter_table('suppressions') as batch_op:
        batch_op.alter_column('cause', server_default=None)


def _erased() -> set[str]:
    """Whoever had failed before they were erased kept the failure's sentence; the file beside the database knows them."""
    noted = settings().var_dir / 'erasures.log'
    lines = noted.read_text().splitlines() if noted.exists() else []
    return {line.partition(' ')[2] for line in lines if ' ' in line}


def downgrade() -> None:
    with op.batch_alter_table('suppressions') as batch_op:
        batch_op.drop_column('cause')
