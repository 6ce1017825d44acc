"""What a stolen copy of the database shows."""

import base64

import sqlalchemy as sa

from gongyu.database.engine import Database, quoted

__all__ = ["dump", "readable"]


async def dump(database: Database, *schemas: str) -> str:
    """Each row of each table of these schemas as a dump writes it: bytes in hexadecimal, the rest as text."""
    found: list[str] = []
    async with database.owner.connect() as connection:
        names = sa.text("SELECT schemaname, tablename FROM pg_catalog.pg_tables WHERE schemaname = ANY(:schemas)")
        for schema, name in (await connection.execute(names, {"schemas": list(schemas)})).all():
            rows = sa.text(f"SELECT CAST(t AS text) FROM {quoted(schema)}.{quoted(name)} t")  # noqa: S608 - names from the catalogue
            found += (await connection.execute(rows)).scalars().all()
    return "\n".join(found)


def readable(dumped: str, secret: bytes | str) -> bool:
    """In any dress a careless hand might have left it."""
    text = secret if isinstance(secret, str) else secret.decode(errors="replace")
    raw = secret.encode() if isinstance(secret, str) else secret
    dresses = [text, raw.hex(), base64.b64encode(raw).decode()]
    dresses += [text.encode(coding, "replace").hex() for coding in ("utf-16-le", "utf-16-be", "gb18030")]
    dresses.append(text.encode("unicode_escape").decode())  # as JSON may write it
    return any(dress in dumped for dress in dresses)
