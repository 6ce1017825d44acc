"""the wellbeing curve, wishes to talk, cases, screening results"""

import sqlalchemy as sa
from alembic import op

revision = "mentor_0004"
down_revision = "mentor_0003"
branch_labels = None
depends_on = None

#: Added to and, when somebody asks to be forgotten, taken away whole; never changed. A sealed column may be sealed anew
#: when the district's key rotates.
_UNCHANGED = {
    "mentor_wellbeing_entry": "content",
    "mentor_wellbeing_opening": None,
    "mentor_case_note": "words",
    "mentor_screening": "result",
}


def upgrade() -> None:
    op.create_table(
        "mentor_wellbeing_entry",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("by", sa.Uuid(), nullable=True),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("author IN ('student', 'mentor')", name=op.f("ck_mentor_wellbeing_entry_author")),
        sa.ForeignKeyConstraint(["by"], ["person.id"], name=op.f("fk_mentor_wellbeing_entry_by"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["student_id"], ["person.id"], name=op.f("fk_mentor_wellbeing_entry_student_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentor_wellbeing_entry")),
    )
    op.create_index(
        "ix_mentor_wellbeing_entry_day", "mentor_wellbeing_entry", ["student_id", "day", "id"], unique=False
    )
    op.create_table(
        "mentor_talk_wish",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("wants", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("arranged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("arranged_for", sa.DateTime(timezone=True), nullable=True),
        sa.Column("talked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("(wants = 'named') = (person_id IS NOT NULL)", name=op.f("ck_mentor_talk_wish_named")),
        sa.CheckConstraint(
            "wants IN ('mentor', 'homeroom', 'counselor', 'principal', 'named')", name=op.f("ck_mentor_talk_wish_wants")
        ),
        sa.ForeignKeyConstraint(
            ["answered_by"], ["person.id"], name=op.f("fk_mentor_talk_wish_answered_by"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_mentor_talk_wish_person_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["school_id"], ["org.id"], name=op.f("fk_mentor_talk_wish_school_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["student_id"], ["person.id"], name=op.f("fk_mentor_talk_wish_student_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentor_talk_wish")),
    )
    op.create_index(
        "ix_mentor_talk_wish_open",
        "mentor_talk_wish",
        ["school_id"],
        unique=False,
        postgresql_where=sa.text("talked_at IS NULL"),
    )
    op.create_index(op.f("ix_mentor_talk_wish_student_id"), "mentor_talk_wish", ["student_id"], unique=False)
    op.create_table(
        "mentor_wellbeing_opening",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("by", sa.Uuid(), nullable=True),
        sa.Column("ground", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["by"], ["person.id"], name=op.f("fk_mentor_wellbeing_opening_by"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["student_id"], ["person.id"], name=op.f("fk_mentor_wellbeing_opening_student_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentor_wellbeing_opening")),
    )
    op.create_index(
        op.f("ix_mentor_wellbeing_opening_student_id"), "mentor_wellbeing_opening", ["student_id"], unique=False
    )
    op.create_table(
        "mentor_case",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("ground", sa.Text(), nullable=False),
        sa.Column("words", sa.LargeBinary(), nullable=True),
        sa.Column("opened_by", sa.Uuid(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taken_by", sa.Uuid(), nullable=True),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("ground IN ('pupil', 'mentor', 'crisis')", name=op.f("ck_mentor_case_ground")),
        sa.CheckConstraint("(taken_by IS NULL) OR (taken_at IS NOT NULL)", name=op.f("ck_mentor_case_taken")),
        sa.ForeignKeyConstraint(
            ["opened_by"], ["person.id"], name=op.f("fk_mentor_case_opened_by"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["school_id"], ["org.id"], name=op.f("fk_mentor_case_school_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["student_id"], ["person.id"], name=op.f("fk_mentor_case_student_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["taken_by"], ["person.id"], name=op.f("fk_mentor_case_taken_by"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentor_case")),
    )
    op.create_index(
        "ix_mentor_case_school",
        "mentor_case",
        ["school_id"],
        unique=False,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index(
        "uq_mentor_case_open", "mentor_case", ["student_id"], unique=True, postgresql_where=sa.text("closed_at IS NULL")
    )
    op.create_table(
        "mentor_case_note",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("by", sa.Uuid(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("words", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["by"], ["person.id"], name=op.f("fk_mentor_case_note_by"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["case_id"], ["mentor_case.id"], name=op.f("fk_mentor_case_note_case_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentor_case_note")),
    )
    op.create_index(op.f("ix_mentor_case_note_case_id"), "mentor_case_note", ["case_id"], unique=False)
    op.create_table(
        "mentor_case_plan",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("audience", sa.Text(), nullable=False),
        sa.Column("words", sa.LargeBinary(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("by", sa.Uuid(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "audience IN ('mentor', 'homeroom', 'principal', 'lead', 'home', 'pupil', 'doctor')",
            name=op.f("ck_mentor_case_plan_audience"),
        ),
        sa.ForeignKeyConstraint(["by"], ["person.id"], name=op.f("fk_mentor_case_plan_by"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["case_id"], ["mentor_case.id"], name=op.f("fk_mentor_case_plan_case_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["done_by"], ["person.id"], name=op.f("fk_mentor_case_plan_done_by"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentor_case_plan")),
    )
    op.create_index(op.f("ix_mentor_case_plan_case_id"), "mentor_case_plan", ["case_id"], unique=False)
    op.create_table(
        "mentor_health_lead",
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("named_by", sa.Uuid(), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["named_by"], ["person.id"], name=op.f("fk_mentor_health_lead_named_by"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_mentor_health_lead_person_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["school_id"], ["org.id"], name=op.f("fk_mentor_health_lead_school_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("school_id", "person_id", name=op.f("pk_mentor_health_lead")),
    )
    op.create_table(
        "mentor_break_glass",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.LargeBinary(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approved_by", sa.Uuid(), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("approved_by <> asked_by", name=op.f("ck_mentor_break_glass_two_people")),
        sa.CheckConstraint(
            "approved_by IS NULL OR (approved_at IS NOT NULL AND ends_at IS NOT NULL)",
            name=op.f("ck_mentor_break_glass_approved"),
        ),
        sa.ForeignKeyConstraint(
            ["approved_by"], ["person.id"], name=op.f("fk_mentor_break_glass_approved_by"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["asked_by"], ["person.id"], name=op.f("fk_mentor_break_glass_asked_by"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["school_id"], ["org.id"], name=op.f("fk_mentor_break_glass_school_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["student_id"], ["person.id"], name=op.f("fk_mentor_break_glass_student_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentor_break_glass")),
    )
    op.create_index(op.f("ix_mentor_break_glass_student_id"), "mentor_break_glass", ["student_id"], unique=False)
    op.create_table(
        "mentor_screening",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("scale", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("consent", sa.Text(), nullable=False),
        sa.Column("result", sa.LargeBinary(), nullable=False),
        sa.Column("taken_by", sa.Uuid(), nullable=True),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["school_id"], ["org.id"], name=op.f("fk_mentor_screening_school_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["student_id"], ["person.id"], name=op.f("fk_mentor_screening_student_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["taken_by"], ["person.id"], name=op.f("fk_mentor_screening_taken_by"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentor_screening")),
        sa.UniqueConstraint("student_id", "scale", "day", name="uq_mentor_screening_day"),
    )
    op.create_index("ix_mentor_screening_school", "mentor_screening", ["school_id", "day"], unique=False)
    for table, sealed in _UNCHANGED.items():
        op.execute(f"REVOKE UPDATE, TRUNCATE ON {table} FROM gongyu_app")
        if sealed:
            op.execute(f"GRANT UPDATE ({sealed}) ON {table} TO gongyu_app")


def downgrade() -> None:
    op.drop_table("mentor_screening")
    op.drop_table("mentor_break_glass")
    op.drop_table("mentor_health_lead")
    op.drop_table("mentor_case_plan")
    op.drop_table("mentor_case_note")
    op.drop_table("mentor_case")
    op.drop_table("mentor_wellbeing_opening")
    op.drop_table("mentor_talk_wish")
    op.drop_table("mentor_wellbeing_entry")
