"""Time to ready and peak memory of each service process, and the time of a warm demo against its limit."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from benchmarks._table import show

SERVICES = {"stt": "STT", "tts": "TTS", "inference-api": "LLM"}
"""Each with the first part of its port settings."""
ROOT = Path(__file__).parents[1]


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def peak_mb(pid: int) -> float:
    """Peak resident memory of a process and its children, in MB (from /proc/PID/status, VmHWM)."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    status = Path(f"/proc/{pid}/status").read_text()
    own_kb = int(status.split("VmHWM:")[1].split()[0])
    return own_kb / 1024 + sum(peak_mb(int(child)) for child in children)


def is_ready(port: int) -> bool:
    """Whether the service says so."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def measure(service: str, prefix: str) -> tuple[str, ...]:
    """Start a service, wait until it is ready, stop it."""
    port = free_port()
    ports = {f"{prefix}_GRPC_PORT": str(free_port()), f"{prefix}_HTTP_PORT": str(port), "LOG_LEVEL": "error"}
    start = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "essence", service], env=os.environ | ports)  # noqa: S603
    try:
        while not is_ready(port):
            if process.poll() is not None or time.monotonic() - start > 60:
                raise SystemExit(f"{service} did not become ready")
            time.sleep(0.02)
        ready_s, memory_mb = time.monotonic() - start, peak_mb(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(20)
    return service, f"{ready_s:.2f} s", f"{memory_mb:.0f} MB", f"exit {code}"


def demo_s() -> float:
    """Seconds of `scripts/demo.sh` when all is set up."""
    start = time.monotonic()
    subprocess.run([ROOT / "scripts" / "demo.sh"], check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    return time.monotonic() - start


def main() -> None:
    """Print the figures."""
    rows = [measure(service, prefix) for service, prefix in SERVICES.items()]
    show("Services, embedded models", ("service", "ready after", "peak memory", "SIGTERM"), rows)
    demo_s()
    runs = sorted(demo_s() for _ in range(3))
    show("scripts/demo.sh, warm", ("median", "worst", "limit"), [(f"{runs[1]:.1f} s", f"{runs[2]:.1f} s", "12 s")])


if __name__ == "__main__":
    main()
