"""The agent's real process, with a real store, board and gRPC around it: killed, stopped, counted."""

import asyncio
import os
import signal
import sys
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from essence.config import StoreSettings, TaskBoards
from essence.fakes import characters
from essence.fakes.messenger import MemoryMessenger
from essence.fakes.openai_server import Answer, CallTool, OpenAiServer, Wait
from essence.ports import TaskBoard
from essence.ports.handing_over import hand_over
from essence.rpc.server import CHANNEL, Limits, RpcServer
from essence.services import agent
from essence.store import open_store
from essence.tasks.opening import open_board
from tests.agent_house import ASKED
from tests.service_log import events, until_ready

REMEMBER = CallTool('{"text": "The bike is blue."}', call_id="c", name="remember")
SLOW = 30.0


def remembers(*, wait_first: float = 0.0, wait_last: float = 0.0):
    """Remembers that the bike is blue, then says so; waits before the one or the other."""

    def character(body) -> Answer:
        if body["messages"][-1]["role"] == "tool":
            return Answer(Wait(wait_last), "I've remembered that.")
        return Answer(Wait(wait_first), REMEMBER, finish_reason="tool_calls")

    return character


@dataclass
class Outside:
    """What the agent's process talks to, and the process's environment."""

    folder: Path
    server: OpenAiServer
    messenger: MemoryMessenger
    board: TaskBoard
    channel_url: str

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "STORE_URL": f"sqlite:///{self.folder}/june.db",
            "TASKS_URL": f"sqlite:///{self.folder}/tasks.db",
            "LLM_URL": self.server.url,
            "AGENT_TELEGRAM_URL": self.channel_url,
            "AGENT_DISCORD_URL": self.channel_url,
            "AGENT_WORKSPACE": str(self.folder / "workspace"),
            "AGENT_ID": "june",
            "AGENT_LEASE_S": "3",
            "AGENT_HTTP_PORT": "0",
            "AGENT_TIME_ZONE": "Europe/Berlin",
            "TELEGRAM_OWNER_USERS": "1",
            "LLM_MODEL": "small",
            "LOG_FORMAT": "json",
        }

    async def start(self, *options: str, log: Path | None = None, **settings: str) -> asyncio.subprocess.Process:
        """Its log goes into a file, or to where the tests' own goes."""
        command = (sys.executable, "-m", "essence", "agent", *options)
        environment = self.environment | settings
        with ExitStack() as stack:
            into = stack.enter_context(log.open("wb")) if log else None
            return await asyncio.create_subprocess_exec(*command, env=environment, cwd=self.folder, stderr=into)

    async def ask(self, number: int = 10) -> str:
        request = replace(ASKED, text="Remember that the bike is blue", message_id=str(number))
        async with open_store(f"sqlite:///{self.folder}/june.db", StoreSettings()) as store:
            return await hand_over(request, store.journal, self.board, project_id="1")

    async def ended(self, task_id: str) -> str:
        while (task := await self.board.read(task_id)).status not in ("complete", "dead"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        return task.status

    @property
    def answers(self) -> list[str]:
        return [sent.text for sent in self.messenger.sent if sent.key.endswith(":answer")]

    async def memories(self) -> list[str]:
        async with open_store(f"sqlite:///{self.folder}/june.db", StoreSettings()) as store:
            return [memory.text for memory in await store.memories.all("telegram", "1")]


@asynccontextmanager
async def outside(folder: Path, character, messenger: MemoryMessenger | None = None):
    messenger = messenger or MemoryMessenger()
    rpc = RpcServer(CHANNEL, Limits(2**20, 16, 60))
    port = await rpc.start("127.0.0.1", 0)
    await rpc.serve(messenger)
    async with (
        OpenAiServer(character) as server,
        open_board(f"sqlite:///{folder}/tasks.db", TaskBoards()) as board,
    ):
        yield Outside(folder, server, messenger, board, f"grpc://127.0.0.1:{port}")
    await rpc.stop(0.0)


async def kill(process: asyncio.subprocess.Process) -> None:
    process.send_signal(signal.SIGKILL)
    await process.wait()


async def test_once_works_on_one_task_and_ends(tmp_path):
    async with outside(tmp_path, remembers()) as there:
        first, second = await there.ask(1), await there.ask(2)
        process = await there.start("--once")
        assert await process.wait() == 0
        assert there.answers == ["I've remembered that."]
        assert sorted([(await there.board.read(task)).status for task in (first, second)]) == ["available", "complete"]


async def test_once_ends_where_there_is_no_work_and_no_model_is_asked(tmp_path):
    async with outside(tmp_path, remembers()) as there:
        assert await (await there.start("--once")).wait() == 0
        assert there.server.calls == []


async def test_once_takes_nothing_from_the_agent_that_is_at_work_beside_it(tmp_path):
    async with outside(tmp_path, remembers(wait_first=3.0)) as there:
        task = await there.ask()
        process = await there.start(log=tmp_path / "june.log", AGENT_LEASE_S="60")
        await there.server.called.wait()
        assert await (await there.start("--once")).wait() == 0
        assert await there.ended(task) == "complete"
        await kill(process)
        assert there.answers == ["I've remembered that."]
        assert "claim_lost" not in events(tmp_path / "june.log")
        assert len(there.server.calls) == 2


async def test_it_ends_after_as_many_tasks_as_it_was_told(tmp_path):
    async with outside(tmp_path, characters.honest) as there:
        tasks = [await there.ask(number) for number in range(5)]
        assert await (await there.start("--iterations", "3")).wait() == 0
        statuses = [(await there.board.read(task)).status for task in tasks]
        assert sorted(statuses) == ["available"] * 2 + ["complete"] * 3
        assert len(there.answers) == 3


@pytest.mark.parametrize("moment", ["the model is asked", "the tool was used"])
async def test_killed_at_any_moment_it_goes_on_and_answers_once(tmp_path, moment):
    at_first = moment == "the model is asked"
    waits = {"wait_first": SLOW} if at_first else {"wait_last": SLOW}
    async with outside(tmp_path, remembers(**waits)) as there:
        task = await there.ask()
        process = await there.start()
        calls = 1 if at_first else 2
        while len(there.server.calls) < calls:  # noqa: ASYNC110 - it rings for the first alone
            await asyncio.sleep(0.05)
        await kill(process)
        there.server._scripts = (remembers(),)
        process = await there.start("--iterations", "1")
        assert await there.ended(task) == "complete"
        assert await process.wait() == 0
        assert there.answers == ["I've remembered that."]
        assert await there.memories() == ["The bike is blue."]
        # What the killed one was told is not asked for again.
        assert len(there.server.calls) == 3


async def test_killed_while_it_delivers_it_delivers_again_and_asks_no_model(tmp_path):
    arrived, release = asyncio.Event(), asyncio.Event()

    class Slow(MemoryMessenger):
        async def send(self, to, text, **rest):
            if rest["key"].endswith(":answer") and not release.is_set():
                arrived.set()
                await release.wait()
            return await super().send(to, text, **rest)

    async with outside(tmp_path, remembers(), Slow()) as there:
        task = await there.ask()
        process = await there.start()
        await arrived.wait()
        await kill(process)
        release.set()
        process = await there.start("--iterations", "1")
        assert await there.ended(task) == "complete"
        assert await process.wait() == 0
        assert there.answers == ["I've remembered that."]
        assert len(there.server.calls) == 2


async def test_stopped_it_finishes_what_it_has_begun(tmp_path):
    async with outside(tmp_path, remembers(wait_last=1.0)) as there:
        task = await there.ask()
        process = await there.start()
        await there.server.called.wait()
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
        assert (await there.board.read(task)).status == "complete"
        assert there.answers == ["I've remembered that."]


async def test_several_agents_answer_each_message_once(tmp_path):
    async with outside(tmp_path, characters.honest) as there:
        tasks = [await there.ask(number) for number in range(12)]
        logs = [tmp_path / f"june-{number}.log" for number in range(2)]
        processes = [await there.start(log=log, AGENT_ID=log.stem) for log in logs]
        for task in tasks:
            assert await there.ended(task) == "complete"
        for process, log in zip(processes, logs, strict=True):
            await until_ready(log)
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
        assert len(there.answers) == len(tasks)


@pytest.mark.parametrize("count", ["0", "-1", "many"])
def test_a_number_of_tasks_that_is_none_is_told(capsys, count):
    with pytest.raises(SystemExit) as left:
        agent.main(["--iterations", count])
    assert left.value.code == 2
    assert f"{count} is no number of tasks. Write 1 or more" in capsys.readouterr().err


async def test_a_wrong_option_is_told(tmp_path):
    async with outside(tmp_path, characters.honest) as there:
        assert await (await there.start("--twice")).wait() == 2


@pytest.mark.parametrize(("setting", "value"), [("AGENT_TIME_ZONE", "Nowhere/Land"), ("STORE_URL", "memory://")])
async def test_a_setting_that_can_not_be_used_is_told(tmp_path, setting, value):
    async with outside(tmp_path, characters.honest) as there:
        command = (sys.executable, "-m", "essence", "agent", "--once")
        process = await asyncio.create_subprocess_exec(
            *command, env=there.environment | {setting: value}, cwd=tmp_path, stderr=asyncio.subprocess.PIPE
        )
        _, told = await process.communicate()
        assert process.returncode == 1
        assert setting in told.decode()
        assert value in told.decode()
