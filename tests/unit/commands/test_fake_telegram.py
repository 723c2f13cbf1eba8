"""The command as a person uses it: a process of its own, typed to."""

import asyncio
import socket
import sys
from pathlib import Path

import pytest
from telegram import Bot

from essence.__main__ import main
from essence.audio import Pcm, encode_voice


async def line_with(output: asyncio.StreamReader, words: str) -> str:
    async with asyncio.timeout(30):
        while True:
            line = (await output.readline()).decode()
            assert line, f"ended before it printed {words!r}"
            if words in line:
                return line.strip()


OGG = encode_voice([Pcm(bytes(48_000), 48_000)]).data


async def started(folder: Path) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "essence", "fake-telegram", "--port", "0", "--folder", str(folder)]
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)


async def test_a_person_talks_to_a_bot_in_the_terminal(tmp_path):
    ogg, folder = OGG, tmp_path / "not" / "there yet"
    (tmp_path / "in.ogg").write_bytes(ogg)
    process = await started(folder)
    token = (await line_with(process.stdout, "TELEGRAM_TOKEN=")).partition("=")[2]
    url = (await line_with(process.stdout, "TELEGRAM_API_URL=")).partition("=")[2]
    async with Bot(token, base_url=f"{url}/bot", base_file_url=f"{url}/file/bot") as bot:
        process.stdin.write(f"hello bot\n:voice {tmp_path}/in.ogg\n:voice nowhere.ogg\n".encode())
        text, voice = await two_updates(bot)
        assert text.message.text == "hello bot"
        assert await (await voice.message.voice.get_file()).download_as_bytearray() == ogg
        await bot.send_message(text.message.chat.id, "hello [human]")
        assert await line_with(process.stdout, "June:") == "June: hello [human]"
        sent = await bot.send_voice(text.message.chat.id, ogg, caption="spoken", filename="a.ogg")
        assert await line_with(process.stdout, "June:") == "June: spoken"
        await line_with(process.stdout, "voice message:")
        assert (folder / f"{sent.message_id}-a.ogg").read_bytes() == ogg
    process.stdin.write(b":quit\n")
    await process.communicate()
    assert process.returncode == 0


async def test_what_can_t_be_saved_ends_the_window_with_its_reason(tmp_path):
    process = await started(tmp_path / "folder")
    token = (await line_with(process.stdout, "TELEGRAM_TOKEN=")).partition("=")[2]
    url = (await line_with(process.stdout, "TELEGRAM_API_URL=")).partition("=")[2]
    person = (await line_with(process.stdout, "TELEGRAM_OWNER_USERS=")).partition("=")[2]
    (tmp_path / "folder").rmdir()
    async with Bot(token, base_url=f"{url}/bot", base_file_url=f"{url}/file/bot") as bot:
        sent = await bot.send_voice(int(person), OGG, filename="a.ogg")
    async with asyncio.timeout(30):
        told = await process.stderr.read()
        assert await process.wait() == 1
    assert f"No such file or directory: {tmp_path}/folder/{sent.message_id}-a.ogg" in told.decode()


async def two_updates(bot: Bot):
    updates = await bot.get_updates(timeout=10)
    return updates if len(updates) == 2 else [*updates, *await bot.get_updates(updates[0].update_id + 1, timeout=10)]


def test_a_port_that_is_taken_is_told_with_what_to_do(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["fake-telegram", "--port", str(port)]) == 1
    assert f"Port {port} is taken. Choose another with --port" in capsys.readouterr().err


def test_help_tells_what_the_command_is_for(capsys):
    assert main(["fake-telegram", "--help"]) == 0
    assert "talk to it here" in capsys.readouterr().out


@pytest.mark.parametrize("port", ["99999", "x"])
def test_a_port_that_is_none_is_a_wrong_call(port):
    assert main(["fake-telegram", "--port", port]) == 2
