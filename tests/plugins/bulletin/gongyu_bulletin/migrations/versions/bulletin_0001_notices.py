"""notices"""

import sqlalchemy as sa
from alembic import op

revision = "bulletin_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bulletin_notice",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("pinned", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("length(title) BETWEEN 1 AND 100", name=op.f("ck_bulletin_notice_title")),
        sa.ForeignKeyConstraint(
            ["author_id"], ["person.id"], name=op.f("fk_bulletin_notice_author_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["org_id"], ["org.id"], name=op.f("fk_bulletin_notice_org_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulletin_notice")),
    )
    op.create_index("ix_bulletin_notice_page", "bulletin_notice", ["posted_at", "id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_bulletin_notice_page", table_name="bulletin_notice")
    op.drop_table("bulletin_notice")
