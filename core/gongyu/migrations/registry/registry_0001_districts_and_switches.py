"""districts and switches"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "registry_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "district",
        sa.Column("number", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), server_default="Asia/Shanghai", nullable=False),
        sa.Column("state", sa.Text(), server_default="creating", nullable=False),
        sa.Column(
            "access", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("slug ~ '^[a-z][a-z0-9]{1,30}$'", name=op.f("ck_district_slug")),
        sa.CheckConstraint("state IN ('creating', 'active', 'dropping')", name=op.f("ck_district_state")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_district")),
        sa.UniqueConstraint("slug", name=op.f("uq_district_slug")),
    )
    op.create_table(
        "plugin_switch",
        sa.Column("district", sa.BigInteger(), nullable=False),
        sa.Column("plugin", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column(
            "settings", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column(
            "schools", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("version", sa.Text(), server_default="", nullable=False),
        sa.Column("changed_by", sa.Text(), server_default="", nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["district"], ["district.number"], name=op.f("fk_plugin_switch_district"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("district", "plugin", name=op.f("pk_plugin_switch")),
    )


def downgrade() -> None:
    op.drop_table("plugin_switch")
    op.drop_table("district")
