"""Files from Telegram's servers, read piece by piece so that none grows past its limit."""

from __future__ import annotations

from http import HTTPStatus

from essence.errors import InvalidAudio, NotFound
from essence.services.telegram.api import UPLOAD_S, Api
from essence.services.telegram.refusals import Lost, Refusal

MAX_BYTES = 20 * 2**20  # Bot API, getFile
TOO_LARGE = "Telegram lets bots fetch files up to 20 MB; send it in shorter pieces."


async def fetch(api: Api, file_id: str, *, max_bytes: int) -> bytes:
    """The file.

    Raises:
        InvalidAudio: Larger than `max_bytes`, or than what bots may have.
        NotFound: It is gone.
        Refusal, Lost: As `Api.ask`.
    """
    try:
        file = await api.ask(api.bot.get_file(file_id))
    except Refusal as refusal:
        if refusal.of_size:
            raise InvalidAudio(TOO_LARGE) from refusal
        raise
    check_size(file.file_size, max_bytes)
    if not file.file_path:
        raise NotFound("Telegram has this file no more. Send it again.")
    return await api.ask(_download(api, file.file_path, max_bytes), within_s=UPLOAD_S)


def check_size(size_bytes: int | None, max_bytes: int) -> None:
    """Raise InvalidAudio for what is too large, as far as that is known."""
    if size_bytes is None:
        return
    if size_bytes > MAX_BYTES:
        raise InvalidAudio(TOO_LARGE)
    if size_bytes > max_bytes:
        raise InvalidAudio(f"The file is larger than {max_bytes / 2**20:.3g} MB; send it in shorter pieces.")


async def _download(api: Api, address: str, max_bytes: int) -> bytes:
    data = bytearray()
    try:
        async with api.calls.answer("GET", address) as answer:
            if answer.status == HTTPStatus.NOT_FOUND:
                raise NotFound("Telegram has this file no more. Send it again.")
            if not answer.ok:
                raise Refusal(answer.status, answer.reason or "")
            async for piece in answer.content.iter_any():
                data += piece
                check_size(len(data), max_bytes)
    except Lost as trouble:
        raise Lost(sent=False, slow=trouble.slow) from trouble
    return bytes(data)
