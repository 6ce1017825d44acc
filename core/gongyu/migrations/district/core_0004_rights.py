"""former passwords, reminders of requests, approvals"""

import sqlalchemy as sa
from alembic import op

revision = "core_0004"
down_revision = "core_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "former_password",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("password", sa.Text(), nullable=False),
        sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["account.person_id"],
            name=op.f("fk_former_password_person_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_former_password")),
    )
    op.create_index(op.f("ix_former_password_person_id"), "former_password", ["person_id"], unique=False)
    op.add_column("rights_request", sa.Column("reminded", sa.Text(), nullable=True))
    op.create_check_constraint(
        op.f("ck_rights_request_reminded"), "rights_request", "reminded IN ('due_soon', 'overdue')"
    )
    op.create_table(
        "approval",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("permission", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.LargeBinary(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('open', 'granted', 'refused')", name=op.f("ck_approval_state")),
        sa.CheckConstraint("(state = 'open') = (decided_at IS NULL)", name=op.f("ck_approval_decided")),
        sa.CheckConstraint("decided_by <> asked_by", name=op.f("ck_approval_two_people")),
        sa.ForeignKeyConstraint(["asked_by"], ["person.id"], name=op.f("fk_approval_asked_by"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["person.id"], name=op.f("fk_approval_decided_by"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval")),
    )
    op.create_index("ix_approval_asked_by", "approval", ["asked_by", "permission", "until"], unique=False)
    op.create_index(op.f("ix_approval_decided_by"), "approval", ["decided_by"], unique=False)


def downgrade() -> None:
    op.drop_table("approval")
    op.drop_constraint(op.f("ck_rights_request_reminded"), "rights_request", type_="check")
    op.drop_column("rights_request", "reminded")
    op.drop_index(op.f("ix_former_password_person_id"), table_name="former_password")
    op.drop_table("former_password")
