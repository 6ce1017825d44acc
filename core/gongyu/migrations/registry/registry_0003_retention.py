"""how long a district keeps personal data"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "registry_0003"
down_revision = "registry_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    empty = sa.text("'{}'::jsonb")
    op.add_column("district", sa.Column("retention", JSONB(), server_default=empty, nullable=False))


def downgrade() -> None:
    op.drop_column("district", "retention")
