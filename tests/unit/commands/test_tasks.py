"""What a person at a terminal sees of `tasks`."""

import asyncio

import pytest

from essence.commands import tasks
from essence.config import BoardSettings
from essence.tasks.arguments import ClaimNext, FailTask
from essence.tasks.board import open_own
from tests.todorama_service import running_service


@pytest.fixture(autouse=True)
def board_file(monkeypatch, tmp_path):
    path = tmp_path / "tasks.db"
    monkeypatch.setenv("TODORAMA_URL", f"sqlite:///{path}")
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.chdir(tmp_path)
    return path


def failed_for_good(path, error):
    async def fail():
        async with open_own(f"sqlite:///{path}", BoardSettings()) as board:
            await board.ask("claim_next", ClaimNext(), "agent")
            await board.ask("fail_task", FailTask(task_id=1, error=error, final=True), "agent")

    asyncio.run(fail())


def claimed(path, agent_id="mcpc"):
    async def claim():
        async with open_own(f"sqlite:///{path}", BoardSettings()) as board:
            await board.ask("claim_next", ClaimNext(), agent_id)

    asyncio.run(claim())


def said(capsys, *argv):
    assert tasks.main(list(argv)) == 0
    return capsys.readouterr().out


def test_a_task_is_added_listed_shown_and_done(capsys):
    assert "Task 1 is on the board." in said(capsys, "add", "Paint the door", "--priority", "high")
    assert "Paint the door" in said(capsys, "list")
    said(capsys, "done", "1", "--notes", "blue")
    shown = said(capsys, "show", "1")
    assert "task status: complete" in shown
    assert "notes: blue" in shown
    assert "owner  completed" in shown
    assert "There are no such tasks." in said(capsys, "list", "--status", "available")


def test_what_an_agent_wrote_commands_no_terminal(capsys, board_file):
    said(capsys, "add", "Paint [red]the\x1b[31m door")
    failed_for_good(board_file, "\x1b[2J[bold]gone")
    for argv in (["show", "1"], ["list"], ["tail", "--once"]):
        assert "\x1b" not in said(capsys, *argv)
    assert "[bold]gone" in said(capsys, "show", "1")


def test_a_dead_task_is_tried_again(capsys, board_file):
    said(capsys, "add", "Paint")
    failed_for_good(board_file, "no paint")
    assert "dead" in said(capsys, "list")
    said(capsys, "retry", "1")
    assert "available" in said(capsys, "list")


def test_a_cancelled_task_can_be_brought_back(capsys):
    said(capsys, "add", "Paint")
    assert "tasks retry 1" in said(capsys, "cancel", "1", "--reason", "no door")
    assert "cancelled" in said(capsys, "list")
    said(capsys, "retry", "1")


def test_tail_shows_what_happened_in_order(capsys):
    said(capsys, "add", "Paint")
    said(capsys, "done", "1")
    shown = said(capsys, "tail", "--once")
    assert shown.index("created") < shown.index("locked") < shown.index("completed")


def test_a_board_is_copied_and_put_back(capsys):
    said(capsys, "add", "first")
    said(capsys, "backup", "copy.db")
    said(capsys, "add", "second")
    assert "before-restore" in said(capsys, "restore", "copy.db")
    assert "second" not in said(capsys, "list")
    assert tasks.main(["backup", "copy.db"]) == 2


def test_a_board_that_runs_is_not_restored(capsys, board_file):
    said(capsys, "add", "first")
    said(capsys, "backup", "copy.db")
    with running_service(f"sqlite:///{board_file}"):
        assert tasks.main(["restore", "copy.db"]) == 1
        assert "Stop the board first" in capsys.readouterr().err
        assert not list(board_file.parent.glob("*before-restore*"))
    assert "before-restore" in said(capsys, "restore", "copy.db")


def test_a_board_that_was_killed_is_restored(capsys, board_file):
    said(capsys, "add", "first")
    said(capsys, "backup", "copy.db")
    with running_service(f"sqlite:///{board_file}") as board:
        board.process.kill()
        board.process.wait()
    assert "before-restore" in said(capsys, "restore", "copy.db")


def test_what_an_agent_is_at_can_t_be_done_meanwhile(capsys, board_file):
    said(capsys, "add", "Paint")
    claimed(board_file)
    assert tasks.main(["done", "1"]) == 1
    told = capsys.readouterr().err
    assert "Task 1 is being worked on by mcpc." in told
    assert "python -m essence tasks cancel 1" in told


def test_what_is_done_already_is_told_as_the_board_tells_it(capsys):
    said(capsys, "add", "Paint")
    said(capsys, "done", "1")
    assert tasks.main(["done", "1"]) == 1
    assert "your own work" in capsys.readouterr().err


def test_a_person_may_have_done_what_agents_failed_at(capsys, board_file):
    said(capsys, "add", "Paint")
    failed_for_good(board_file, "no paint")
    assert "Task 1 is done." in said(capsys, "done", "1", "--notes", "blue")
    shown = said(capsys, "show", "1")
    assert "task status: complete" in shown
    assert "notes: blue" in shown


def test_a_person_may_have_done_what_was_cancelled(capsys):
    said(capsys, "add", "Paint")
    said(capsys, "cancel", "1")
    said(capsys, "done", "1")
    assert "task status: complete" in said(capsys, "show", "1")


def test_what_has_ended_is_listed_last(capsys, board_file):
    for title in ("dropped", "finished", "begun"):
        said(capsys, "add", title, "--priority", "critical")
    said(capsys, "cancel", "1")
    said(capsys, "done", "2")
    claimed(board_file)
    said(capsys, "add", "later")
    said(capsys, "add", "sooner", "--priority", "high")
    lines = said(capsys, "list").splitlines()[1:]
    assert [line.split()[-1] for line in lines] == ["begun", "sooner", "later", "finished", "dropped"]
    shown = said(capsys, "list", "--limit", "2")
    assert "later" not in shown
    assert "There are more." in shown
    assert "There are more." not in said(capsys, "list", "--limit", "5")


def test_on_a_narrow_terminal_the_title_has_room(capsys, board_file, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    said(capsys, "add", "Answer telegram:10000001:5")
    claimed(board_file, "june@a-machine-with-a-long-name")
    assert "Answer telegram:10000001:5" in said(capsys, "list")


@pytest.mark.parametrize("argv", [["show", "9"], ["done", "9"], ["retry", "9"], ["cancel", "9"]])
def test_a_task_that_is_not_there_is_told(capsys, argv):
    said(capsys, "add", "Paint")
    assert tasks.main(argv) == 1
    assert "Task 9 not found" in capsys.readouterr().err


def test_looking_makes_no_board(capsys, board_file):
    assert tasks.main(["list"]) == 1
    assert "python -m essence tasks add" in capsys.readouterr().err
    assert not board_file.exists()


def test_another_process_s_memory_can_t_be_looked_into(capsys, monkeypatch):
    monkeypatch.setenv("TODORAMA_URL", "memory://")
    assert tasks.main(["list"]) == 1
    assert "TODORAMA_URL" in capsys.readouterr().err
