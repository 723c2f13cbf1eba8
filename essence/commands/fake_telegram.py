"""`fake-telegram`: a Telegram of one's own, to talk to a bot as a user with no token and no account."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from essence.agent.watched import watched
from essence.commands import terminal
from essence.commands.terminal import out
from essence.errors import InvalidInput

if TYPE_CHECKING:
    from essence.fakes.telegram import Message, Place, TelegramServer, User

app = typer.Typer(add_completion=False, rich_markup_mode=None)
HELP = """\
Write what you say. What you tell this window begins with a colon:
  :voice FILE    send a voice message (Ogg/Opus)
  :audio FILE    send a sound file
  :press N       tap button N of the last message that has buttons
  :edit TEXT     change your last text
  :group TITLE   go into a group with the bot; :back returns to the private chat
  :quit          leave"""


def main(argv: list[str]) -> int:
    """Run the command; see `--help`."""
    return terminal.run(app, "fake-telegram", argv)


@app.command()
def fake_telegram(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on this machine; 0 takes a free one.")] = 8081,
    name: Annotated[str, typer.Option(help="Your first name.")] = "Ann",
    folder: Annotated[Path | None, typer.Option(help="Where the bot's voice messages and files are saved.")] = None,
) -> None:
    """Play Telegram for one bot on this machine, and talk to it here."""
    folder = folder or Path(tempfile.mkdtemp(prefix="fake-telegram-"))
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(_serve(port, name, folder))


async def _serve(port: int, name: str, folder: Path) -> None:
    # Here rather than above: `fake-telegram --help` needs none of it.
    from essence.fakes.telegram import TelegramServer

    try:
        server = TelegramServer(port=port)
    except OSError as error:
        raise InvalidInput(f"Port {port} is taken. Choose another with --port, or 0 for a free one.") from error
    async with server as telegram:
        user = telegram.user(name)
        out.print(_environment(telegram, user), markup=False, soft_wrap=True)
        out.print(HELP, markup=False)
        window = Window(telegram, user, folder)
        async with watched(window.watch()):
            await window.listen()


def _environment(telegram: TelegramServer, user: User) -> str:
    return "\n".join(
        (
            "Start June in another terminal:",
            f"  export TELEGRAM_TOKEN={telegram.token}",
            f"  export TELEGRAM_API_URL={telegram.url}",
            f"  export TELEGRAM_OWNER_USERS={user.person.user_id}",
            "  python -m essence telegram",
            "",
            "Any other bot on python-telegram-bot is pointed here by",
            f'  base_url="{telegram.base_url}" base_file_url="{telegram.base_file_url}"',
            "",
        )
    )


class Window:
    """What a person sees of the chats, and does in them."""

    def __init__(self, telegram: TelegramServer, user: User, folder: Path) -> None:
        self._telegram, self._user, self._folder = telegram, user, folder
        self._place: Place = user.chat
        self._places = [user.chat]
        self._shown: dict[tuple[int, int], int] = {}
        self._said: Message | None = None

    async def listen(self) -> None:
        """Do what the person types, until they leave."""
        async for line in _lines():
            if line == ":quit":
                return
            try:
                await self._do(line)
            except OSError as error:
                out.print(f"{error.filename} can't be read: {error.strerror}.", markup=False)
            except (LookupError, ValueError):  # a slip of the person's: a number, a word
                out.print("That can't be done here. A colon alone shows what can.", markup=False)

    async def _do(self, line: str) -> None:
        command, _, rest = line.partition(" ")
        match command:
            case ":voice":
                await self._user.sends_voice(await asyncio.to_thread(Path(rest).read_bytes), to=self._place)
            case ":audio":
                await self._user.sends_audio(
                    await asyncio.to_thread(Path(rest).read_bytes), name=Path(rest).name, to=self._place
                )
            case ":press":
                await self._press(int(rest or "1") - 1)
            case ":edit" if self._said is not None:
                await self._user.edits(self._said, rest)
            case ":group":
                self._place = self._telegram.group(rest or "Friends", self._user)
                self._places.append(self._place)
            case ":back":
                self._place = self._user.chat
            case _ if command.startswith(":"):
                out.print(HELP, markup=False)
            case _ if line.strip():
                self._said = await self._user.says(line, to=self._place)

    async def _press(self, number: int) -> None:
        message = [answer for answer in self._place.answers if answer.buttons][-1]
        await self._user.presses(message, number)

    async def watch(self) -> NoReturn:
        """Print what the bot says, as it says it.

        Raises:
            OSError: What it sent can't be saved.
        """
        while True:
            await self._place.until(self._show_news, timeout_s=float("inf"))

    def _show_news(self) -> bool:
        news = [
            answer
            for place in self._places
            for answer in place.answers
            if self._shown.get((answer.chat.chat_id, answer.message_id), 0) < len(answer.versions)
        ]
        for answer in news:
            self._show(answer)
        return bool(news)

    def _show(self, answer: Message) -> None:
        key = (answer.chat.chat_id, answer.message_id)
        first = key not in self._shown
        self._shown[key] = len(answer.versions)
        where = f"{answer.chat.title}, " if answer.chat.kind != "private" else ""
        out.print(f"{where}{answer.sender.first_name}{':' if first else ' (edited):'} {answer.text}", markup=False)
        for number, button in enumerate(answer.buttons, 1):
            out.print(f"  [{number}] {button['text']}", markup=False)
        if first and answer.file is not None:
            path = self._folder / f"{answer.message_id}-{Path(answer.file.name).name}"
            path.write_bytes(answer.file.data)
            out.print(f"  {'voice message' if answer.voice else 'file'}: {path}", markup=False, soft_wrap=True)


async def _lines() -> AsyncIterator[str]:
    """What is typed, line by line. A thread of its own waits for it: one that can be left behind at the end."""
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[str]()

    def read() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(queue.put_nowait, line)
        loop.call_soon_threadsafe(queue.put_nowait, "")

    threading.Thread(target=read, daemon=True).start()
    while line := await queue.get():
        yield line.rstrip("\n")
