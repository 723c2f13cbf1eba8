"""A bare client of the Bot API whose every answer is held to the specification and to aiogram's models."""

from __future__ import annotations

import json
from typing import Any

import aiogram.methods
import httpx
from pydantic import TypeAdapter

from essence.fakes.telegram import TelegramServer
from tests.telegram_spec import problems, spec


class Api:
    """`await api("sendMessage", chat_id=1, text="hi")` returns the result; a refusal raises `ApiRefused`."""

    def __init__(self, telegram: TelegramServer) -> None:
        self._telegram = telegram
        self._client = httpx.AsyncClient(base_url=f"{telegram.base_url}{telegram.token}/", timeout=10, trust_env=False)

    async def __aenter__(self) -> Api:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def __call__(self, method: str, files: dict[str, Any] | None = None, **parameters: Any) -> Any:
        if files:
            form = {name: value if isinstance(value, str) else json.dumps(value) for name, value in parameters.items()}
            answer = await self._client.post(method, data=form, files=files)
        else:
            answer = await self._client.post(method, json=parameters)
        return held_to_the_oracles(method, answer)

    async def download(self, path: str) -> httpx.Response:
        return await self._client.get(f"{self._telegram.base_file_url}{self._telegram.token}/{path}")

    async def say(self, chat_id: int, text: str, **more: Any) -> Any:
        return await self("sendMessage", chat_id=chat_id, text=text, **more)

    async def refusal(self, method: str, files: dict[str, Any] | None = None, **parameters: Any) -> ApiRefused:
        """The refusal that is expected."""
        try:
            result = await self(method, files, **parameters)
        except ApiRefused as refused:
            return refused
        raise AssertionError(f"{method} was not refused: {result}")

    async def updates(self, **parameters: Any) -> list[dict[str, Any]]:
        return await self("getUpdates", **parameters)


class ApiRefused(Exception):
    def __init__(self, answer: httpx.Response) -> None:
        body = answer.json()
        super().__init__(body["description"])
        self.status, self.why, self.body = answer.status_code, body["description"], body


def held_to_the_oracles(method: str, answer: httpx.Response) -> Any:
    body = answer.json()
    assert body["ok"] is (answer.status_code == 200)
    if not body["ok"]:
        assert body["error_code"] == answer.status_code
        assert not problems(body.get("parameters", {}), ["ResponseParameters"])
        raise ApiRefused(answer)
    returns = spec()["methods"][method]["returns"]
    assert problems(body["result"], returns) == []
    model = getattr(aiogram.methods, method[0].upper() + method[1:])
    TypeAdapter(model.__returning__).validate_python(body["result"])
    return body["result"]
