"""the principal's mailbox and the mandatory report"""

revision = "mentor_0005"
down_revision = "mentor_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""
