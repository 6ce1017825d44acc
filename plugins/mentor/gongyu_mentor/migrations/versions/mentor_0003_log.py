"""the mentor's log, the growth profile, hand-over"""

import sqlalchemy as sa
from alembic import op

revision = "mentor_0003"
down_revision = "mentor_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mentor_log_page",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("pair_id", sa.Uuid(), nullable=False),
        sa.Column("term_begins", sa.Date(), nullable=False),
        sa.Column("section", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "section IN ('situation', 'priorities', 'measures', 'effects', 'summary')",
            name=op.f("ck_mentor_log_page_section"),
        ),
        sa.ForeignKeyConstraint(
            ["pair_id"], ["mentor_assignment.id"], name=op.f("fk_mentor_log_page_pair_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentor_log_page")),
        sa.UniqueConstraint("pair_id", "term_begins", "section", "number", name="uq_mentor_log_page_number"),
    )
    op.create_table(
        "mentor_profile_item",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("by_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=False),
        sa.Column("progress", sa.BigInteger(), nullable=True),
        sa.Column("removed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('hobby', 'talent', 'book', 'plan', 'goal')", name=op.f("ck_mentor_profile_item_kind")
        ),
        sa.CheckConstraint("progress BETWEEN 0 AND 100", name=op.f("ck_mentor_profile_item_progress")),
        sa.CheckConstraint(
            "progress IS NULL OR kind IN ('plan', 'goal')", name=op.f("ck_mentor_profile_item_progresses")
        ),
        sa.CheckConstraint("(number = 1) = (id = item_id)", name=op.f("ck_mentor_profile_item_name")),
        sa.ForeignKeyConstraint(
            ["student_id"], ["person.id"], name=op.f("fk_mentor_profile_item_student_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["by_id"], ["person.id"], name=op.f("fk_mentor_profile_item_by_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentor_profile_item")),
        sa.UniqueConstraint("item_id", "number", name="uq_mentor_profile_item_number"),
    )
    op.create_index(
        "ix_mentor_profile_item_student", "mentor_profile_item", ["student_id", "item_id", "number"], unique=False
    )
    op.create_table(
        "mentor_handover",
        sa.Column("pair_id", sa.Uuid(), nullable=False),
        sa.Column("former_id", sa.Uuid(), nullable=False),
        sa.Column("agreed", sa.Boolean(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(agreed IS NULL) = (answered_at IS NULL)", name=op.f("ck_mentor_handover_answered")),
        sa.ForeignKeyConstraint(
            ["pair_id"], ["mentor_assignment.id"], name=op.f("fk_mentor_handover_pair_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["former_id"], ["mentor_assignment.id"], name=op.f("fk_mentor_handover_former_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("pair_id", name=op.f("pk_mentor_handover")),
    )
    op.create_index(op.f("ix_mentor_handover_former_id"), "mentor_handover", ["former_id"], unique=False)


def downgrade() -> None:
    op.drop_table("mentor_handover")
    op.drop_table("mentor_profile_item")
    op.drop_table("mentor_log_page")
