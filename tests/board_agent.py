"""An agent's process that works on the board over HTTP until there is nothing left: `python -m tests.board_agent`.

It prints `claimed TASK TOKEN` before it works on a task and `completed TASK` after the board has said so.
"""

from __future__ import annotations

import random
import sys
import time

import httpx


def main(url: str, agent_id: str, lease_s: str) -> None:
    with httpx.Client(base_url=url, timeout=60) as http:
        while True:
            asked = {"agent_id": agent_id, "lease_s": float(lease_s), "wait_s": 2 * float(lease_s) + 2}
            claim = http.post("/mcp/claim_next", json=asked).json()
            if claim["task"] is None:
                return
            task_id, token = claim["task"]["id"], claim["lease_token"]
            print(f"claimed {task_id} {token}", flush=True)
            time.sleep(random.choice((0, 0, 0, 0.002, 0.01)))
            done = {"agent_id": agent_id, "task_id": task_id, "lease_token": token}
            if http.post("/mcp/complete_task", json=done).status_code == 200:
                print(f"completed {task_id}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
