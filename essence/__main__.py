"""`python -m essence <service or command>`: finds a name in two tables and imports nothing else."""

from __future__ import annotations

import difflib
import gc
import importlib
import os
import sys

from essence import __version__

SERVICES = {
    "stt": "speech to text over gRPC",
    "tts": "text to speech over gRPC",
    "inference-api": "the language model over gRPC and OpenAI's HTTP API",
    "telegram": "June on Telegram",
    "discord": "June on Discord",
    "agent": "June's agent: works through owners' tasks, with tools",
    "todorama": "June's own task board over MCP and HTTP",
    "message-api": "messages from other services to people, over HTTP",
}
"""Each takes settings, and no options but those of `OPTIONS`."""
OPTIONS = {
    "agent": {
        "--once": "work on one task, if there is one, and end",
        "--iterations N": "work on so many tasks and end",
    }
}
"""What a service takes besides settings; one of them at a time."""
SETTINGS = {
    "stt": "SttService",
    "tts": "TtsService",
    "inference-api": "InferenceApiService",
    "telegram": "TelegramService",
    "discord": "DiscordService",
    "agent": "AgentService",
    "todorama": "TodoramaService",
    "message-api": "MessageApiService",
}
"""Class of each service's settings in `essence.config`."""
COMMANDS = {
    "talk": "answer a voice note: transcribe it, think, speak",
    "listen": "transcribe a file",
    "say": "speak a text into a file",
    "pair": "let in whoever asked June to",
    "message-api-key": "let other services tell people something through the Message API",
    "link": "tell June that two accounts are one person's",
    "create-user-interaction-task": "put a person's message on the task board, and print the task as JSON",
    "tasks": "see and change what is on June's task board",
    "history": "show, export or delete what June keeps of a conversation or a person",
    "engines": "list what can be used here, and what each of the others lacks",
    "download-models": "fetch model files, checked by SHA-256",
    "check-environment": "look at each part June needs, and name the command that mends it",
    "fake-telegram": "play Telegram on this machine, to talk to a bot with no token",
    "fake-discord": "a Discord on this machine, to try a bot without a token",
    "fake-todorama": "play somebody else's task board on this machine, to try agents",
    "benchmark": "measure what June claims about speed",
}


def main(argv: list[str] | None = None) -> int:
    """Run one service or command; the exit code is 0, 1 (it failed), 2 (it was called wrongly) or 130 (Ctrl-C)."""
    try:
        code = _run(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
    except KeyboardInterrupt:  # while modules load; later, whoever runs answers it
        return 130
    except BrokenPipeError:  # whoever reads the output, such as head, has seen enough
        # https://docs.python.org/3/library/signal.html#note-on-sigpipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_help())
        return 0
    if arguments[0] in ("-V", "--version"):
        print(f"june {__version__}")
        return 0
    name, rest = arguments[0], arguments[1:]
    folder = "services" if name in SERVICES else "commands" if name in COMMANDS else None
    if folder is None:
        return _unknown(name)
    if folder == "services" and rest and (name not in OPTIONS or rest[0] in ("-h", "--help")):
        return _service_options(name, rest)
    if folder == "services":
        gc.disable()  # while modules load, which takes 7 % less time so; `lifecycle.observe_process` enables it
    try:
        module = importlib.import_module(f"essence.{folder}.{name.replace('-', '_')}")
        code: int = module.main(rest)
    finally:
        gc.enable()  # where it ended before that
    return code


def _help() -> str:
    width = max(map(len, SERVICES | COMMANDS)) + 2
    lines = ["June, a private voice assistant. Usage: python -m essence <name> [options]", "", "Services:"]
    lines += [f"  {name:<{width}}{line}" for name, line in SERVICES.items()]
    lines += ["", "Commands:"]
    lines += [f"  {name:<{width}}{line}" for name, line in COMMANDS.items()]
    lines += ["", "python -m essence <name> --help tells more of each; --version prints June's version."]
    return "\n".join(lines)


def _service_options(name: str, rest: list[str]) -> int:
    """Tell of a service's settings without importing it, which takes a second or more."""
    if rest[0] not in ("-h", "--help"):
        print(f"{name} takes settings, not options: {rest[0]!r}. See: python -m essence {name} --help", file=sys.stderr)
        return 2
    from essence import config

    options = OPTIONS.get(name, {})
    usage = f"Usage: python -m essence {name}" + (f" [{' | '.join(options)}]" if options else "")
    usage += f"\nServe {SERVICES[name]} until told to stop (SIGTERM or Ctrl-C)."
    usage += "".join(f"\n  {option}  {meaning}" for option, meaning in options.items())
    print(config.help_text(getattr(config, SETTINGS[name]), usage))
    return 0


def _unknown(name: str) -> int:
    near = difflib.get_close_matches(name, SERVICES | COMMANDS, n=1, cutoff=0.4)
    guess = f" Did you mean {near[0]}?" if near else ""
    print(f"There is no {name!r}.{guess} See: python -m essence --help", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
