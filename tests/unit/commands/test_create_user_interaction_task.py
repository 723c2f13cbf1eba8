"""What a script sees of `create-user-interaction-task`."""

import asyncio
import json

import pytest

from essence.commands import create_user_interaction_task as command
from essence.config import TaskBoards
from essence.dialogue import Address
from essence.tasks.opening import open_board
from essence.work import request_of

WRITTEN = ["--user-id", "7", "--chat-id", "-100", "--platform", "telegram", "--content", "Water the flowers 🌷"]


@pytest.fixture
def url(monkeypatch, tmp_path) -> str:
    url = f"sqlite:///{tmp_path}/tasks.db"
    monkeypatch.setenv("TASKS_URL", url)
    monkeypatch.setenv("STORE_URL", f"sqlite:///{tmp_path}/june.db")
    monkeypatch.chdir(tmp_path)
    return url


def on_board(url: str, task_id: str):
    async def read():
        async with open_board(url, TaskBoards(_env_file=None)) as board:
            return await board.read(task_id)

    return asyncio.run(read())


def made(capsys) -> dict[str, object]:
    shown = json.loads(capsys.readouterr().out)
    assert shown["success"] is True
    return shown


def test_a_message_becomes_a_task_that_says_where_the_answer_goes(url, capsys):
    more = ["--message-id", "12", "--username", "Ann", "--thread-id", "3", "--spoken", "--language", "en"]
    assert command.main([*WRITTEN, *more]) == 0
    shown = made(capsys)
    request = request_of(on_board(url, shown["task_id"]))
    assert request.address == Address("telegram", "-100", "3")
    assert (request.text, request.name, request.person_id) == ("Water the flowers 🌷", "Ann", "7")
    assert (request.spoken, request.language, request.reply_to_id) == (True, "en", "12")
    assert shown["key"] == "telegram:-100:12"


def test_the_same_message_makes_one_task(url, capsys):
    ids = set()
    for _ in range(3):
        assert command.main([*WRITTEN, "--message-id", "12"]) == 0
        ids.add(made(capsys)["task_id"])
    assert len(ids) == 1


def test_a_message_without_an_id_is_a_new_one_each_time_and_no_reply_to_any(url, capsys):
    ids = set()
    for _ in range(2):
        assert command.main(WRITTEN) == 0
        ids.add(made(capsys)["task_id"])
    assert len(ids) == 2
    assert request_of(on_board(url, ids.pop())).reply_to_id is None


def test_a_project_that_is_not_there_is_told(url, capsys):
    assert command.main([*WRITTEN, "--project-id", "77"]) == 1
    assert "77" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [["--platform", "pigeon"], ["--platform", "grpc"], ["--content", " "]])
def test_what_can_not_be_a_message_is_refused(url, wrong):
    assert command.main([*WRITTEN, *wrong]) == 2


def test_a_board_that_is_not_there_is_told_with_what_to_do(monkeypatch, url, capsys):
    monkeypatch.setenv("TASKS_URL", "http://127.0.0.1:1/mcp")
    assert command.main(WRITTEN) == 1
    assert "TASKS_URL" in capsys.readouterr().err
