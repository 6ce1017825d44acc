"""rounds"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "mentor_0001"
down_revision = None
branch_labels = None
depends_on = None


#: Places are counted by the database, once for each statement. A transition table is read on its own and what comes of
#: it is written afterwards, with the schema in the name: all that a schema on another node allows.
_COUNT = """
CREATE FUNCTION {schema}.mentor_count_{what}() RETURNS trigger LANGUAGE plpgsql AS $body$
DECLARE
    schools uuid[];
    mentors uuid[];
    counts bigint[];
BEGIN
    SELECT array_agg(school_id), array_agg(mentor_id), array_agg(n) INTO schools, mentors, counts
    FROM (
        SELECT school_id, mentor_id, count(*) AS n FROM changed WHERE ends_at IS NULL GROUP BY school_id, mentor_id
    ) AS counted;
    UPDATE {schema}.mentor_load AS load SET taken = load.taken {sign} given.n
    FROM unnest(schools, mentors, counts) AS given(school_id, mentor_id, n)
    WHERE load.school_id = given.school_id AND load.mentor_id = given.mentor_id;
    RETURN NULL;
END
$body$
"""
# Of an UPDATE what was is taken away before what is comes on top: triggers fire in the order of their names.
_TRIGGERS = (
    ("mentor_count_1_update", "UPDATE", "OLD", "removed"),
    ("mentor_count_2_update", "UPDATE", "NEW", "added"),
    ("mentor_count_insert", "INSERT", "NEW", "added"),
    ("mentor_count_delete", "DELETE", "OLD", "removed"),
)


def _guard() -> None:
    schema = op.get_context().opts["district_schema"]
    quoted = '"' + schema.replace('"', '""') + '"'
    for what, sign in (("added", "+"), ("removed", "-")):
        op.execute(_COUNT.format(schema=quoted, what=what, sign=sign))
    for name, event, table, what in _TRIGGERS:
        op.execute(
            f"CREATE TRIGGER {name} AFTER {event} ON mentor_assignment REFERENCING {table} TABLE AS changed "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {quoted}.mentor_count_{what}()"
        )
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON mentor_run FROM gongyu_app")
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON mentor_assignment FROM gongyu_app")
    op.execute("GRANT UPDATE (ends_at, end_reason) ON mentor_assignment TO gongyu_app")


def upgrade() -> None:
    op.create_table(
        "mentor_load",
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("mentor_id", sa.Uuid(), nullable=False),
        sa.Column("places", sa.BigInteger(), nullable=False),
        sa.Column("taken", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("0 <= taken AND taken <= places", name=op.f("ck_mentor_load_places")),
        sa.ForeignKeyConstraint(
            ["mentor_id"], ["person.id"], name=op.f("fk_mentor_load_mentor_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["school_id"], ["org.id"], name=op.f("fk_mentor_load_school_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("school_id", "mentor_id", name=op.f("pk_mentor_load")),
    )
    op.create_table(
        "mentor_round",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("term_id", sa.Uuid(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="draft", nullable=False),
        sa.Column("grades", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("opens_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closes_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("soft_cap", sa.BigInteger(), nullable=False),
        sa.Column("hard_cap", sa.BigInteger(), nullable=False),
        sa.Column("list_length", sa.BigInteger(), nullable=False),
        sa.Column("favour_percent", sa.BigInteger(), nullable=False),
        sa.Column("reserve_percent", sa.BigInteger(), nullable=True),
        sa.Column("care_categories", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("appeal_days", sa.BigInteger(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("seed_hash", sa.Text(), nullable=True),
        sa.Column("seed_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("seed", sa.Text(), nullable=True),
        sa.Column("runs", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("published_by", sa.Uuid(), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("appeals_until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(state = 'published') = (run_id IS NOT NULL)", name=op.f("ck_mentor_round_published")),
        sa.CheckConstraint("seed IS NULL OR state = 'published'", name=op.f("ck_mentor_round_seed_after")),
        sa.CheckConstraint(
            "state = 'draft' OR (seed_hash IS NOT NULL AND opens_at IS NOT NULL AND closes_at IS NOT NULL)",
            name=op.f("ck_mentor_round_announced"),
        ),
        sa.CheckConstraint("state IN ('draft', 'choosing', 'closed', 'published')", name=op.f("ck_mentor_round_state")),
        sa.CheckConstraint(
            "1 <= soft_cap AND soft_cap <= hard_cap AND hard_cap <= 50", name=op.f("ck_mentor_round_caps")
        ),
        sa.CheckConstraint("list_length BETWEEN 1 AND 20", name=op.f("ck_mentor_round_list_length")),
        sa.CheckConstraint("opens_at < closes_at", name=op.f("ck_mentor_round_times")),
        sa.ForeignKeyConstraint(
            ["created_by"], ["person.id"], name=op.f("fk_mentor_round_created_by"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["published_by"], ["person.id"], name=op.f("fk_mentor_round_published_by"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["school_id"], ["org.id"], name=op.f("fk_mentor_round_school_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["term_id"], ["academic_session.id"], name=op.f("fk_mentor_round_term_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentor_round")),
    )
    op.create_index("ix_mentor_round_school", "mentor_round", ["school_id", "id"], unique=False)
    op.create_table(
        "mentor_favour",
        sa.Column("round_id", sa.Uuid(), nullable=False),
        sa.Column("mentor_id", sa.Uuid(), nullable=False),
        sa.Column("students", postgresql.ARRAY(sa.Uuid()), server_default="{}", nullable=False),
        sa.Column("keep", postgresql.ARRAY(sa.Uuid()), server_default="{}", nullable=False),
        sa.Column("filed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(
            ["mentor_id"], ["person.id"], name=op.f("fk_mentor_favour_mentor_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["round_id"], ["mentor_round.id"], name=op.f("fk_mentor_favour_round_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("round_id", "mentor_id", name=op.f("pk_mentor_favour")),
    )
    op.create_table(
        "mentor_offer",
        sa.Column("round_id", sa.Uuid(), nullable=False),
        sa.Column("mentor_id", sa.Uuid(), nullable=False),
        sa.Column("soft_cap", sa.BigInteger(), nullable=False),
        sa.Column("hard_cap", sa.BigInteger(), nullable=False),
        sa.Column("reserve", sa.BigInteger(), nullable=True),
        sa.Column("grades", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("sex", sa.Text(), nullable=True),
        sa.Column("subjects", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("talents", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("introduction", sa.Text(), server_default="", nullable=False),
        sa.Column("fewer", sa.BigInteger(), nullable=True),
        sa.Column("fewer_reason", sa.Text(), nullable=True),
        sa.Column("fewer_state", sa.Text(), nullable=True),
        sa.Column("fewer_by", sa.Uuid(), nullable=True),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.CheckConstraint("fewer_state IN ('asked', 'granted', 'refused')", name=op.f("ck_mentor_offer_fewer_state")),
        sa.CheckConstraint("sex IN ('male', 'female')", name=op.f("ck_mentor_offer_sex")),
        sa.CheckConstraint("(fewer IS NULL) = (fewer_reason IS NULL)", name=op.f("ck_mentor_offer_reason")),
        sa.CheckConstraint(
            "0 <= soft_cap AND soft_cap <= hard_cap AND hard_cap <= 50", name=op.f("ck_mentor_offer_caps")
        ),
        sa.CheckConstraint("fewer >= 0", name=op.f("ck_mentor_offer_fewer")),
        sa.CheckConstraint("reserve BETWEEN 0 AND hard_cap", name=op.f("ck_mentor_offer_reserve")),
        sa.ForeignKeyConstraint(
            ["fewer_by"], ["person.id"], name=op.f("fk_mentor_offer_fewer_by"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["mentor_id"], ["person.id"], name=op.f("fk_mentor_offer_mentor_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["round_id"], ["mentor_round.id"], name=op.f("fk_mentor_offer_round_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("round_id", "mentor_id", name=op.f("pk_mentor_offer")),
    )
    op.create_table(
        "mentor_pin",
        sa.Column("round_id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("mentor_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("signed_by", sa.Uuid(), nullable=True),
        sa.Column("signed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("length(reason) >= 2", name=op.f("ck_mentor_pin_reason")),
        sa.ForeignKeyConstraint(["mentor_id"], ["person.id"], name=op.f("fk_mentor_pin_mentor_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["round_id"], ["mentor_round.id"], name=op.f("fk_mentor_pin_round_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["signed_by"], ["person.id"], name=op.f("fk_mentor_pin_signed_by"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["student_id"], ["person.id"], name=op.f("fk_mentor_pin_student_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("round_id", "student_id", name=op.f("pk_mentor_pin")),
    )
    op.create_table(
        "mentor_preference",
        sa.Column("round_id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("choices", postgresql.ARRAY(sa.Uuid()), server_default="{}", nullable=False),
        sa.Column("keep", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("source", sa.Text(), server_default="own", nullable=False),
        sa.Column("filed_by", sa.Uuid(), nullable=True),
        sa.Column("filed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.CheckConstraint("source IN ('own', 'paper')", name=op.f("ck_mentor_preference_source")),
        sa.CheckConstraint("cardinality(choices) <= 20", name=op.f("ck_mentor_preference_choices")),
        sa.ForeignKeyConstraint(
            ["filed_by"], ["person.id"], name=op.f("fk_mentor_preference_filed_by"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["round_id"], ["mentor_round.id"], name=op.f("fk_mentor_preference_round_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["student_id"], ["person.id"], name=op.f("fk_mentor_preference_student_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("round_id", "student_id", name=op.f("pk_mentor_preference")),
    )
    op.create_table(
        "mentor_run",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("round_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("snapshot_hash", sa.Text(), nullable=False),
        sa.Column("seed_hash", sa.Text(), nullable=False),
        sa.Column("figures", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("made_by", sa.Uuid(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("kind IN ('trial', 'rematch')", name=op.f("ck_mentor_run_kind")),
        sa.ForeignKeyConstraint(["made_by"], ["person.id"], name=op.f("fk_mentor_run_made_by"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["round_id"], ["mentor_round.id"], name=op.f("fk_mentor_run_round_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentor_run")),
        sa.UniqueConstraint("round_id", "number", name="uq_mentor_run_number"),
    )
    op.create_table(
        "mentor_assignment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("mentor_id", sa.Uuid(), nullable=False),
        sa.Column("school_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column("begins_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.CheckConstraint("ends_at >= begins_at", name=op.f("ck_mentor_assignment_period")),
        sa.CheckConstraint("student_id <> mentor_id", name=op.f("ck_mentor_assignment_two_people")),
        sa.ForeignKeyConstraint(
            ["mentor_id"], ["person.id"], name=op.f("fk_mentor_assignment_mentor_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["mentor_run.id"], name=op.f("fk_mentor_assignment_run_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["school_id", "mentor_id"],
            ["mentor_load.school_id", "mentor_load.mentor_id"],
            name="fk_mentor_assignment_load",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["school_id"], ["org.id"], name=op.f("fk_mentor_assignment_school_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["student_id"], ["person.id"], name=op.f("fk_mentor_assignment_student_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentor_assignment")),
    )
    op.create_index("ix_mentor_assignment_mentor", "mentor_assignment", ["mentor_id", "id"], unique=False)
    op.create_index(
        "ix_mentor_assignment_school",
        "mentor_assignment",
        ["school_id"],
        unique=False,
        postgresql_where=sa.text("ends_at IS NULL"),
    )
    op.create_index(op.f("ix_mentor_assignment_student_id"), "mentor_assignment", ["student_id"], unique=False)
    op.create_index(
        "uq_mentor_assignment_open",
        "mentor_assignment",
        ["student_id"],
        unique=True,
        postgresql_where=sa.text("ends_at IS NULL"),
    )
    _guard()


def downgrade() -> None:
    op.drop_index(
        "uq_mentor_assignment_open", table_name="mentor_assignment", postgresql_where=sa.text("ends_at IS NULL")
    )
    op.drop_index(op.f("ix_mentor_assignment_student_id"), table_name="mentor_assignment")
    op.drop_index(
        "ix_mentor_assignment_school", table_name="mentor_assignment", postgresql_where=sa.text("ends_at IS NULL")
    )
    op.drop_index("ix_mentor_assignment_mentor", table_name="mentor_assignment")
    op.drop_table("mentor_assignment")
    op.drop_table("mentor_run")
    op.drop_table("mentor_preference")
    op.drop_table("mentor_pin")
    op.drop_table("mentor_offer")
    op.drop_table("mentor_favour")
    op.drop_index("ix_mentor_round_school", table_name="mentor_round")
    op.drop_table("mentor_round")
    op.drop_table("mentor_load")
    schema = op.get_context().opts["district_schema"]
    for what in ("added", "removed"):
        op.execute(f'DROP FUNCTION "{schema}".mentor_count_{what}()')
