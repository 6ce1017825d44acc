"""What a correction names, what is still to be done after it, and which fields of a person were corrected by hand."""

import sqlalchemy as sa
from alembic import op

revision = "core_0005"
down_revision = "core_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("rights_request", sa.Column("fields", sa.LargeBinary(), nullable=True))
    op.add_column("rights_request", sa.Column("by_hand", sa.LargeBinary(), nullable=True))
    op.add_column("rights_request", sa.Column("done_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("rights_request", sa.Column("done_by", sa.Text(), nullable=True))
    op.create_table(
        "corrected_field",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("corrected_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_corrected_field_person_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("person_id", "field", name=op.f("pk_corrected_field")),
    )


def downgrade() -> None:
    op.drop_table("corrected_field")
    for column in ("done_by", "done_at", "by_hand", "fields"):
        op.drop_column("rights_request", column)
