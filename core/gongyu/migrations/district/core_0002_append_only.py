"""the audit log can be added to, by nobody changed"""

from alembic import op

revision = "core_0002"
down_revision = "core_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON audit_line FROM gongyu_app")


def downgrade() -> None:
    op.execute("GRANT UPDATE, DELETE ON audit_line TO gongyu_app")
