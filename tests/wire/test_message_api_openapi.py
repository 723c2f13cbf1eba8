"""The Message API keeps to its own OpenAPI document, whatever it is asked."""

import asyncio

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode, openapi
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.message_world import KEY, client, message_api

OPERATIONS = [
    ("POST", "/messages"),
    ("GET", "/messages"),
    ("GET", "/messages/{message_id}"),
    ("PUT", "/messages/{message_id}"),
    ("PATCH", "/messages/{message_id}"),
    ("GET", "/messages/{message_id}/receipt"),
]
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
SLOW = list(HealthCheck)
"""A document's strategies filter much and take their time, which is no failure."""
HEADERS = {"Authorization": f"Bearer {KEY}"}


def try_operation(url: str, method: str, path: str, message_id: str) -> set[int]:
    """Ask what the document allows and what it doesn't; returns the statuses that were answered."""
    document = openapi.from_dict(httpx.get(f"{url}/openapi.json").json())
    operation, statuses = document[path][method], set()
    cases = st.one_of(operation.as_strategy(generation_mode=mode) for mode in GenerationMode)

    @given(cases, st.booleans())
    @settings(max_examples=30, derandomize=True, database=None, phases=[Phase.generate], suppress_health_check=SLOW)
    def keeps_to_the_document(case, known) -> None:
        if known and "message_id" in case.path_parameters:
            case.path_parameters["message_id"] = message_id
        if "wait_s" in case.query:
            case.query["wait_s"] = 0
        response = case.call(base_url=url, headers=HEADERS)
        case.validate_response(response, checks=CHECKS)
        statuses.add(response.status_code)

    keeps_to_the_document()
    return statuses


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=lambda part: part.strip("/"))
async def test_every_answer_is_one_that_the_document_tells_of(method, path, tmp_path):
    async with message_api("memory://", tmp_path) as url, client(url) as api:
        posted = await api.post("Hi.", user_id="1", key="hi")
        statuses = await asyncio.to_thread(try_operation, url, method, path, posted.message_id)
    assert statuses & {200, 202}
    assert statuses & {404, 422}


async def test_the_document_tells_of_every_operation(tmp_path):
    async with message_api("memory://", tmp_path) as url, httpx.AsyncClient() as http:
        document = (await http.get(f"{url}/openapi.json")).json()
    told = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert told == set(OPERATIONS)
    assert all(about["security"] for methods in document["paths"].values() for about in methods.values())
