"""the brake on suppressions, and the cause of each failure as a pattern of its words"""

import re
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

from service.models.base import UTCDateTime

revision = '0016'
down_revision = '0015'

ROW = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')
OPEN = sa.text("state = 'open'")
CODE = re.compile(r"(?<![\d.])([245]\d\d)(?=[ -]|$)")
VARIES = re.compile(r"\S*(?:@|://|\d)\S*|\S*\w\.\w\S*|\[[^\]\s]{0,99}\]")
WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
LAST_DAYS = timedelta(days=30)
MANY = 5_000
OF_SUPPRESSIONS = """
UPDATE suppressions SET pattern_id = (
  SELECT bounces.pattern_id FROM bounces WHERE bounces.hash = suppressions.hash AND bounces.pattern_id IS NOT NULL
  ORDER BY bounces.at DESC LIMIT 1)
WHERE cause IN ('hard', 'soft', 'judged')
"""
OF_MAILINGS = """
INSERT INTO outcome_counts (scope, subject, settled, hard, at)
SELECT 'mailing', CAST(mailing_id AS VARCHAR), sum(count), 0, :at FROM tallies
WHERE state IN ('accepted', 'refused', 'bounced', 'complained') GROUP BY mailing_id
"""
"""What is on its way during the upgrade may come back after it."""


def upgrade() -> None:
    op.create_table(
        'reply_patterns',
        sa.Column('id', ROW, autoincrement=True, nullable=False),
        sa.Column('key', sa.String(), nullable=False),
        sa.Column('reason', sa.String(), nullable=False),
        sa.Column('status', sa.String(16), nullable=False),
        sa.Column('example', sa.Text(), nullable=False),
        sa.Column('first_at', UTCDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_reply_patterns')),
        sa.UniqueConstraint('key', name=op.f('uq_reply_patterns_key')),
    )
    op.create_table(
        'outcome_counts',
        sa.Column('scope', sa.String(16), nullable=False),
        sa.Column('subject', sa.String(), nullable=False),
        sa.Column('settled', sa.Integer(), nullable=False),
        sa.Column('hard', sa.Integer(), nullable=False),
        sa.Column('at', UTCDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('scope', 'subject', name=op.f('pk_outcome_counts')),
    )
    op.create_index(op.f('ix_outcome_counts_at'), 'outcome_counts', ['at'])
    op.create_table(
        'brakes',
        sa.Column('id', ROW, autoincrement=True, nullable=False),
        sa.Column('scope', sa.String(16), nullable=False),
        sa.Column('subject', sa.String(), nullable=False),
        sa.Column('state', sa.String(16), nullable=False),
        sa.Column('hard', sa.Integer(), nullable=False),
        sa.Column('settled', sa.Integer(), nullable=False),
        sa.Column('pulled_at', UTCDateTime(timezone=True), nullable=False),
        sa.Column('decided_at', UTCDateTime(timezone=True), nullable=True),
        sa.Column('decided_by_id', ROW, nullable=True),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_brakes')),
    )
    op.create_index('uq_brakes_open', 'brakes', ['scope', 'subject'], unique=True, postgresql_where=OPEN, sqlite_where=OPEN)
    op.create_index(op.f('ix_brakes_state_decided_at'), 'brakes', ['state', 'decided_at'])
    op.create_table(
        'holds',
        sa.Column('hash', sa.String(), nullable=False),
        sa.Column('brake_id', ROW, nullable=False),
        sa.Column('pattern_id', ROW, nullable=False),
        sa.Column('cause', sa.String(16), nullable=False),
        sa.Column('domain', sa.String(), nullable=False),
        sa.Column('at', UTCDateTime(timezone=True), nullable=False),
        sa.Column('told_at', UTCDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(['brake_id'], ['brakes.id'], name=op.f('fk_holds_brake_id_brakes')),
        sa.PrimaryKeyConstraint('hash', name=op.f('pk_holds')),
    )
    op.create_index(op.f('ix_holds_brake_id_pattern_id'), 'holds', ['brake_id', 'pattern_id'])
    op.create_table(
        'brake_decisions',
        sa.Column('brake_id', ROW, nullable=False),
        sa.Column('pattern_id', ROW, nullable=False),
        sa.Column('verdict', sa.String(16), nullable=False),
        sa.Column('at', UTCDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ['brake_id'], ['brakes.id'], name=op.f('fk_brake_decisions_brake_id_brakes'), ondelete='CASCADE'
        ),
        sa.PrimaryKeyConstraint('brake_id', 'pattern_id', name=op.f('pk_brake_decisions')),
    )
    op.create_index(op.f('ix_brake_decisions_at'), 'brake_decisions', ['at'])
    with op.batch_alter_table('bounces') as batch_op:
        batch_op.add_column(sa.Column('pattern_id', ROW, nullable=True))
        batch_op.add_column(sa.Column('domain', sa.String(), server_default='', nullable=False))
        batch_op.add_column(sa.Column('settled_at', UTCDateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('brake_id', ROW, nullable=True))
        batch_op.create_index(op.f('ix_bounces_pattern_id'), ['pattern_id'])
    with op.batch_alter_table('suppressions') as batch_op:
        batch_op.add_column(sa.Column('pattern_id', ROW, nullable=True))
    _find_patterns(op.get_bind())
    op.execute(sa.text(OF_MAILINGS).bindparams(sa.bindparam('at', datetime.now(UTC), UTCDateTime())))


def _find_patterns(connection: sa.Connection) -> None:
    """Failures of the last month get their cause, so that all whom one explains can be lifted: those of before the upgrade, too."""
    bounces = sa.table('bounces', *map(sa.column, ('id', 'hash', 'kind', 'status', 'text', 'pattern_id')), sa.column('at', UTCDateTime()))
    patterns = sa.table(
        'reply_patterns', *map(sa.column, ('id', 'key', 'reason', 'status', 'example')), sa.column('first_at', UTCDateTime())
    )
    recent = (bounces.c.kind.in_(('hard', 'soft')), bounces.c.at > datetime.now(UTC) - LAST_DAYS)
    numbers: dict[str, int] = {}
    found: list[dict[str, int]] = []
    for row in connection.execute(sa.select(bounces).where(*recent).order_by(bounces.c.id)).all():
        code = CODE.search(row.text[:200])
        words = ' '.join(WORD.findall(VARIES.sub(' ', row.text[:1_000]).lower()))
        key = f"{row.status or (code[1] if code else '')} {words}"[:160].strip()
        if key not in numbers:
            new = {'key': key, 'reason': '', 'status': row.status, 'example': row.text, 'first_at': row.at}
            connection.execute(sa.insert(patterns).values(new))
            numbers[key] = connection.execute(sa.select(patterns.c.id).where(patterns.c.key == key)).scalar_one()
        found.append({'number': row.id, 'pattern': numbers[key]})
    update = sa.text('UPDATE bounces SET pattern_id = :pattern WHERE id = :number')
    for start in range(0, len(found), MANY):
        connection.execute(update, found[start : start + MANY])
    connection.execute(sa.text(OF_SUPPRESSIONS))


def downgrade() -> None:
    with op.batch_alter_table('suppressions') as batch_op:
        batch_op.drop_column('pattern_id')
    with op.batch_alter_table('bounces') as batch_op:
        batch_op.drop_index(op.f('ix_bounces_pattern_id'))
        for name in ('pattern_id', 'domain', 'settled_at', 'brake_id'):
            batch_op.drop_column(name)
    for name in ('brake_decisions', 'holds', 'brakes', 'outcome_counts', 'reply_patterns'):
        op.drop_table(name)
