"""The embedded model, for real: thirty owner's messages, each to its tool and none into silence."""

import pytest

from benchmarks._owner_messages import MESSAGES, desk
from essence.config import LlmEngine
from essence.engines import open_language_model

pytestmark = [pytest.mark.model, pytest.mark.timeout(900)]

EMBEDDED = "llamacpp:qwen2.5-coder-0.5b-instruct"


async def test_thirty_messages_go_to_the_right_tool_and_none_ends_in_silence(capsys):
    async with open_language_model(EMBEDDED, LlmEngine()) as model, desk(model, likely_only=True) as here:
        await here.tell()
        outcomes = [await here.put(number, message) for number, message in enumerate(MESSAGES)]
    with_tools = [outcome for outcome in outcomes if outcome.message.tool is not None]
    to_the_right_tool = sum(outcome.right for outcome in with_tools)
    with capsys.disabled():
        print(f"\n{to_the_right_tool} of {len(with_tools)} to the right tool with the right arguments", end="")
        print(f", {sum(outcome.right for outcome in outcomes)} of {len(outcomes)} right in all")
    assert [outcome.message.text for outcome in outcomes if not outcome.answer.strip()] == []
    # The model's knowledge is its own; what June adds is that tools are used rightly.
    assert to_the_right_tool >= len(with_tools) - 2
    assert not [outcome for outcome in outcomes if outcome.message.tool is None and outcome.tools]
