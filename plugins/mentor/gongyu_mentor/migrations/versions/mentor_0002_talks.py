"""talks, promises, and what a school owes each child"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "mentor_0002"
down_revision = "mentor_0001"
branch_labels = None
depends_on = None

#: Added to and read, no more: what was said cannot be said otherwise afterwards.
_WRITTEN_ONCE = (
    "mentor_sent",
    "mentor_talk",
    "mentor_promise",
    "mentor_promise_end",
    "mentor_care_plan",
    "mentor_care_note",
    "mentor_care_end",
)
#: May go as a whole when the law ends them, and take along what hangs on them; nothing in them changes.
_UNCHANGED = ("mentor_talk_file", "mentor_care", "mentor_check")


def upgrade() -> None:
    op.create_table(
        "mentor_sent",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["author_id"], ["person.id"], name=op.f("fk_mentor_sent_author_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentor_sent")),
    )
    op.create_table(
        "mentor_talk_file",
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["student_id"], ["person.id"], name=op.f("fk_mentor_talk_file_student_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("student_id", name=op.f("pk_mentor_talk_file")),
    )
    op.create_table(
        "mentor_talk",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("talk_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("replaces", sa.Uuid(), nullable=True),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=True),
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("moment", sa.Text(), nullable=True),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=True),
        sa.Column("withdrawn", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(kind = 'key_moment') = (moment IS NOT NULL)", name=op.f("ck_mentor_talk_key_moment")),
        sa.CheckConstraint(
            "kind IN ('weekly', 'key_moment', 'home_visit', 'message')", name=op.f("ck_mentor_talk_kind")
        ),
        sa.CheckConstraint("level IN ('mentor', 'school', 'guardians')", name=op.f("ck_mentor_talk_level")),
        sa.CheckConstraint(
            "moment IN ('term_start', 'graduation', 'before_exam', 'after_exam', 'serious_change')",
            name=op.f("ck_mentor_talk_moment"),
        ),
        sa.CheckConstraint("(number = 1) = (id = talk_id)", name=op.f("ck_mentor_talk_name")),
        sa.CheckConstraint("(number = 1) = (replaces IS NULL)", name=op.f("ck_mentor_talk_first")),
        sa.CheckConstraint("NOT (withdrawn AND note IS NOT NULL)", name=op.f("ck_mentor_talk_withdrawn")),
        sa.CheckConstraint("happened_at <= written_at", name=op.f("ck_mentor_talk_past")),
        sa.ForeignKeyConstraint(
            ["author_id"], ["person.id"], name=op.f("fk_mentor_talk_author_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["replaces"], ["mentor_talk.id"], name=op.f("fk_mentor_talk_replaces"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["school_id"], ["org.id"], name=op.f("fk_mentor_talk_school_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["student_id"], ["mentor_talk_file.student_id"], name=op.f("fk_mentor_talk_student_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentor_talk")),
        sa.UniqueConstraint("replaces", name="uq_mentor_talk_replaces"),
        sa.UniqueConstraint("talk_id", "number", name="uq_mentor_talk_number"),
    )
    op.create_index("ix_mentor_talk_author", "mentor_talk", ["author_id", "happened_at"], unique=False)
    op.create_index("ix_mentor_talk_student", "mentor_talk", ["student_id", "happened_at"], unique=False)
    op.create_table(
        "mentor_promise",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("talk_id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["student_id"],
            ["mentor_talk_file.student_id"],
            name=op.f("fk_mentor_promise_student_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["talk_id"], ["mentor_talk.id"], name=op.f("fk_mentor_promise_talk_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentor_promise")),
        sa.UniqueConstraint("talk_id", name=op.f("uq_mentor_promise_talk_id")),
    )
    op.create_index(op.f("ix_mentor_promise_student_id"), "mentor_promise", ["student_id"], unique=False)
    op.create_table(
        "mentor_promise_end",
        sa.Column("promise_id", sa.Uuid(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("word", sa.LargeBinary(), nullable=True),
        sa.Column("ended_by", sa.Uuid(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("outcome IN ('kept', 'dropped')", name=op.f("ck_mentor_promise_end_outcome")),
        sa.ForeignKeyConstraint(
            ["ended_by"], ["person.id"], name=op.f("fk_mentor_promise_end_ended_by"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["promise_id"], ["mentor_promise.id"], name=op.f("fk_mentor_promise_end_promise_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("promise_id", name=op.f("pk_mentor_promise_end")),
    )
    op.create_table(
        "mentor_cadence",
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("rules", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("changed_by", sa.Uuid(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["changed_by"], ["person.id"], name=op.f("fk_mentor_cadence_changed_by"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["org_id"], ["org.id"], name=op.f("fk_mentor_cadence_org_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("org_id", name=op.f("pk_mentor_cadence")),
    )
    op.create_table(
        "mentor_training",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("round_id", sa.Uuid(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(
            ["round_id"], ["mentor_round.id"], name=op.f("fk_mentor_training_round_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["school_id"], ["org.id"], name=op.f("fk_mentor_training_school_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentor_training")),
    )
    op.create_index("ix_mentor_training_school", "mentor_training", ["school_id", "id"], unique=False)
    op.create_table(
        "mentor_attendance",
        sa.Column("training_id", sa.Uuid(), nullable=False),
        sa.Column("mentor_id", sa.Uuid(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["mentor_id"], ["person.id"], name=op.f("fk_mentor_attendance_mentor_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["recorded_by"], ["person.id"], name=op.f("fk_mentor_attendance_recorded_by"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["training_id"], ["mentor_training.id"], name=op.f("fk_mentor_attendance_training_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("training_id", "mentor_id", name=op.f("pk_mentor_attendance")),
    )
    op.create_index(op.f("ix_mentor_attendance_mentor_id"), "mentor_attendance", ["mentor_id"], unique=False)
    op.create_table(
        "mentor_check",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("checked_on", sa.Date(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("result IN ('clear', 'found')", name=op.f("ck_mentor_check_result")),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_mentor_check_person_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["recorded_by"], ["person.id"], name=op.f("fk_mentor_check_recorded_by"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["school_id"], ["org.id"], name=op.f("fk_mentor_check_school_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentor_check")),
    )
    op.create_index("ix_mentor_check_person", "mentor_check", ["person_id", "checked_on"], unique=False)
    op.create_table(
        "mentor_care_lead",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("appointed_by", sa.Uuid(), nullable=True),
        sa.Column("begins_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("ends_at >= begins_at", name=op.f("ck_mentor_care_lead_period")),
        sa.ForeignKeyConstraint(
            ["appointed_by"], ["person.id"], name=op.f("fk_mentor_care_lead_appointed_by"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_mentor_care_lead_person_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["school_id"], ["org.id"], name=op.f("fk_mentor_care_lead_school_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentor_care_lead")),
    )
    op.create_index(op.f("ix_mentor_care_lead_person_id"), "mentor_care_lead", ["person_id"], unique=False)
    op.create_index(
        "uq_mentor_care_lead_open",
        "mentor_care_lead",
        ["school_id", "person_id"],
        unique=True,
        postgresql_where=sa.text("ends_at IS NULL"),
    )
    op.create_table(
        "mentor_care",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("opened_by", sa.Uuid(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["opened_by"], ["person.id"], name=op.f("fk_mentor_care_opened_by"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["school_id"], ["org.id"], name=op.f("fk_mentor_care_school_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["student_id"], ["person.id"], name=op.f("fk_mentor_care_student_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentor_care")),
    )
    op.create_index("ix_mentor_care_school", "mentor_care", ["school_id", "id"], unique=False)
    op.create_index(op.f("ix_mentor_care_student_id"), "mentor_care", ["student_id"], unique=False)
    op.create_table(
        "mentor_care_plan",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("care_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("category", sa.LargeBinary(), nullable=False),
        sa.Column("plan", sa.LargeBinary(), nullable=False),
        sa.Column("cadence_days", sa.BigInteger(), nullable=False),
        sa.Column("responsible_id", sa.Uuid(), nullable=True),
        sa.Column("written_by", sa.Uuid(), nullable=True),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("cadence_days BETWEEN 1 AND 366", name=op.f("ck_mentor_care_plan_cadence")),
        sa.ForeignKeyConstraint(
            ["care_id"], ["mentor_care.id"], name=op.f("fk_mentor_care_plan_care_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["responsible_id"], ["person.id"], name=op.f("fk_mentor_care_plan_responsible_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["written_by"], ["person.id"], name=op.f("fk_mentor_care_plan_written_by"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentor_care_plan")),
        sa.UniqueConstraint("care_id", "number", name="uq_mentor_care_plan_number"),
    )
    op.create_index(op.f("ix_mentor_care_plan_responsible_id"), "mentor_care_plan", ["responsible_id"], unique=False)
    op.create_table(
        "mentor_care_note",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("note_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("replaces", sa.Uuid(), nullable=True),
        sa.Column("care_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("happened_on", sa.Date(), nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=False),
        sa.Column("written_by", sa.Uuid(), nullable=True),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('visit', 'call', 'meeting', 'note')", name=op.f("ck_mentor_care_note_kind")),
        sa.CheckConstraint("(number = 1) = (id = note_id)", name=op.f("ck_mentor_care_note_name")),
        sa.CheckConstraint("(number = 1) = (replaces IS NULL)", name=op.f("ck_mentor_care_note_first")),
        sa.ForeignKeyConstraint(
            ["care_id"], ["mentor_care.id"], name=op.f("fk_mentor_care_note_care_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["replaces"], ["mentor_care_note.id"], name=op.f("fk_mentor_care_note_replaces"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["written_by"], ["person.id"], name=op.f("fk_mentor_care_note_written_by"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentor_care_note")),
        sa.UniqueConstraint("replaces", name="uq_mentor_care_note_replaces"),
    )
    op.create_index("ix_mentor_care_note_care", "mentor_care_note", ["care_id", "happened_on"], unique=False)
    op.create_table(
        "mentor_care_end",
        sa.Column("care_id", sa.Uuid(), nullable=False),
        sa.Column("outcome", sa.LargeBinary(), nullable=False),
        sa.Column("ended_by", sa.Uuid(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["care_id"], ["mentor_care.id"], name=op.f("fk_mentor_care_end_care_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["ended_by"], ["person.id"], name=op.f("fk_mentor_care_end_ended_by"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("care_id", name=op.f("pk_mentor_care_end")),
    )
    op.create_index(op.f("ix_mentor_care_end_ended_at"), "mentor_care_end", ["ended_at"], unique=False)
    for table in _WRITTEN_ONCE:
        op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM gongyu_app")
    for table in _UNCHANGED:
        op.execute(f"REVOKE UPDATE, TRUNCATE ON {table} FROM gongyu_app")


def downgrade() -> None:
    op.drop_table("mentor_care_end")
    op.drop_table("mentor_care_note")
    op.drop_table("mentor_care_plan")
    op.drop_table("mentor_care")
    op.drop_table("mentor_care_lead")
    op.drop_table("mentor_check")
    op.drop_table("mentor_attendance")
    op.drop_table("mentor_training")
    op.drop_table("mentor_cadence")
    op.drop_table("mentor_promise_end")
    op.drop_table("mentor_promise")
    op.drop_table("mentor_talk")
    op.drop_table("mentor_talk_file")
    op.drop_table("mentor_sent")
