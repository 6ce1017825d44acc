"""appeals, training, criminal-record checks"""

revision = "mentor_0006"
down_revision = "mentor_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""
