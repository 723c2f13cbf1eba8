"""`fake-discord`: a Discord on this machine, to try a bot without a token; you are one of its people."""

from __future__ import annotations

import asyncio
import mimetypes
import shlex
import sys
import tempfile
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.markup import escape

from essence.agent.watched import watched
from essence.commands import terminal
from essence.commands.terminal import out
from essence.errors import InvalidInput, JuneError

if TYPE_CHECKING:
    from essence.fakes.discord import Channel, Deed, DiscordServer, Person, Post

app = typer.Typer(add_completion=False, rich_markup_mode=None)

VOICE_HZ = 48_000
_KEEP = 1_000
"""Requests and messages that are remembered; a demonstration may run for days."""
_HELP = """\
Type something to say it to the bot, or /command TEXT to use a slash command
(/command name=value where it has several options).
  :voice FILE     send a voice message (any sound file)
  :file FILE      send a file
  :edit TEXT      change what you said last
  :react EMOJI    react to the bot's last message
  :press ID       press a button of the bot's last message
  :mention TEXT   say something that names the bot
  :reply TEXT     answer the bot's last message
  :server NAME    go to a channel of a new server with the bot
  :thread NAME    go to a new thread of that channel
  :back           return to the private conversation
  :drop           cut the bot's connection to the gateway
  :lose           end its session, so that it can't resume
  :429 SECONDS    refuse its next request
  :lost           do its next request and lose the answer
  :help  :quit"""


def main(argv: list[str]) -> int:
    """Run the command; see `--help`."""
    return terminal.run(app, "fake-discord", argv)


@app.command()
def fake_discord(
    port: Annotated[int, typer.Option(help="Where to listen on 127.0.0.1; 0 takes a free port.")] = 8790,
    name: Annotated[str, typer.Option(help="Who you are.")] = "Ann",
) -> None:
    """Start a fake Discord, print how to point a bot at it, and talk to the bot as a person."""
    try:
        asyncio.run(_talk(port, name))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


async def _talk(port: int, name: str) -> None:
    # Here rather than above: `--help` needs none of it.
    from essence.fakes.discord import Deed, DiscordServer

    try:
        server = DiscordServer(port, keep=_KEEP)
    except OSError as error:
        raise InvalidInput(f"Port {port} is taken. Choose another with --port, or 0 for a free one.") from error
    async with server as discord:
        person = discord.user(name)
        screen = Screen(discord, person)
        out.print(_environment(discord, person), markup=False, soft_wrap=True)
        out.print(_HELP, markup=False)
        deeds = asyncio.Queue[Deed]()
        discord.watch(deeds.put_nowait)
        async with watched(screen.watch(deeds)):
            await screen.obey(_lines())


def _environment(discord: DiscordServer, person: Person) -> str:
    return "\n".join(
        (
            "Start June in another terminal. OWNER_ROUTE=chat lets her answer you herself; without it her agent does,",
            "who is a service of its own.",
            f"  export DISCORD_TOKEN={discord.token}",
            f"  export DISCORD_API_URL={discord.api_url}",
            f"  export DISCORD_GATEWAY_URL={discord.gateway_url}",
            f"  export DISCORD_OWNER_USERS={person.user_id}",
            "  export OWNER_ROUTE=chat",
            "  python -m essence discord",
            "",
            "Any other bot on discord.py is pointed here by three lines before it starts:",
            f'  discord.http.Route.BASE = "{discord.api_url}"',
            f'  discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL("{discord.gateway_url}")',
            f'  discord.Asset.BASE = "{discord.cdn_url}"',
            "",
        )
    )


def _lines() -> asyncio.Queue[str | None]:
    """What is typed, line by line, then None. A thread reads: standard input may be a file, which no loop can watch."""
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def read() -> None:
        try:
            for line in sys.stdin:
                loop.call_soon_threadsafe(lines.put_nowait, line.strip())
            loop.call_soon_threadsafe(lines.put_nowait, None)
        except RuntimeError:
            return  # the loop is closed: nobody is interested any more

    threading.Thread(target=read, name="june-fake-discord-stdin", daemon=True).start()
    return lines


class Screen:
    """One person's side of the conversation."""

    def __init__(self, discord: DiscordServer, person: Person) -> None:
        self._discord, self._person = discord, person
        self._where: Channel | None = None
        """None: in private."""
        self._mine: Post | None = None
        self._theirs: Post | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="june-fake-discord-"))
        self._verbs: dict[str, Callable[[str], Awaitable[None]]] = {
            "voice": self._voice,
            "file": self._file,
            "edit": self._edit,
            "react": self._react,
            "press": self._press,
            "server": self._server,
            "thread": self._thread,
            "reply": self._reply,
            "mention": self._mention,
            "back": self._back,
            "drop": self._drop,
            "lose": self._lose,
            "429": self._too_many,
            "lost": self._lost,
            "help": self._help,
        }

    async def obey(self, lines: asyncio.Queue[str | None]) -> None:
        """Do what is typed, until `:quit` or the end."""
        while (line := await lines.get()) is not None and line != ":quit":
            if line:
                await self._do(line)

    async def _do(self, line: str) -> None:
        from essence.fakes.discord import Refused

        try:
            if line.startswith(":"):
                verb, _, rest = line[1:].partition(" ")
                await self._verbs.get(verb, self._help)(rest.strip())
            elif line.startswith("/"):
                await self._command(line[1:])
            else:
                self._mine = await self._person.says(line, self._where)
        except (JuneError, Refused, OSError, ValueError) as error:  # a slip of the person's, told and forgotten
            out.print(f"[red]{type(error).__name__}:[/red] ", end="")
            out.print(str(error), markup=False)

    async def watch(self, deeds: asyncio.Queue[Deed]) -> NoReturn:
        """Print what the bot does, as it does it.

        Raises:
            OSError: What it sent can't be saved.
        """
        while True:
            self.show(await deeds.get())

    def show(self, deed: Deed) -> None:
        """Print what the bot did."""
        match deed.kind:
            case "post" | "edit":
                self._show_message(deed)
            case "react":
                out.print(f"[dim]June reacts with {deed.detail['emoji']}[/dim]")
            case "typing":
                out.print("[dim]June is typing …[/dim]")
            case "delete":
                out.print(f"[dim]June takes back:[/dim] {escape(deed.detail['content'])}")

    def _show_message(self, deed: Deed) -> None:
        from essence.fakes.discord import seen

        post = seen(self._discord.world, deed.detail)
        self._theirs = post
        out.print("[bold]June:[/bold] " if deed.kind == "post" else "[dim]June, changed:[/dim] ", end="")
        out.print(post.text, markup=False, soft_wrap=True)
        for one in post.attachments if deed.kind == "post" else ():
            path = self._folder / f"{post.message_id}-{Path(one.filename).name}"
            path.write_bytes(one.data)
            length = f", {one.duration_s:.1f} s" if one.duration_s is not None else ""
            out.print(f"  [dim]{escape(one.media_type)}{length}:[/dim] {escape(str(path))}", soft_wrap=True)
        for row in post.json["components"]:
            for button in row.get("components", ()):
                out.print(f"  [dim]:press {button.get('custom_id')}[/dim] {escape(str(button.get('label')))}")

    async def _command(self, line: str) -> None:
        name, *words = shlex.split(line)
        await self._person.uses(name, self._options(name, words), self._where)

    def _options(self, name: str, words: list[str]) -> dict[str, str | int]:
        """Words without a name fill the option of a command that has just one."""
        known = {one["name"]: one.get("options", ()) for one in self._discord.commands.offered(None)}
        if len(known.get(name, ())) == 1 and words and "=" not in words[0]:
            return {known[name][0]["name"]: " ".join(words)}
        return dict(_option(word) for word in words)

    async def _voice(self, path: str) -> None:
        from essence.audio import decode, encode_voice

        note = await asyncio.to_thread(lambda: encode_voice(decode(Path(path), rate=VOICE_HZ)))
        self._mine = await self._person.sends_voice(note.data, note.duration_s, note.waveform, self._where)

    async def _file(self, path: str) -> None:
        data = await asyncio.to_thread(Path(path).read_bytes)
        media_type = mimetypes.guess_type(path)[0] or "application/octet-stream"
        self._mine = await self._person.sends_file(data, Path(path).name, media_type, where=self._where)

    async def _edit(self, text: str) -> None:
        if self._mine is None:
            raise InvalidInput("You have said nothing yet.")
        self._mine = await self._person.edits(self._mine, text)

    async def _react(self, emoji: str) -> None:
        await self._person.reacts(self._last(), emoji)

    async def _press(self, custom_id: str) -> None:
        await self._person.presses(self._last(), custom_id)

    def _last(self) -> Post:
        if self._theirs is None:
            raise InvalidInput("The bot has said nothing yet.")
        return self._theirs

    async def _server(self, name: str) -> None:
        guild = self._discord.guild(name or "Home", self._person)
        self._where = guild.channel("general")

    async def _thread(self, name: str) -> None:
        if self._where is None:
            raise InvalidInput("Threads are opened in servers. Type :server first.")
        self._where = await self._person.opens_thread(name or "Plans", self._where)

    async def _reply(self, text: str) -> None:
        from essence.fakes.discord import Channel

        answered = self._last()
        where = Channel(self._discord.world, answered.channel_id)
        self._mine = await self._person.says(text, where, reply_to=answered)

    async def _mention(self, text: str) -> None:
        self._mine = await self._person.says(f"{self._discord.mention} {text}", self._where)

    async def _back(self, _: str) -> None:
        self._where = None

    async def _drop(self, _: str) -> None:
        await self._discord.gateway.drop()

    async def _lose(self, _: str) -> None:
        await self._discord.gateway.invalidate(resumable=False)

    async def _too_many(self, seconds: str) -> None:
        from essence.fakes.discord import TooMany

        self._discord.faults.next(TooMany(float(seconds or 1)))

    async def _lost(self, _: str) -> None:
        from essence.fakes.discord import LostAnswer

        self._discord.faults.next(LostAnswer(), method="POST")

    async def _help(self, _: str) -> None:
        out.print(_HELP, markup=False)


def _option(word: str) -> tuple[str, str | int]:
    name, equals, value = word.partition("=")
    if not equals:
        raise InvalidInput(f"{word!r} is no option; write it as name=value.")
    return name, int(value) if value.isdecimal() else value
