"""`gongyu user …`, `access …` and `audit …` as an operator runs them."""

import asyncio
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from ..command import Command  # noqa: TID252 - test folders are no packages and have no absolute names


@pytest.fixture
async def gongyu(database_url: str, tmp_path: Path) -> Command:
    return Command(database_url, tmp_path)


async def test_first_administrator_hands_out_accounts_and_tokens(gongyu: Command) -> None:
    made = (await gongyu.well("district", "create", "ezhou", "--name", "鄂州", "--admin", "李局长")).splitlines()
    code, advice = made[-2:]
    assert len(code.split("-")) == 3
    assert code in advice
    assert "/api/v1/ezhou/activation" in advice
    teacher, *_ = (
        await gongyu.well("user", "create", "ezhou", "--name", "师老师", "--role", "teacher", "--username", "Shi")
    ).splitlines()
    said, listed = await asyncio.gather(
        gongyu.well("user", "token", "ezhou", "shi", "--name", "报表", "--scope", "*"),
        gongyu.well("user", "list", "ezhou"),
    )
    assert said.startswith("gy_ezhou_")
    assert [line.split()[1:] for line in listed.splitlines()[1:]] == [
        ["师老师", "shi", "open", "teacher"],
        ["李局长", "districtAdministrator"],
    ]
    assert await gongyu.well("user", "disable", "ezhou", "shi") == "closed\n"
    closed = "the account is closed and a code would not open it; open it first\n"
    assert await gongyu("user", "reset", "ezhou", "shi") == (2, "", closed)
    assert await gongyu("access", "why", "ezhou", "shi", "district.audit.read", teacher) == (
        1,
        "✗ they cannot come in: the account is closed, or no membership and no child is left\n",
        "",
    )
    assert await gongyu.well("user", "disable", "ezhou", teacher) == "it was closed already\n"
    assert await gongyu.well("user", "enable", "ezhou", "ＳＨＩ") == "open\n"
    denied = await gongyu("access", "why", "ezhou", "shi", "district.audit.read", teacher)
    reason = "district.audit.read needs one of the roles: districtAdministrator (of the whole district)"
    assert denied == (1, f"✗ {reason}\n  relation: oneself\n", "")
    shown = await gongyu.well("audit", "search", "ezhou", "--action", "account.*")
    assert [line.split()[4] for line in shown.splitlines()[1:]] == [
        "account.enabled",
        "account.disabled",
        "account.created",
    ]


async def test_what_an_operator_mistypes_changes_nothing(gongyu: Command) -> None:
    await gongyu.well("district", "create", "ezhou", "--name", "鄂州")
    for words, said in {
        ("user", "create", "ezhou", "nobody"): "there is no person `nobody`\n",
        ("user", "create", "ezhou"): "say PERSON, or --name for a new one\n",
        ("user", "create", "ezhou", "--name", "a"): "--name and --role belong together\n",
        ("user", "create", "ezhou", "--name", "a", "--role", "teacher", "--org", "x"): "there is no org `x`\n",
        ("user", "create", "ezhou", "--name", "a", "--role", "teacher", "--username", "b c"): (
            "a user name holds no spaces or control characters\n"
        ),
        ("user", "token", "ezhou", "a", "--name", "x", "--scope", "distrct.audit.read"): (
            "there is no permission distrct.audit.read; the nearest is district.audit.read\n"
        ),
        ("user", "slips", "ezhou", "一班", "x.pdf"): "there is no class `一班`\n",
        ("access", "why", "ezhou", "a", "b.c", "d"): None,
        ("audit", "verify", "ezhou", "--head", "1:zz"): "--head is SEQ:HASH, as verify prints it\n",
    }.items():
        ran = await gongyu(*words)
        assert (ran.code, ran.out) == (2, ""), words
        assert said in (None, ran.err), words
    assert len((await gongyu.well("user", "list", "ezhou")).splitlines()) == 2  # the head, and the administrator
    proxies = await gongyu("district", "list", GONGYU_TRUSTED_PROXIES="10.0.0.0/8, nginx")
    assert proxies.code == 1
    assert proxies.err.startswith("`nginx` in GONGYU_TRUSTED_PROXIES is neither")


async def test_audit_log_that_was_touched_is_found_and_keys_are_rotated(gongyu: Command) -> None:
    await gongyu.well("district", "create", "ezhou", "--name", "鄂州")
    head = (await gongyu.well("audit", "verify", "ezhou")).splitlines()[-1]
    assert (await gongyu.well("access", "rotate-keys", "ezhou")).splitlines() == [
        "key version 2 is made; back keys.json up; older keys stay in it",
        "0 texts sealed anew",
    ]
    assert "5 lines" not in (await gongyu.well("audit", "verify", "ezhou", "--head", head))
    await gongyu.well("audit", "export", "ezhou", "log.jsonl", "--format", "jsonl", "--action", "keys.*")
    assert (gongyu.folder / "log.jsonl").read_text("utf-8").count("\n") == 2
    url = make_url(gongyu.database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    await gongyu.well("audit", "verify", "ezhou")
    connection = await asyncpg.connect(url)
    last = await connection.fetchrow("DELETE FROM d_ezhou.audit_line WHERE seq > 4 RETURNING seq")
    assert last is not None
    cut = await gongyu("audit", "verify", "ezhou")  # its end, which no chain shows by itself
    assert (cut.code, "noted outside the database and is missing now" in cut.out) == (1, True)
    assert (await gongyu("audit", "verify", "ezhou", "--restored")).code == 0
    await connection.execute("UPDATE d_ezhou.audit_line SET actor = 'operator:somebody' WHERE seq = 2")
    await connection.close()
    assert await gongyu("audit", "verify", "ezhou") == (1, "✗ line 2 was changed\n", "")
