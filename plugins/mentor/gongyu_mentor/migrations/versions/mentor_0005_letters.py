"""the principal's mailbox and the mandatory report"""

import sqlalchemy as sa
from alembic import op

revision = "mentor_0005"
down_revision = "mentor_0004"
branch_labels = None
depends_on = None

#: Can be added to and read, by nobody changed or taken away: a message that was sent, a report that was made.
_WRITTEN_ONCE = ("mentor_letter_message", "mentor_report", "mentor_report_line", "mentor_report_suspect")
_KINDS = (
    "kind IN ('intimate_injury', 'sexual_under_14', 'sexual_from_14', 'violence', 'unnatural_injury', 'neglect', "
    "'missing', 'begging', 'bullying', 'other')"
)
_STEPS = (
    "what IN ('addition', 'identified', 'acknowledged', 'police_informed', 'guardians_informed', "
    "'guardians_not_informed', 'escalated', 'closed')"
)
#: The law wants them kept, and then ended: twenty years after, which is as long as the gravest crime is prosecuted
#: (刑法 87). The bound stands in the database, so that the application, which may delete none, cannot ask for more.
_END = """
CREATE FUNCTION {schema}.mentor_end_reports(before timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    ended bigint;
BEGIN
    DELETE FROM {schema}.mentor_report WHERE opened_at < least(before, now() - interval '20 years');
    GET DIAGNOSTICS ended = ROW_COUNT;
    RETURN ended;
END
$body$
"""


def _schema() -> str:
    return '"' + op.get_context().opts["district_schema"].replace('"', '""') + '"'


def upgrade() -> None:
    op.create_table(
        "mentor_office_key",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("school_id", sa.Uuid(), nullable=True),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("private_key", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["school_id"], ["org.id"], name=op.f("fk_mentor_office_key_school_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentor_office_key")),
        sa.UniqueConstraint("school_id", name="uq_mentor_office_key_school", postgresql_nulls_not_distinct=True),
    )
    op.create_table(
        "mentor_letter",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("office", sa.Text(), nullable=False),
        sa.Column("writer", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("writer_public", sa.LargeBinary(), nullable=False),
        sa.Column("writer_private", sa.LargeBinary(), nullable=True),
        sa.Column("receipt_hash", sa.LargeBinary(), nullable=True),
        sa.Column("then_district", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("harm", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("sent_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("state", sa.Text(), server_default="received", nullable=False),
        sa.Column("messages", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("in_time", sa.Boolean(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("escalated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("announced", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint("office IN ('school', 'district')", name=op.f("ck_mentor_letter_office")),
        sa.CheckConstraint("state IN ('received', 'seen', 'answered', 'closed')", name=op.f("ck_mentor_letter_state")),
        sa.CheckConstraint("writer IN ('student', 'adult')", name=op.f("ck_mentor_letter_writer")),
        sa.CheckConstraint(
            "receipt_hash IS NULL OR (person_id IS NULL AND writer_private IS NULL)",
            name=op.f("ck_mentor_letter_anonymous"),
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_mentor_letter_person_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["school_id"], ["org.id"], name=op.f("fk_mentor_letter_school_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentor_letter")),
        sa.UniqueConstraint("receipt_hash", name=op.f("uq_mentor_letter_receipt_hash")),
    )
    op.create_index("ix_mentor_letter_desk", "mentor_letter", ["school_id", "due_on", "id"], unique=False)
    op.create_index(
        "ix_mentor_letter_person",
        "mentor_letter",
        ["person_id"],
        unique=False,
        postgresql_where=sa.text("person_id IS NOT NULL"),
    )
    op.create_table(
        "mentor_letter_message",
        sa.Column("letter_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("by_office", sa.Boolean(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["author_id"], ["person.id"], name=op.f("fk_mentor_letter_message_author_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["letter_id"], ["mentor_letter.id"], name=op.f("fk_mentor_letter_message_letter_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("letter_id", "number", name=op.f("pk_mentor_letter_message")),
    )
    op.create_table(
        "mentor_receipt_try",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("address", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentor_receipt_try")),
    )
    op.create_index("ix_mentor_receipt_try_address", "mentor_receipt_try", ["address", "at"], unique=False)
    op.create_table(
        "mentor_letter_change",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("changed", sa.Text(), nullable=False),
        sa.Column("by", sa.Uuid(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["by"], ["person.id"], name=op.f("fk_mentor_letter_change_by"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["school_id"], ["org.id"], name=op.f("fk_mentor_letter_change_school_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentor_letter_change")),
    )
    op.create_index("ix_mentor_letter_change_school", "mentor_letter_change", ["school_id", "id"], unique=False)
    op.create_table(
        "mentor_report",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("office", sa.Text(), nullable=False),
        sa.Column("letter_id", sa.Uuid(), nullable=True),
        sa.Column("reporter_id", sa.Uuid(), nullable=True),
        sa.Column("student_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            _KINDS,
            name=op.f("ck_mentor_report_kind"),
        ),
        sa.CheckConstraint("office IN ('school', 'district')", name=op.f("ck_mentor_report_office")),
        sa.ForeignKeyConstraint(
            ["letter_id"], ["mentor_letter.id"], name=op.f("fk_mentor_report_letter_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["reporter_id"], ["person.id"], name=op.f("fk_mentor_report_reporter_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["school_id"], ["org.id"], name=op.f("fk_mentor_report_school_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["student_id"], ["person.id"], name=op.f("fk_mentor_report_student_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentor_report")),
    )
    op.create_index(
        "ix_mentor_report_reporter",
        "mentor_report",
        ["reporter_id"],
        unique=False,
        postgresql_where=sa.text("reporter_id IS NOT NULL"),
    )
    op.create_index("ix_mentor_report_school", "mentor_report", ["school_id", "due_at"], unique=False)
    op.create_table(
        "mentor_report_line",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("report_id", sa.Uuid(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("by", sa.Uuid(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("words", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(
            _KINDS,
            name=op.f("ck_mentor_report_line_kind"),
        ),
        sa.CheckConstraint(
            _STEPS,
            name=op.f("ck_mentor_report_line_what"),
        ),
        sa.ForeignKeyConstraint(["by"], ["person.id"], name=op.f("fk_mentor_report_line_by"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["report_id"], ["mentor_report.id"], name=op.f("fk_mentor_report_line_report_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["student_id"], ["person.id"], name=op.f("fk_mentor_report_line_student_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentor_report_line")),
    )
    op.create_index("ix_mentor_report_line_report", "mentor_report_line", ["report_id", "id"], unique=False)
    op.create_index(
        "uq_mentor_report_line_once",
        "mentor_report_line",
        ["report_id", "what"],
        unique=True,
        postgresql_where=sa.text("what IN ('acknowledged', 'escalated', 'closed')"),
    )
    op.create_table(
        "mentor_report_suspect",
        sa.Column("report_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_mentor_report_suspect_person_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["report_id"], ["mentor_report.id"], name=op.f("fk_mentor_report_suspect_report_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("report_id", "person_id", name=op.f("pk_mentor_report_suspect")),
    )
    for table in _WRITTEN_ONCE:
        op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM gongyu_app")
    op.execute(_END.format(schema=_schema()))


def downgrade() -> None:
    op.execute(f"DROP FUNCTION {_schema()}.mentor_end_reports(timestamptz)")
    op.drop_table("mentor_report_suspect")
    op.drop_table("mentor_report_line")
    op.drop_table("mentor_report")
    op.drop_table("mentor_letter_change")
    op.drop_table("mentor_receipt_try")
    op.drop_table("mentor_letter_message")
    op.drop_table("mentor_letter")
    op.drop_table("mentor_office_key")
