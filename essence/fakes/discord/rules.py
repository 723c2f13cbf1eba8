"""What Discord accepts from a bot as a message, and what it says to the rest.

Limits: Discord's developer documentation, "Create Message", "Uploading Files", "Voice Messages".
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from essence.fakes.discord import messages, payloads, refusals
from essence.fakes.discord.messages import Content
from essence.fakes.discord.refusals import Json, Refused, bad_form
from essence.fakes.discord.world import Upload, World

MAX_CONTENT_CHARS = 2000
_MAX_NONCE_CHARS = 25
_MAX_FILES = 10
_MAX_UPLOAD_BYTES = 10 * 2**20  # without a boosted guild
_MAX_WAVEFORM_CHARS = 400
_MAX_WAVEFORM_POINTS = 256
_MAX_EMBEDS = 10


def new_message(world: World, channel_id: str, body: Json, uploads: Sequence[Upload]) -> Content:
    """Check a `POST` of the bot and say what message it makes.

    Raises:
        Refused: as Discord would.
    """
    channel = world.channel(channel_id)
    if channel["type"] == payloads.DM and channel["recipients"][0]["id"] in world.closed_dms:
        raise Refused(refusals.PERSON_REFUSES)
    files = described(body, uploads)
    flags = int(body.get("flags") or 0)
    if flags & messages.VOICE:
        _check_voice(world, channel_id, body, files)
    _check_content(body)
    content = Content(
        text=body.get("content") or "",
        files=tuple(files),
        flags=flags,
        embeds=tuple(body.get("embeds") or ()),
        components=tuple(body.get("components") or ()),
        stickers=tuple(body.get("sticker_ids") or ()),
        nonce=_nonce(body),
    )
    content = _with_reference(world, channel_id, _with_pings(content, body), body)
    _check_not_empty(content)
    return content


def described(body: Json, uploads: Sequence[Upload]) -> list[Upload]:
    """Files with what `attachments` says of them; a new attachment's `id` is the n of its `files[n]`.

    Raises:
        Refused: too many, too large, or `attachments` points nowhere.
    """
    if len(uploads) > _MAX_FILES:
        raise bad_form("files", "BASE_TYPE_MAX_LENGTH", f"Must be {_MAX_FILES} or fewer in length.")
    if any(len(upload.data) > _MAX_UPLOAD_BYTES for upload in uploads):
        raise Refused(refusals.TOO_LARGE)
    about = {str(one.get("id")): one for one in body.get("attachments") or ()}
    return [_described(upload, about.get(str(n), {})) for n, upload in enumerate(uploads)]


def _described(upload: Upload, about: Json) -> Upload:
    return replace(
        upload,
        filename=about.get("filename") or upload.filename,
        duration_s=about.get("duration_secs"),
        waveform=about.get("waveform"),
        description=about.get("description"),
    )


def _check_voice(world: World, channel_id: str, body: Json, files: list[Upload]) -> None:
    extra = ("content", "embeds", "components", "sticker_ids", "poll")
    if any(body.get(name) for name in extra):
        raise Refused(refusals.VOICE_WITH_EXTRA_CONTENT)
    if len(files) != 1 or not files[0].media_type.startswith("audio/"):
        raise Refused(refusals.VOICE_WITHOUT_SINGLE_ATTACHMENT)
    if files[0].duration_s is None or not files[0].waveform:
        raise Refused(refusals.VOICE_WITHOUT_METADATA)
    if channel_id in world.no_voice:
        raise Refused(refusals.NO_VOICE_HERE)
    _check_waveform(files[0].waveform)


def _check_waveform(waveform: str) -> None:
    field = "attachments.0.waveform"
    if len(waveform) > _MAX_WAVEFORM_CHARS:
        raise bad_form(field, "BASE_TYPE_MAX_LENGTH", f"Must be {_MAX_WAVEFORM_CHARS} or fewer in length.")
    try:
        points = base64.b64decode(waveform, validate=True)
    except binascii.Error as error:
        raise bad_form(field, "BASE_TYPE_BAD_BASE64", "Must be base64.") from error
    if len(points) > _MAX_WAVEFORM_POINTS:
        raise bad_form(field, "BASE_TYPE_MAX_LENGTH", f"Must be {_MAX_WAVEFORM_POINTS} or fewer in length.")


def _check_content(body: Json) -> None:
    text = body.get("content")
    if text is not None and not isinstance(text, str):
        raise bad_form("content", "STRING_TYPE_CONVERT", "Could not interpret as string.")
    if len(text or "") > MAX_CONTENT_CHARS:
        raise bad_form("content", "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_CONTENT_CHARS} or fewer in length.")
    if len(body.get("embeds") or ()) > _MAX_EMBEDS:
        raise bad_form("embeds", "BASE_TYPE_MAX_LENGTH", f"Must be {_MAX_EMBEDS} or fewer in length.")


def _check_not_empty(content: Content) -> None:
    # Discord strips the text before it looks; a message of spaces alone is empty.
    inside: tuple[Any, ...] = (content.files, content.embeds, content.components, content.stickers, content.forwarded)
    if not content.text.strip() and not any(inside):
        raise Refused(refusals.EMPTY_MESSAGE)


def _nonce(body: Json) -> str | int | None:
    nonce = body.get("nonce")
    if nonce is not None and len(str(nonce)) > _MAX_NONCE_CHARS:
        raise bad_form("nonce", "BASE_TYPE_MAX_LENGTH", f"Must be {_MAX_NONCE_CHARS} or fewer in length.")
    return nonce


def _with_pings(content: Content, body: Json) -> Content:
    allowed = body.get("allowed_mentions")
    if allowed is None:
        return content
    people = None if "users" in allowed.get("parse", ()) else tuple(map(str, allowed.get("users", ())))
    return replace(content, pings=people, pings_author=bool(allowed.get("replied_user", False)))


def _with_reference(world: World, channel_id: str, content: Content, body: Json) -> Content:
    reference = body.get("message_reference")
    if reference is None:
        return content
    if channel_id in world.no_history:
        raise Refused(refusals.NO_HISTORY_HERE)
    target = world.messages.get(str(reference.get("channel_id", channel_id)), {}).get(str(reference.get("message_id")))
    if target is None:
        if reference.get("fail_if_not_exists", True):
            raise bad_form("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
        return content
    if reference.get("type", 0) == 1:
        return replace(content, forwarded=target)
    return replace(content, reply_to=target)


def changes(world: World, message: Json, body: Json, uploads: Sequence[Upload]) -> Json:
    """Check a `PATCH` of the bot and say which fields it changes.

    Raises:
        Refused: as Discord would.
    """
    if message["author"]["id"] != world.bot["id"]:
        raise Refused(refusals.NOT_THE_AUTHOR)
    if message["flags"] & messages.VOICE:
        raise Refused(refusals.VOICE_IS_FINAL)
    _check_content(body)
    changed: Json = {}
    if "content" in body:
        changed["content"] = body["content"] or ""
    if "embeds" in body:
        changed["embeds"] = [embed | {"type": "rich"} for embed in body["embeds"] or ()]
    if "components" in body:
        changed["components"] = messages.numbered(body["components"] or ())
    if "attachments" in body or uploads:
        changed["attachments"] = _attachments_after(world, message, body, uploads)
    after = message | changed
    if not after["content"].strip() and not any(after[name] for name in ("attachments", "embeds", "components")):
        raise Refused(refusals.EMPTY_MESSAGE)
    return changed


def _attachments_after(world: World, message: Json, body: Json, uploads: Sequence[Upload]) -> list[Json]:
    named = {str(one.get("id")) for one in body.get("attachments") or ()}
    kept = [one for one in message["attachments"] if "attachments" not in body or one["id"] in named]
    return kept + [world.store_file(message["channel_id"], upload) for upload in described(body, uploads)]


class Nonces:
    """Remembers which message a nonce made, so that `enforce_nonce` makes none twice."""

    _MEMORY_S = 300.0
    """Documentation: "in the past few minutes"."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._made: dict[tuple[str, str], tuple[float, Json]] = {}

    def made(self, channel_id: str, body: Json) -> Json | None:
        """The message that this nonce has made already, if the bot asks to be told."""
        if body.get("nonce") is None or not body.get("enforce_nonce"):
            return None
        at, message = self._made.get((channel_id, str(body["nonce"])), (0.0, {}))
        return message if self._world.now().timestamp() - at < self._MEMORY_S else None

    def remember(self, channel_id: str, message: Json) -> None:
        """Note a message that was made with a nonce."""
        now = self._world.now().timestamp()
        while self._made and now - next(iter(self._made.values()))[0] >= self._MEMORY_S:
            del self._made[next(iter(self._made))]
        self._made[(channel_id, str(message["nonce"]))] = (now, message)
