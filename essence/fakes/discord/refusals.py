"""How Discord says no: HTTP status, its own error code, a sentence, and for bad forms the field that was wrong.

Codes and sentences: Discord's developer documentation, "Opcodes and Status Codes", section JSON error codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
"""A JSON object as it stands on Discord's wire."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One way to be refused."""

    status: int
    code: int
    message: str


class Refused(Exception):
    """Becomes an error answer of the REST API."""

    def __init__(self, reason: Reason, errors: Json | None = None) -> None:
        """`errors` is nested like the form: {"content": {"_errors": [{"code": …, "message": …}]}}."""
        super().__init__(f"{reason.code} {reason.message}")
        self.reason, self.errors = reason, errors

    @property
    def body(self) -> Json:
        """What stands in the answer."""
        said: Json = {"message": self.reason.message, "code": self.reason.code}
        return said | ({"errors": self.errors} if self.errors else {})


def bad_form(field: str, code: str, message: str) -> Refused:
    """50035 for one field. `field` is a path such as "attachments.0.waveform"."""
    errors: Json = {"_errors": [{"code": code, "message": message}]}
    for name in reversed(field.split(".")):
        errors = {name: errors}
    return Refused(Reason(400, 50035, "Invalid Form Body"), errors)


UNAUTHORIZED = Reason(401, 0, "401: Unauthorized")
NO_SUCH_ROUTE = Reason(404, 0, "404: Not Found")
UNKNOWN_CHANNEL = Reason(404, 10003, "Unknown Channel")
UNKNOWN_GUILD = Reason(404, 10004, "Unknown Guild")
UNKNOWN_MESSAGE = Reason(404, 10008, "Unknown Message")
UNKNOWN_USER = Reason(404, 10013, "Unknown User")
UNKNOWN_EMOJI = Reason(400, 10014, "Unknown Emoji")
UNKNOWN_WEBHOOK = Reason(404, 10015, "Unknown Webhook")
UNKNOWN_INTERACTION = Reason(404, 10062, "Unknown interaction")
UNKNOWN_COMMAND = Reason(404, 10063, "Unknown application command")
TOO_MANY_COMMANDS = Reason(400, 30032, "Maximum number of application commands reached (100).")
ALREADY_ACKNOWLEDGED = Reason(400, 40060, "Interaction has already been acknowledged.")
TOO_LARGE = Reason(413, 40005, "Request entity too large")
MISSING_ACCESS = Reason(403, 50001, "Missing Access")
NOT_IN_A_DM = Reason(403, 50003, "Cannot execute action on a DM channel")
NOT_THE_AUTHOR = Reason(403, 50005, "Cannot edit a message authored by another user")
EMPTY_MESSAGE = Reason(400, 50006, "Cannot send an empty message")
PERSON_REFUSES = Reason(403, 50007, "Cannot send messages to this user")
MISSING_PERMISSIONS = Reason(403, 50013, "Missing Permissions")
EXPIRED_TOKEN = Reason(401, 50027, "Invalid Webhook Token")
NOT_JSON = Reason(400, 50109, "The request body contains invalid JSON.")
VOICE_WITH_EXTRA_CONTENT = Reason(400, 50159, "Voice messages do not support additional content.")
VOICE_WITHOUT_SINGLE_ATTACHMENT = Reason(400, 50160, "Voice messages must have a single audio attachment.")
VOICE_WITHOUT_METADATA = Reason(400, 50161, "Voice messages must have supporting metadata.")
VOICE_IS_FINAL = Reason(400, 50162, "Voice messages cannot be edited.")
NO_VOICE_HERE = Reason(400, 50173, "You cannot send voice messages in this channel.")
NO_HISTORY_HERE = Reason(400, 160002, "Cannot reply without permission to read message history")
THREAD_EXISTS = Reason(400, 160004, "A thread has already been created for this message")
