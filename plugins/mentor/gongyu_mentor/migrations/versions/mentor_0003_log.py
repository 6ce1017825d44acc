"""the mentor's log, the growth profile, hand-over"""

revision = "mentor_0003"
down_revision = "mentor_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""
