"""a domain that fewer than five wrote from on a day is not named: it may say who they are"""

from alembic import op

revision = '0026'
down_revision = '0025'

FEW = "requested < 5 AND domain <> 'others'"


def upgrade() -> None:
    op.execute(
        'INSERT INTO days (day, what, domain, requested, confirmed) '
        f"SELECT day, what, 'others', sum(requested), sum(confirmed) FROM days WHERE {FEW} GROUP BY day, what "
        'ON CONFLICT (day, what, domain) DO UPDATE SET requested = days.requested + excluded.requested, '
        'confirmed = days.confirmed + excluded.confirmed'
    )
    op.execute(f'DELETE FROM days WHERE {FEW}')


def downgrade() -> None:
    pass
