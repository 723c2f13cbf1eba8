import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from essence.__main__ import main
from essence.commands.fake_discord import Screen
from essence.config import DiscordService
from essence.fakes.discord import DiscordServer

NOTE = Path(__file__).parents[3] / "demo/question.ogg"


@pytest.fixture
async def discord() -> AsyncIterator[DiscordServer]:
    async with DiscordServer() as server:
        yield server


@pytest.fixture
def ann(discord):
    return discord.user("Ann")


async def typed(screen: Screen, *lines: str) -> None:
    queue = asyncio.Queue[str | None]()
    for line in (*lines, None):
        queue.put_nowait(line)
    await screen.obey(queue)


async def post(discord: DiscordServer, channel_id: str, body: dict) -> int:
    headers = {"Authorization": f"Bot {discord.token}"}
    url = f"{discord.api_url}/channels/{channel_id}/messages"
    async with aiohttp.ClientSession() as session, session.post(url, json=body, headers=headers) as answer:
        return answer.status


async def test_what_is_typed_is_said_and_can_be_changed(discord, ann):
    await typed(Screen(discord, ann), "hello", "", ":edit hello June", ":quit", "too late")
    assert [post.text for post in ann.dm.posts()] == ["hello June"]


async def test_a_sound_file_is_sent_as_a_voice_message(discord, ann):
    await typed(Screen(discord, ann), f":voice {NOTE}")
    note = ann.dm.posts()[0]
    assert note.is_voice
    assert 2 < note.attachments[0].duration_s < 4
    assert any(note.attachments[0].waveform)


async def test_what_the_bot_says_is_shown(discord, ann, capsys):
    screen = Screen(discord, ann)
    discord.watch(screen.show)
    button = {"type": 2, "style": 1, "label": "Yes [b]", "custom_id": "yes"}
    await post(
        discord, ann.dm.channel_id, {"content": "fine [/b]", "components": [{"type": 1, "components": [button]}]}
    )
    shown = capsys.readouterr().out
    assert "June: fine [/b]" in shown
    assert ":press yes Yes [b]" in shown


async def test_a_fault_that_was_asked_for_meets_the_next_request(discord, ann):
    await typed(Screen(discord, ann), ":429 2")
    assert await post(discord, ann.dm.channel_id, {"content": "x"}) == 429
    assert await post(discord, ann.dm.channel_id, {"content": "x"}) == 200


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/unknown", "Unknown application command"),
        ("/unknown word", "name=value"),
        ('/unbalanced "', "No closing quotation"),
        (":voice /nothing.ogg", "There is no file"),
        (":file /nothing", "No such file"),
        (":edit x", "said nothing yet"),
        (":thread x", "Type :server first"),
        (":reply x", "The bot has said nothing yet"),
        (":press x", "The bot has said nothing yet"),
        (":429 soon", "soon"),
        (":nonsense", ":quit"),
    ],
)
async def test_a_slip_is_told_and_the_talk_goes_on(discord, ann, capsys, line, said):
    await typed(Screen(discord, ann), line, "hello")
    assert said in capsys.readouterr().out.replace("\n", " ")
    assert [post.text for post in ann.dm.posts()] == ["hello"]


async def test_the_words_after_a_command_fill_its_only_option(discord, ann):
    option = {"type": 3, "name": "text", "description": "What to say."}
    url = f"{discord.api_url}/applications/{discord.world.application_id}/commands"
    body = {"name": "echo", "description": "Says it.", "options": [option]}
    async with aiohttp.ClientSession(headers={"Authorization": f"Bot {discord.token}"}) as session:
        await session.post(url, json=body)
    heard = []
    discord.world.listeners.append(heard.append)
    await typed(Screen(discord, ann), "/echo well said", "/echo text=short", "/echo")
    options = [event.data["data"].get("options", []) for event in heard]
    assert [[one["value"] for one in given] for given in options] == [["well said"], ["short"], []]


async def test_a_person_talks_in_a_server_and_its_thread_and_comes_back(discord, ann):
    heard = []
    discord.world.listeners.append(lambda event: heard.append(event.data) if event.name == "MESSAGE_CREATE" else None)
    await typed(Screen(discord, ann), ":server Home", ":mention hello", ":thread Plans", "in here", ":back", "alone")
    first, second, third = heard
    assert (first["content"], "guild_id" in first) == (f"{discord.mention} hello", True)
    assert discord.world.channels[second["channel_id"]]["parent_id"] == first["channel_id"]
    assert third["channel_id"] == ann.dm.channel_id


async def test_a_reply_goes_to_where_the_bots_last_message_is(discord, ann):
    screen = Screen(discord, ann)
    discord.watch(screen.show)
    await post(discord, ann.dm.channel_id, {"content": "what is up?"})
    await typed(screen, ":server Home", ":reply not much")
    question, answer = ann.dm.posts()
    assert answer.json["message_reference"]["message_id"] == question.message_id


def test_the_command_prints_what_june_is_started_with_and_ends_with_its_input():
    command = [sys.executable, "-m", "essence", "fake-discord", "--port", "0"]
    done = subprocess.run(command, input="hello\n", capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "discord.http.Route.BASE" in done.stdout
    printed = [line.split()[1].partition("=") for line in done.stdout.splitlines() if "export" in line]
    settings = DiscordService.model_validate({name.lower(): value for name, _, value in printed})
    assert settings.discord_api_url.startswith("http://127.0.0.1:")
    assert settings.discord_gateway_url.startswith("ws://127.0.0.1:")
    assert settings.discord_owner_users.isdecimal()
    assert settings.discord_token


async def test_what_can_t_be_saved_ends_the_window_with_its_reason(tmp_path):
    command, pipe = [sys.executable, "-m", "essence", "fake-discord", "--port", "0"], asyncio.subprocess.PIPE
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment)
    printed = {}
    while "DISCORD_OWNER_USERS" not in printed:
        name, _, value = (await process.stdout.readline()).decode().strip().removeprefix("export ").partition("=")
        printed[name] = value
    (folder,) = tmp_path.glob("june-fake-discord-*")
    folder.rmdir()
    headers, api = {"Authorization": f"Bot {printed['DISCORD_TOKEN']}"}, printed["DISCORD_API_URL"]
    async with aiohttp.ClientSession(headers=headers) as session:
        asked = {"recipient_id": printed["DISCORD_OWNER_USERS"]}
        async with session.post(f"{api}/users/@me/channels", json=asked) as answer:
            channel_id = (await answer.json())["id"]
        with aiohttp.MultipartWriter("form-data") as form:
            form.append(b"abc").set_content_disposition("form-data", name="files[0]", filename="a.txt")
            async with session.post(f"{api}/channels/{channel_id}/messages", data=form) as answer:
                assert answer.status == 200
    async with asyncio.timeout(30):
        told = (await process.stderr.read()).decode()
        assert await process.wait() == 1
    assert f"No such file or directory: {folder}" in told


def test_a_port_that_is_taken_is_told_with_what_to_do(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["fake-discord", "--port", str(port)]) == 1
    assert f"Port {port} is taken. Choose another with --port" in capsys.readouterr().err


def test_without_aiohttp_the_command_says_what_to_install():
    script = (
        "import sys; sys.modules['aiohttp'] = None; from essence.__main__ import main; sys.exit(main(['fake-discord']))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "pip install 'june-assistant[discord]'" in done.stderr
