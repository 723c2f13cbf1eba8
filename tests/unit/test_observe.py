"""Logs keep secrets, metrics keep their names."""

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Callable

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from essence import observe
from essence.errors import EngineBusy, Unreachable

TELEGRAM = "123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc"
SECRETS = [
    TELEGRAM,
    f"bot{TELEGRAM}",
    "sk-proj-abcdefghijklmnopqrstuv",
    "nvapi-abcdefghijklmnopqrstuvwxyz",
    "hf_abcdefghijklmnopqrstuvwxyz",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N",
]


Log = Callable[[], pytest.CaptureFixture[str]]


@pytest.fixture(params=["console", "json"])
def start_log(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Log:
    def start() -> pytest.CaptureFixture[str]:
        observe.set_up("test", level="info", log_format=request.param)
        return capsys

    return start


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_known_by_its_shape(start_log: Log, secret: str) -> None:
    log = start_log()
    observe.logger().info("sent", url=f"https://api.example/{secret}/x", nested={"header": [secret]})
    logging.getLogger("some.library").warning("calling %s", secret)
    try:
        raise ValueError(secret)  # noqa: TRY301
    except ValueError:
        observe.logger().exception("failed")
    written = log.readouterr().err
    assert secret.removeprefix("bot") not in written
    assert written.count(observe.REDACTED) >= 3


def test_a_secret_is_known_by_its_key(start_log: Log) -> None:
    log = start_log()
    observe.logger().info("connecting", password="hunter2", llm_api_key="swordfish", headers={"Authorization": "xyzzy"})
    written = log.readouterr().err
    assert not [secret for secret in ("hunter2", "swordfish", "xyzzy") if secret in written]


def test_the_password_of_an_url_is_not_written(start_log: Log) -> None:
    log = start_log()
    observe.logger().info("opening", url="postgresql://june:hunter2@db/june")
    written = log.readouterr().err
    assert "hunter2" not in written
    assert "@db/june" in written


def test_a_number_is_no_secret(start_log: Log) -> None:
    log = start_log()
    observe.logger().info("answered", first_token=0.25)
    assert "0.25" in log.readouterr().err


def test_the_standard_librarys_logs_have_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    observe.set_up("test", log_format="json")
    logging.getLogger("some.library").warning("disk %s", "full")
    entry = json.loads(capsys.readouterr().err)
    assert (entry["event"], entry["level"], entry["service"]) == ("disk full", "warning", "test")


def test_below_its_level_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    observe.set_up("test", level="warning")
    observe.logger().info("quiet")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("library", ["httpx", "httpx2", "openai"])
def test_a_library_that_tells_of_every_request_is_quiet(library: str, capsys: pytest.CaptureFixture[str]) -> None:
    observe.set_up("test", level="info")
    logging.getLogger(library).info("HTTP Request: POST")
    assert capsys.readouterr().err == ""


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_a_stage_is_timed_even_if_it_fails() -> None:
    before = value("june_stage_seconds_count", stage="unit")
    with pytest.raises(EngineBusy), observe.stage("unit") as timer:
        raise EngineBusy("Full.")
    assert value("june_stage_seconds_count", stage="unit") == before + 1
    assert timer.seconds == timer.seconds > 0


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (None, "ok"),
        (EngineBusy("Full."), "engine_busy"),
        (asyncio.CancelledError(), "cancelled"),
        (KeyError(), "internal"),
    ],
)
def test_a_call_is_counted_under_its_outcome(error: BaseException | None, code: str) -> None:
    labels = {"service": "s", "method": "m", "code": code}
    before = value("june_calls_total", **labels)
    try:
        with observe.call("s", "m"):
            assert value("june_calls_in_flight", service="s", method="m") == 1
            if error is not None:
                raise error
    except (EngineBusy, asyncio.CancelledError, KeyError) as raised:
        assert raised is error  # noqa: PT017
    assert value("june_calls_total", **labels) == before + 1
    assert value("june_calls_in_flight", service="s", method="m") == 0


def test_a_lost_peer_is_told_once_and_so_is_its_return() -> None:
    contact, told = observe.Contact("board"), []
    with capture_logs() as logs:
        for trouble in (None, Unreachable("Gone."), Unreachable("Still gone."), None, None):
            contact.notice(trouble)
            told.append((contact.is_lost, value("june_peer_connected", peer="board")))
    assert told == [(False, 1), (True, 0), (True, 0), (False, 1), (False, 1)]
    assert [(log["event"], log["log_level"]) for log in logs] == [("board_lost", "warning"), ("board_back", "info")]


def test_without_a_collector_opentelemetry_is_not_imported_and_nothing_is_sent_along() -> None:
    code = (
        "import sys; from essence import observe; observe.set_up('x')\n"
        "with observe.stage('s'): assert observe.outgoing_context() == {}\n"
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_trace_goes_on_over_the_wire() -> None:
    code = (
        "from essence import observe; observe.set_up('x', otlp_endpoint='http://127.0.0.1:1')\n"
        "from opentelemetry import trace\n"
        "with observe.stage('client'):\n"
        "    headers = observe.outgoing_context()\n"
        "    mine = trace.get_current_span().get_span_context().trace_id\n"
        "with observe.call('s', 'm', headers):\n"
        "    theirs = trace.get_current_span().get_span_context().trace_id\n"
        "import os; print(mine == theirs != 0, 'traceparent' in headers, flush=True); os._exit(0)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.stdout.split() == ["True", "True"], ended.stderr
