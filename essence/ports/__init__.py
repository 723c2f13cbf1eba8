"""The roles that June is made of. Read these pages and you know June.

Every role has near players (an engine in this process), far ones (the same over gRPC or HTTP) and fakes
(`essence.fakes`). Callers can't tell them apart: `tests/contracts` runs one test per role over all of them.

Common to all roles:

- One method each, stream in and stream out. A batch engine yields once, a streaming engine many times.
- Cancelling is closing the iterator (`aclose`, or leaving `contextlib.aclosing`). The player then stops its work.
- Failures are `essence.errors.JuneError`; nothing else is raised but `asyncio.CancelledError`.
- A player is opened by URL: `essence.engines.open_transcriber("faster-whisper:base", settings)` and its like are
  async context managers that load on entry and free on exit; `essence.store.open_store("sqlite:///june.db", settings)`
  gives inbox, outbox and conversations, `essence.tasks.opening.open_board("http://todorama:8004/mcp", …)` a task board.
"""

from essence.ports.channels import Channel, Messenger, Receive
from essence.ports.chat_store import Conversations, Inbox, Outbox, People
from essence.ports.engines import LanguageModel, Synthesizer, Transcriber
from essence.ports.message_store import ApiKeys, Identities, Messages
from essence.ports.store import Store
from essence.ports.tasks import Approvals, Journal, Memories, Reminders, TaskBoard

__all__ = [
    "ApiKeys",
    "Approvals",
    "Channel",
    "Conversations",
    "Identities",
    "Inbox",
    "Journal",
    "LanguageModel",
    "Memories",
    "Messages",
    "Messenger",
    "Outbox",
    "People",
    "Receive",
    "Reminders",
    "Store",
    "Synthesizer",
    "TaskBoard",
    "Transcriber",
]
