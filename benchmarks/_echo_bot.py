"""The peer: a bare bot on python-telegram-bot that sends back what it gets.

`python -m benchmarks._echo_bot TOKEN URL`
"""

from __future__ import annotations

import sys
import warnings

from telegram import Update
from telegram.ext import Application, ApplicationBuilder, MessageHandler, filters

POOL = 64
"""Connections, as June's own channel has them."""


async def echo(update: Update, _: object) -> None:
    """Text for text, the same file for a voice message."""
    message = update.effective_message
    assert message is not None
    if message.voice:
        file = await message.voice.get_file()
        await message.reply_voice(bytes(await file.download_as_bytearray()))
    else:
        await message.reply_text(message.text or "")


def main(token: str, url: str) -> None:
    """Run until terminated."""
    builder = ApplicationBuilder().token(token).base_url(f"{url}/bot").base_file_url(f"{url}/file/bot")
    app: Application = builder.concurrent_updates(POOL).connection_pool_size(POOL).pool_timeout(60.0).build()
    app.add_handler(MessageHandler(filters.TEXT | filters.VOICE, echo))
    app.run_polling(timeout=20)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(sys.argv[1], sys.argv[2])
