"""the wellbeing curve, screening, the care list"""

revision = "mentor_0004"
down_revision = "mentor_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""
