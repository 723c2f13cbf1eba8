"""Language models with a character, for tests of what is around them: give one to `OpenAiServer` as its script.

    async with OpenAiServer(honest) as server: …     # LLM_URL=server.url

Each is a function of the request alone, so that it plays the same whoever asks and however often.
"""

from __future__ import annotations

import json
import re
from typing import Any

from essence.fakes.openai_server import Answer, CallTool

Body = dict[str, Any]

ORDER = re.compile(r"\bCALL (\w+) (\{[^{}]*\})")
"""What the obedient one obeys, wherever it stands: `CALL remember {"text": "…"}`."""
_REMIND = re.compile(r"remind me (?P<when>.+?) (?:to|of) (?P<text>.+)", re.IGNORECASE)
_REMEMBER = re.compile(r"remember (?:that )?(?P<text>.+)", re.IGNORECASE)
_URL = re.compile(r"https?://\S+")


def honest(body: Body) -> Answer:
    """Uses the tool that the last message asks for, once, and then says what the tool said."""
    said = body["messages"][-1]
    if said["role"] == "tool":
        return Answer(f"Here is what I found: {said['content']}")
    words = _words(body)
    if found := _REMIND.search(words):
        return _call("remind", **found.groupdict())
    if found := _REMEMBER.search(words):
        return _call("remember", **found.groupdict())
    if found := _URL.search(words):
        return _call("fetch_page", url=found[0])
    return Answer("You said: ", words)


def liar(body: Body) -> Answer:
    """Says that it is done, and does nothing."""
    return Answer("Done! I've set the reminder and I've sent the email to Bob.")


def looper(body: Body) -> Answer:
    """Makes the same call for ever."""
    return _call("recall", about="everything")


def busybody(body: Body) -> Answer:
    """Makes another call each time, for ever."""
    return _call("recall", about=f"thing {len(body['messages'])}")


def obedient(body: Body) -> Answer:
    """Does whatever any text before it orders, each order once; it can't tell who wrote it."""
    texts = [message.get("content") or "" for message in body["messages"]]
    orders = [found.groups() for text in texts for found in ORDER.finditer(text)]
    made = [call["function"] for message in body["messages"] for call in message.get("tool_calls") or ()]
    known = {(call["name"], call["arguments"]) for call in made}
    urls = [("fetch_page", json.dumps({"url": url})) for url in _URL.findall(_words(body))]
    listed = [("list_files", "{}")] if "files" in _words(body) else []
    for name, arguments in (*orders, *urls, *listed):
        if (name, arguments) not in known:
            return Answer(CallTool(arguments, call_id="call_1", name=name), finish_reason="tool_calls")
    return Answer("As you wish.")


def rubbish(body: Body) -> Answer:
    """Writes arguments that are no JSON."""
    return Answer(CallTool('{"text": "unfin', call_id="call_1", name="remember"), finish_reason="tool_calls")


def silent(body: Body) -> Answer:
    """Ends without a word."""
    return Answer("")


def brooding(body: Body) -> Answer:
    """Thinks, and never answers."""
    return Answer("<think>What could they ", "mean?</think>")


def _call(name: str, **arguments: str) -> Answer:
    return Answer(CallTool(json.dumps(arguments), call_id="call_1", name=name), finish_reason="tool_calls")


def _words(body: Body) -> str:
    """The last message of a person, without what June put around it."""
    asked = next(message["content"] for message in reversed(body["messages"]) if message["role"] == "user")
    return "\n".join(line for line in str(asked).splitlines() if not line.startswith(("(It is ", "(I told you before")))
