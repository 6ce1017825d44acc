"""talks, promises, and what a school owes each child"""

revision = "mentor_0002"
down_revision = "mentor_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""
