"""An agent that can be killed: claims a task of the board at argv[1] with the store at argv[2], says so, and hangs.

With a third argument it completes the task, and hangs where the board does.
"""

import asyncio
import sys

from tests.far_boards import far_board


async def work(url: str, store_url: str, *, completes: bool) -> None:
    async with far_board(url, store_url) as board:
        claim = await board.claim("a", lease_s=60.0, wait_s=30.0)
        print(claim.task.task_id, flush=True)
        if completes:
            await board.complete(claim, "fed")
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(work(*sys.argv[1:3], completes=len(sys.argv) > 3))
