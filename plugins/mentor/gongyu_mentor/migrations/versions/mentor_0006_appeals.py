"""appeals, classes, lists filed anew, photos; runs kept as numbers"""

from uuid import UUID

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "mentor_0006"
down_revision = "mentor_0005"
branch_labels = None
depends_on = None

#: MessagePack for an outcome without students.
_NOBODY = sa.text(r"'\x94c4009090959090909090'")


def upgrade() -> None:
    # No release has kept runs as documents: those of a version in between come to nobody, and are made again.
    op.add_column("mentor_run", sa.Column("outcome", sa.LargeBinary(), server_default=_NOBODY, nullable=False))
    op.alter_column("mentor_run", "outcome", server_default=None)
    op.drop_column("mentor_run", "result")
    # Both hold through mentor_load, which a pair cannot be without; once for each mentor is enough.
    op.drop_constraint("fk_mentor_assignment_school_id", "mentor_assignment", type_="foreignkey")
    op.drop_constraint("fk_mentor_assignment_mentor_id", "mentor_assignment", type_="foreignkey")
    _classes()
    _appeals()
    _refilings()
    op.create_table(
        "mentor_photo",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("length(content) <= 200 * 1024", name=op.f("ck_mentor_photo_size")),
        sa.CheckConstraint(
            "media_type IN ('image/jpeg', 'image/png', 'image/webp')", name=op.f("ck_mentor_photo_media_type")
        ),
        _to("mentor_photo", "person_id", "person"),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_mentor_photo")),
    )


def _to(table: str, column: str, other: str, gone: str = "CASCADE") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}"), ondelete=gone)


def _people(name: str) -> sa.Column[list[UUID]]:
    return sa.Column(name, postgresql.ARRAY(sa.Uuid()), server_default="{}", nullable=False)


def _classes() -> None:
    op.add_column("mentor_round", sa.Column("kind", sa.Text(), server_default="students", nullable=False))
    op.create_check_constraint(op.f("ck_mentor_round_kind"), "mentor_round", "kind IN ('students', 'classes')")
    party: sa.Column[bool] = sa.Column("party_member", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    op.add_column("mentor_offer", party)
    op.create_table(
        "mentor_class_preference",
        sa.Column("round_id", sa.Uuid(), nullable=False),
        sa.Column("class_id", sa.Uuid(), nullable=False),
        _people("choices"),
        sa.Column("filed_by", sa.Uuid(), nullable=True),
        sa.Column("filed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.CheckConstraint("cardinality(choices) <= 20", name=op.f("ck_mentor_class_preference_choices")),
        _to("mentor_class_preference", "class_id", "class_group"),
        _to("mentor_class_preference", "filed_by", "person", "SET NULL"),
        _to("mentor_class_preference", "round_id", "mentor_round"),
        sa.PrimaryKeyConstraint("round_id", "class_id", name=op.f("pk_mentor_class_preference")),
    )
    op.create_table(
        "mentor_class_assignment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("class_id", sa.Uuid(), nullable=False),
        sa.Column("mentor_id", sa.Uuid(), nullable=False),
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column("begins_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("ends_at >= begins_at", name=op.f("ck_mentor_class_assignment_period")),
        _to("mentor_class_assignment", "class_id", "class_group"),
        _to("mentor_class_assignment", "mentor_id", "person"),
        _to("mentor_class_assignment", "run_id", "mentor_run", "SET NULL"),
        _to("mentor_class_assignment", "school_id", "org"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentor_class_assignment")),
    )
    for column in ("class_id", "mentor_id"):
        op.create_index(op.f(f"ix_mentor_class_assignment_{column}"), "mentor_class_assignment", [column])
    for name, columns in _ONE_EACH.items():
        op.create_index(
            name, "mentor_class_assignment", columns, unique=True, postgresql_where=sa.text("ends_at IS NULL")
        )


_ONE_EACH = {"uq_mentor_class_open": ["class_id"], "uq_mentor_class_teacher": ["school_id", "mentor_id"]}


def _appeals() -> None:
    answer_days: sa.Column[int] = sa.Column("answer_days", sa.BigInteger(), server_default="5", nullable=False)
    op.add_column("mentor_round", answer_days)
    op.create_table(
        "mentor_appeal",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("round_id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), server_default="filed", nullable=False),
        sa.Column("reasons", sa.LargeBinary(), nullable=False),
        sa.Column("filed_by", sa.Uuid(), nullable=True),
        sa.Column("filed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "state IN ('filed', 'withdrawn', 'upheld', 'rejected')", name=op.f("ck_mentor_appeal_state")
        ),
        sa.CheckConstraint(
            "(state IN ('upheld', 'rejected')) = (decided_at IS NOT NULL AND answer IS NOT NULL)",
            name=op.f("ck_mentor_appeal_answered"),
        ),
        _to("mentor_appeal", "round_id", "mentor_round"),
        _to("mentor_appeal", "student_id", "person"),
        _to("mentor_appeal", "filed_by", "person", "SET NULL"),
        _to("mentor_appeal", "decided_by", "person", "SET NULL"),
        _to("mentor_appeal", "run_id", "mentor_run", "SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentor_appeal")),
    )
    op.create_index(op.f("ix_mentor_appeal_student_id"), "mentor_appeal", ["student_id"])
    op.create_index(
        "uq_mentor_appeal_student",
        "mentor_appeal",
        ["round_id", "student_id"],
        unique=True,
        postgresql_where=sa.text("state <> 'withdrawn'"),
    )


def _refilings() -> None:
    op.create_table(
        "mentor_refiling",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("round_id", sa.Uuid(), nullable=False),
        _people("gone"),
        sa.Column("opened_by", sa.Uuid(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closes_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("opened_at < closes_at", name=op.f("ck_mentor_refiling_times")),
        _to("mentor_refiling", "opened_by", "person", "SET NULL"),
        _to("mentor_refiling", "round_id", "mentor_round"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentor_refiling")),
    )
    op.create_index(
        "uq_mentor_refiling_open",
        "mentor_refiling",
        ["round_id"],
        unique=True,
        postgresql_where=sa.text("used_at IS NULL"),
    )
    op.create_table(
        "mentor_refiled",
        sa.Column("refiling_id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        _people("choices"),
        sa.Column("filed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.CheckConstraint("cardinality(choices) <= 20", name=op.f("ck_mentor_refiled_choices")),
        _to("mentor_refiled", "refiling_id", "mentor_refiling"),
        _to("mentor_refiled", "student_id", "person"),
        sa.PrimaryKeyConstraint("refiling_id", "student_id", name=op.f("pk_mentor_refiled")),
    )


def downgrade() -> None:
    for table in ("refiled", "refiling", "photo", "appeal", "class_assignment", "class_preference"):
        op.drop_table(f"mentor_{table}")
    op.drop_column("mentor_round", "answer_days")
    op.drop_column("mentor_offer", "party_member")
    op.drop_column("mentor_round", "kind")
    op.create_foreign_key(
        "fk_mentor_assignment_mentor_id", "mentor_assignment", "person", ["mentor_id"], ["id"], ondelete="CASCADE"
    )
    op.create_foreign_key(
        "fk_mentor_assignment_school_id", "mentor_assignment", "org", ["school_id"], ["id"], ondelete="CASCADE"
    )
    op.add_column(
        "mentor_run",
        sa.Column("result", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
    )
    op.alter_column("mentor_run", "result", server_default=None)
    op.drop_column("mentor_run", "outcome")
