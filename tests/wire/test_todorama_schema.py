"""Whatever the OpenAPI document allows, and much that it doesn't: the board never answers 5xx."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error

from essence.tasks.post_face import openapi
from tests.todorama_service import Service, running_service

WAITING = ("/mcp/claim_next", "/mcp/wait_for_work")
SCHEMA = schemathesis.openapi.from_dict(openapi())


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(f"sqlite:///{tmp_path_factory.mktemp('board')}/tasks.db") as running:
        yield running


@SCHEMA.parametrize()
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_request_is_a_server_error(case: schemathesis.Case, service: Service) -> None:
    if case.operation.path in WAITING and not isinstance(case.body, list | str | int | float):
        case.body = (case.body if isinstance(case.body, dict) else {}) | {"wait_s": 0}
        case.media_type = "application/json"
    case.call_and_validate(base_url=service.url, checks=[not_a_server_error])
