import asyncio
import base64
import json
import logging
import os
import stat
import sys
from pathlib import Path

import pytest

from gongyu.access.keys import KeyRing, KeysError, SealBrokenError
from gongyu.config import Config


def ring(folder: Path, environment: dict[str, str] | None = None) -> KeyRing:
    return KeyRing.load(Config(data=folder), environment or {})


def test_sealed_text_opens_only_for_its_district_and_context(tmp_path: Path) -> None:
    keys = ring(tmp_path)
    sealed = keys.encrypt("ezhou", "悄悄话".encode(), context=b"letter:1")
    assert keys.decrypt("ezhou", sealed, context=b"letter:1").decode() == "悄悄话"
    assert sealed.startswith(b"a256gcm.1.")
    changed = bytes([*sealed[:-1], sealed[-1] ^ 1])
    for slug, text, context in (
        ("huangshi", sealed, b"letter:1"),
        ("ezhou", sealed, b"letter:2"),
        ("ezhou", changed, b"letter:1"),
        ("ezhou", sealed[:15], b"letter:1"),
        ("ezhou", b"", b"letter:1"),
        ("ezhou", sealed.replace(b"a256gcm.1.", b"a256gcm.01."), b"letter:1"),
    ):
        with pytest.raises(SealBrokenError):
            keys.decrypt(slug, text, context=context)


def test_rotation_of_one_district_changes_no_other_and_no_hash(tmp_path: Path) -> None:
    keys, elsewhere = ring(tmp_path), ring(tmp_path)
    old = keys.encrypt("ezhou", b"x", context=b"c")
    number = keys.keyed_hash("ezhou", b"420700", purpose=b"id_number")
    assert keys.rotate("ezhou") == 2
    new = elsewhere.encrypt("ezhou", b"x", context=b"c")  # another process goes on with the new key at once
    assert new.startswith(b"a256gcm.2.")
    assert (keys.is_current("ezhou", old), keys.is_current("ezhou", new)) == (False, True)
    assert keys.decrypt("ezhou", old, context=b"c") == keys.decrypt("ezhou", new, context=b"c") == b"x"
    assert elsewhere.keyed_hash("ezhou", b"420700", purpose=b"id_number") == number
    assert keys.version("huangshi") == 1


def test_keyed_hash_differs_by_district_and_purpose(tmp_path: Path) -> None:
    keys = ring(tmp_path)
    hashes = {
        keys.keyed_hash("ezhou", b"1", purpose=b"phone"),
        keys.keyed_hash("ezhou", b"1", purpose=b"id_number"),
        keys.keyed_hash("huangshi", b"1", purpose=b"phone"),
        keys.keyed_hash("ezhou", b"e1", purpose=b"phon"),
        ring(tmp_path / "other").keyed_hash("ezhou", b"1", purpose=b"phone"),
    }
    assert len(hashes) == 5


async def test_processes_starting_at_once_make_one_file(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from gongyu.access.keys import KeyRing; from gongyu.config import Config\n"
        "ring = KeyRing.load(Config(data=pathlib.Path(sys.argv[1])), {})\n"
        "sys.stdout.buffer.write(ring.encrypt('ezhou', b'x', context=b'c'))"
    )
    started = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, str(tmp_path / "data"), stdout=asyncio.subprocess.PIPE
        )
        for _ in range(4)
    ]
    sealed = [(await process.communicate())[0] for process in started]
    keys = ring(tmp_path / "data")
    assert [keys.decrypt("ezhou", text, context=b"c") for text in sealed] == [b"x"] * 4
    assert stat.S_IMODE((tmp_path / "data/keys.json").stat().st_mode) == 0o600
    assert sorted(file.name for file in (tmp_path / "data").iterdir()) == ["keys.json", "keys.lock"]


def test_environment_gives_the_keys_and_refuses_to_rotate(tmp_path: Path) -> None:
    root = base64.b64encode(os.urandom(32)).decode()
    keys = ring(tmp_path / "none", {"GONGYU_KEYS": root})
    sealed = keys.encrypt("ezhou", b"x", context=b"c")
    with pytest.raises(KeysError, match="to districts"):
        keys.rotate("ezhou")
    whole = json.dumps({"root": root, "districts": {"ezhou": {"2": base64.b64encode(os.urandom(32)).decode()}}})
    later = ring(tmp_path / "none", {"GONGYU_KEYS": whole})
    assert later.decrypt("ezhou", sealed, context=b"c") == b"x"
    assert later.version("ezhou") == 2
    assert not (tmp_path / "none").exists()
    with pytest.raises(KeysError, match="version 2"):
        keys.decrypt("ezhou", later.encrypt("ezhou", b"y", context=b"c"), context=b"c")


@pytest.mark.parametrize(
    "content", [b"", b"{}", b'{"root": "c2hvcnQ="}', b"secret-in-plain", b'{"root": 5, "x": "secret-in-plain"}']
)
def test_broken_key_file_is_refused_without_showing_it(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(KeysError) as caught:
        ring(tmp_path)
    assert str(file) in caught.value.text.zh
    assert "secret" not in caught.value.text.zh + caught.value.text.en
    assert file.read_bytes() == content  # never made anew: that would lose what was sealed


def test_key_file_open_to_others_is_refused(tmp_path: Path) -> None:
    ring(tmp_path)
    (tmp_path / "keys.json").chmod(0o640)
    with pytest.raises(KeysError, match="chmod 600"):
        ring(tmp_path)


def test_keys_never_appear_in_words_or_logs(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    keys = ring(tmp_path)
    keys.rotate("ezhou")
    keys.keyed_hash("ezhou", b"1", purpose=b"phone")
    keys.encrypt("ezhou", b"1", context=b"phone")
    root = json.loads((tmp_path / "keys.json").read_bytes())["root"]
    assert root not in repr(keys) + str(vars(keys)) + caplog.text
    assert repr(base64.b64decode(root)) not in str(vars(keys))
