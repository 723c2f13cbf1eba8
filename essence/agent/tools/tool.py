"""What a tool is: a name, arguments, what it may change, and how it is run."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from essence.agent.job import Job
from essence.dialogue import ToolSpec
from essence.errors import InvalidInput
from essence.work import Request

A = TypeVar("A")
M = TypeVar("M", bound=BaseModel)

Effect = Literal["none", "change", "risk"]
"""`change`: something of the owner's that they can undo. `risk`: the owner is asked each time."""
Kind = Literal["reminder", "memory", "forgetting", "file", "command", "task", "outside"]
"""What an answer may claim to have done."""


class Arguments(BaseModel):
    """What a model passes to a tool; a field that the tool doesn't know is an error that the model reads."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Call:
    """One use of a tool."""

    job: Job
    key: str
    """Idempotency key: the same whenever this use is tried again."""

    @property
    def request(self) -> Request:
        """The owner's message.

        Raises:
            InvalidInput: The task is nobody's message.
        """
        if self.job.request is None:
            raise InvalidInput("This task is nobody's message, so there is nobody to do this for.")
        return self.job.request


@dataclass(frozen=True, slots=True)
class Tool(Generic[A]):
    """Something that a model may call."""

    name: str
    description: str
    parameters: str
    """JSON Schema of the arguments, as JSON text."""
    parse: Callable[[str], A]
    """Arguments from the model's JSON; raises InvalidInput."""
    run: Callable[[Call, A], Awaitable[str]]
    """Does it and returns what the model reads. Raises JuneError where it failed."""
    effect: Effect = "none"
    public: bool = False
    """Shows and changes nothing that is the owner's: anybody's task may use it."""
    proves: frozenset[Kind] = frozenset()
    """What an answer may claim after it succeeded."""
    foreign: bool = False
    """What it answers, also where it fails, holds words of others."""
    described_by_others: bool = False
    """So does its description, which the model reads without a call."""
    repeatable: bool = True
    """To run it a second time with the same key does nothing more; else a run that was broken off is left alone."""
    final: bool = False
    """Its result is a sentence for the owner: where the model is a small one, it is the answer."""

    @property
    def spec(self) -> ToolSpec:
        """As a model is told of it."""
        return ToolSpec(self.name, self.description, self.parameters)


def typed(arguments: type[M]) -> tuple[str, Callable[[str], M]]:
    """Schema and parser of a class of arguments."""
    return _schema(arguments), lambda text: _parsed(arguments, text)


@cache
def _schema(arguments: type[BaseModel]) -> str:
    schema = arguments.model_json_schema()
    for field in schema.get("properties", {}).values():
        field.pop("title", None)
    compact = {name: schema[name] for name in ("type", "properties", "required", "$defs") if name in schema}
    return json.dumps(compact)


def _parsed(arguments: type[M], text: str) -> M:
    try:
        return arguments.model_validate_json(text or "{}")
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "The arguments"
        raise InvalidInput(f"{where}: {first['msg']}. Pass JSON that fits the tool's schema.") from error


AnyTool = Tool[Any]
