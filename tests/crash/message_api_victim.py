"""`message-api` or `telegram` as it kills itself with SIGKILL at one point of a message's way to a person.

Run as `python -m tests.crash.message_api_victim SERVICE POINT`; the point `never` leaves it alive.
"""

from __future__ import annotations

import sys

from tests.crash.victim import OUTBOX, Point, arm

MESSAGES = "essence.store.messages:DurableMessages"
HANDOVER = "essence.services.message_api.handover:Handover"
MESSENGER = "essence.chat.messenger:ChatMessenger"
POINTS = {
    "message-api": {
        "accepted": Point(MESSAGES, "post", "before"),
        "stored": Point(MESSAGES, "post", "after"),
        "claimed": Point(HANDOVER, "_hand_over", "before"),
        "handed over": Point(HANDOVER, "_hand_over", "after"),
        "receipt about to be kept": Point(MESSAGES, "delivered", "before"),
        "receipt kept": Point(MESSAGES, "delivered", "after"),
    },
    "telegram": {
        "asked": Point(MESSENGER, "send", "before"),
        "text about to be kept": Point(OUTBOX, "dispatch", "before", "messenger:"),
        "text sent": Point(OUTBOX, "sent", "before", ":t0"),
        "text's receipt kept": Point(OUTBOX, "sent", "after", ":t0"),
        "about to answer": Point(MESSENGER, "send", "after"),
    },
}
UNKNOWABLE = "text sent"
"""Telegram has the text and June doesn't know; Telegram can't be asked, so June sends it again with a mark."""


if __name__ == "__main__":
    from essence.__main__ import main

    service, point = sys.argv[1:]
    if point != "never":
        arm(POINTS[service][point])
    sys.exit(main([service]))
