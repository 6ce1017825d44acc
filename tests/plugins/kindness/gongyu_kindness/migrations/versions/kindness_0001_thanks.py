"""thanks"""

import sqlalchemy as sa
from alembic import op

revision = "kindness_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "kindness_thanks",
        sa.Column("notice", sa.Uuid(), nullable=False),
        sa.Column("count", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("thanked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("notice", name=op.f("pk_kindness_thanks")),
    )


def downgrade() -> None:
    op.drop_table("kindness_thanks")
