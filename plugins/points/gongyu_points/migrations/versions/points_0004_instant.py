"""the quick way of one award"""

revision = "points_0004"
down_revision = "points_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""
