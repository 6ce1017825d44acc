"""The OpenAPI documents as their readers meet them: validators, linters, a generated client, a fuzzer."""

import asyncio
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import jsonschema
import msgspec
import pytest
from litestar import Litestar
from openapi_spec_validator import validate
from uvicorn import Server

from gongyu.testing.plugin import MakeDistrict
from gongyu.web.openapi_document import whole_numbers
from gongyu.web.server import listen, settings

from .conftest import Site

# How handlers take their `Call`, `Limit` and `Cursor`: Litestar wants them marked before its version 3.
pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning")

JSON = dict[str, Any]
DISTRICT = "/api/v1/ezhou/openapi.json"
#: The generator knows no files but this kind.
CLIENT = """\
post_hooks: []
content_type_overrides:
  application/pdf: application/octet-stream
  application/x-ndjson: application/octet-stream
  application/vnd.openxmlformats-officedocument.spreadsheetml.sheet: application/octet-stream
  application/zip: application/octet-stream
  text/csv: application/octet-stream
"""
LINTERS = os.environ.get("GONGYU_NPM_LINTERS", "")
TOOLS = Path(LINTERS).resolve()


def operations(document: JSON) -> Iterator[tuple[str, str, JSON]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def resolved(document: JSON, part: JSON) -> JSON:
    if "$ref" not in part:
        return part
    _, _, kind, name = part["$ref"].split("/")
    found: JSON = document["components"][kind][name]
    return found


@pytest.fixture
async def whole(site: Site) -> JSON:
    document: JSON = (await site.get("/openapi.json")).json()
    return document


@pytest.fixture
async def of_district(site: Site) -> JSON:
    document: JSON = (await site.get(DISTRICT)).json()
    return document


async def test_documents_are_valid(whole: JSON, of_district: JSON) -> None:
    validate(whole)
    validate(of_district)


async def test_every_operation_has_all_that_readers_need(whole: JSON, of_district: JSON) -> None:
    missing = []
    for document in (whole, of_district):
        described = {tag["name"]: tag for tag in document["tags"]}
        ids = [operation["operationId"] for _, _, operation in operations(document)]
        assert len(set(ids)) == len(ids)
        for path, method, operation in operations(document):
            public = operation["x-permission"]["kind"] == "public"
            statuses = set(operation["responses"])
            problems = [resolved(document, one) for status, one in operation["responses"].items() if status >= "400"]
            parts = {
                "summary": operation.get("summary"),
                "permission in the description": "**权限 Permission**" in operation["description"],
                "a tag with both titles": all(
                    "\n\n" in described[tag]["description"] and described[tag]["x-title"]["zh"]
                    for tag in operation["tags"]
                ),
                "problem details": all(list(one["content"]) == ["application/problem+json"] for one in problems),
                "sign-in, or none if public": operation.get("security") == ([] if public else None),
                "401 unless public": public or "401" in statuses,
                "404 and 503 in a district": not path.startswith("/api/") or {"404", "503"} <= statuses,
                "an example of what is sent and got": all(
                    "example" in content
                    for body in (operation.get("requestBody", {}), *operation["responses"].values())
                    for content in body.get("content", {}).values()
                ),
                "an idempotency key": method != "post"
                or any(resolved(document, one)["name"] == "Idempotency-Key" for one in operation["parameters"]),
            }
            missing += [f"{method} {path}: {part}" for part, there in parts.items() if not there]
    assert missing == []


async def test_every_example_is_valid_against_its_schema(whole: JSON) -> None:
    contents = [
        content
        for _, _, operation in operations(whole)
        for body in (
            operation.get("requestBody", {}),
            *(resolved(whole, one) for one in operation["responses"].values()),
        )
        for content in body.get("content", {}).values()
    ]
    assert contents
    for content in contents:
        examples = (
            [content["example"]] if "example" in content else [one["value"] for one in content["examples"].values()]
        )
        for example in examples:
            schema = content["schema"] | {"components": whole["components"]}
            jsonschema.validate(example, schema, format_checker=jsonschema.FormatChecker())


async def test_whole_document_has_every_route_but_the_documentation(site: Site, whole: JSON) -> None:
    litestar = site.app.app
    assert isinstance(litestar, Litestar)
    routes = {route.path_format or "/" for route in litestar.routes}
    documentation = {"/docs", "/docs/assets/{name}", "/favicon.ico", "/problems/{kind}", "/openapi.json"}
    of_districts = {"/api/v1/{district}/docs", "/api/v1/{district}/openapi.json"}
    assert set(whole["paths"]) == routes - documentation - of_districts


async def test_operation_is_described_as_it_behaves(whole: JSON) -> None:
    """The whole of one operation compared: whatever is lost or made up shows here."""
    add = whole["paths"]["/api/v1/{district}/shelf/books"]["post"]
    example = {"title": "草房子", "pages": 100, "lent_until": None}
    answer = {
        "id": "01990f2e-7c00-7000-8000-000000000001",
        "title": "title",
        "pages": 1,
        "shelved_at": "2026-09-01T08:00:00Z",
        "chapters": [{"title": "title", "parts": []}],
    }
    assert add == {
        "operationId": "shelf_add_book",
        "tags": ["shelf"],
        "summary": "Add a book",
        "description": "**权限 Permission**: `shelf.book.add` (添书 Add books); 角色 roles: `districtAdministrator`. "
        "每次使用记入审计。 Each use is written to the audit log.",
        "parameters": [
            {"$ref": "#/components/parameters/district"},
            {"$ref": "#/components/parameters/IdempotencyKey"},
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/NewBook"}, "example": example}},
        },
        "responses": {
            "201": {
                "description": "Created",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Book"}, "example": answer}},
            },
            **{
                status: {"$ref": f"#/components/responses/Problem{status}"}
                for status in ("400", "401", "403", "404", "409", "413", "422", "503")
            },
        },
        "x-permission": {
            "kind": "permission",
            "name": "shelf.book.add",
            "title": {"zh": "添书", "en": "Add books"},
            "roles": ["districtAdministrator"],
            "sensitive": True,
        },
        "x-plugin": "shelf",
    }
    assert whole["components"]["schemas"]["NewBook"] == {
        "title": "NewBook",
        "description": "A book to put on the shelf.",
        "type": "object",
        "properties": {
            "title": {"type": "string", "minLength": 1, "maxLength": 100, "examples": ["草房子"]},
            "pages": {"type": "integer", "minimum": 1, "maximum": 5000, "default": 100},
            "lent_until": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}], "default": None},
        },
        "required": ["title"],
        "additionalProperties": False,
    }
    assert whole["components"]["schemas"]["Book"]["properties"]["shelved_at"] == {
        "type": "string",
        "format": "date-time",
    }


async def test_parameters_keep_their_bounds_as_whole_numbers(whole: JSON) -> None:
    listed = whole["paths"]["/api/v1/{district}/shelf/books"]["get"]
    schemas = {one["name"]: one["schema"] for one in listed["parameters"] if "name" in one}
    assert msgspec.json.encode(schemas["limit"]) == b'{"type":"integer","maximum":200,"minimum":1,"default":20}'
    assert schemas["cursor"] == {"type": "string", "maxLength": 500}
    assert schemas["kind"] == {"type": "string", "enum": ["novel", "verse"], "default": "novel"}
    assert whole_numbers({"a": [1.0, 0.5, True]}) == {"a": [1, 0.5, True]}


async def test_operations_of_two_plugins_with_one_name_are_told_apart(whole: JSON) -> None:
    shelf, attic = (whole["paths"][f"/api/v1/{{district}}/{path}"]["get"] for path in ("shelf/books", "attic/count"))
    assert (shelf["operationId"], attic["operationId"]) == ("shelf_list_books", "attic_list_books")
    assert (shelf["summary"], shelf["x-title"]["zh"]) == ("List the books", "列出书目")


async def test_district_document_has_its_plugins_only(site: Site, whole: JSON, of_district: JSON) -> None:
    wanted = {
        path.replace("{district}", "ezhou")
        for path in whole["paths"]
        if path.startswith("/api/v1/{district}") and "/attic/" not in path
    }
    assert set(of_district["paths"]) == wanted
    text = msgspec.json.encode(of_district).decode()
    assert of_district["info"]["title"] == "鄂州市 · Gongyu 共育"
    assert [name for name in ("{district}", "attic", "parameters/district", "ProblemKind") if name in text] == []
    assert (await site.get("/api/v1/nowhere/openapi.json")).json()["type"] == "/problems/unknown-district"


async def test_district_document_follows_a_switch(site: Site, make_district: MakeDistrict) -> None:
    before = (await site.get(DISTRICT)).json()
    await make_district("ezhou", "[plugins.attic]")
    after = (await site.get(DISTRICT)).json()
    assert {tag["name"] for tag in before["tags"]} ^ {tag["name"] for tag in after["tags"]} == {"shelf", "attic"}


async def test_generated_client_gets_typed_answers(site: Site, of_district: JSON, tmp_path: Path) -> None:
    (tmp_path / "openapi.json").write_bytes(msgspec.json.encode(of_district))
    (tmp_path / "config.yml").write_text(CLIENT)
    made = await asyncio.to_thread(
        subprocess.run,
        [
            *(sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none", "--fail-on-warning"),
            *("--path", "openapi.json", "--config", "config.yml", "--output-path", "gongyu_client"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    client = imported(tmp_path / "gongyu_client")
    shelf = importlib.import_module("gongyu_client.api.shelf.shelf_add_book")
    listed = importlib.import_module("gongyu_client.api.shelf.shelf_list_books")
    me = importlib.import_module("gongyu_client.api.district.read_me")
    models = importlib.import_module("gongyu_client.models")
    signed_in = client.AuthenticatedClient(
        base_url="http://gongyu.test", token=site.token, httpx_args={"transport": site.transport}
    )

    new = models.NewBook(title="草房子", pages=278)
    added = await shelf.asyncio(client=signed_in, body=new, idempotency_key="once")
    again = await shelf.asyncio(client=signed_in, body=new, idempotency_key="once")
    assert isinstance(added, models.Book)
    assert isinstance(added.id, UUID)
    assert (added.title, added.pages, added.shelved_at.isoformat()) == ("草房子", 278, "2026-09-01T08:00:00+00:00")
    assert again == added
    assert (await listed.asyncio(client=signed_in)).items[0].title == "novel"
    assert (await me.asyncio(client=signed_in)).name == "管局长"
    refused = await shelf.asyncio(client=signed_in, body=models.NewBook(title="", pages=0))
    assert isinstance(refused, models.Problem)
    assert sorted(error.pointer for error in refused.errors) == ["/pages", "/title"]


def imported(package: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        package.name, package / "__init__.py", submodule_search_locations=[str(package)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[package.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(not LINTERS, reason="GONGYU_NPM_LINTERS is not set to a node_modules/.bin folder with the linters")
@pytest.mark.parametrize("path", ["/openapi.json", DISTRICT])
async def test_linters_find_no_error(site: Site, path: str, tmp_path: Path) -> None:
    """Two linters from npm, which the test environment does not bring.

    npm install --prefix lint @stoplight/spectral-cli @redocly/cli
    GONGYU_NPM_LINTERS=lint/node_modules/.bin .venv/bin/python -m pytest core/tests/web/test_openapi.py -k linters
    """
    (tmp_path / "openapi.json").write_bytes((await site.get(path)).content)
    (tmp_path / "rules.yaml").write_text('extends: ["spectral:oas"]\n')
    for command in (
        [str(TOOLS / "spectral"), "lint", "openapi.json", "--ruleset", "rules.yaml", "--fail-severity", "warn"],
        [str(TOOLS / "redocly"), "lint", "openapi.json"],
    ):
        said = await asyncio.to_thread(
            subprocess.run, command, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert said.returncode == 0, said.stdout + said.stderr


async def test_fuzzed_requests_get_what_the_document_says(site: Site, tmp_path: Path) -> None:
    """Never a 5xx, and each answer's status, media type and body as documented."""
    listening = listen("127.0.0.1", 0)
    port = listening.getsockname()[1]
    server = Server(settings(site.app))
    serving = asyncio.create_task(server.serve([listening]))
    try:
        schemathesis = Path(sys.executable).with_name("schemathesis")
        process = await asyncio.create_subprocess_exec(
            *(str(schemathesis), "run", f"http://127.0.0.1:{port}{DISTRICT}", "--no-color", "--seed", "20260901"),
            *("--header", f"Authorization: Bearer {site.token}", "--max-examples", "20"),
            *("--phases", "examples,coverage,fuzzing"),
            # A key generated twice is rightly refused the second time; and the `Allow` of OPTIONS is the framework's.
            *("--exclude-checks", "positive_data_acceptance,allow_header_conformance"),
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
    finally:
        server.should_exit = True
        await serving
    assert process.returncode == 0, said.decode()
