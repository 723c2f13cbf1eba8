"""Commands run walled in, or not at all."""

import asyncio
from pathlib import Path
from types import SimpleNamespace

import pytest

from essence.agent.tools import command
from essence.agent.tools.command import OUTPUT_MAX_BYTES, PROCESSES_MAX, Sandbox, _process_limits
from essence.errors import EngineError, EngineMissing, InvalidInput, TooSlow


@pytest.fixture
async def sandbox(tmp_path):
    made = Sandbox(tmp_path / "workspace", deadline_s=20)
    try:
        await made.check()
    except EngineMissing as error:
        pytest.skip(str(error))
    return made


async def test_a_command_sees_the_workspace_and_may_write_there(sandbox, tmp_path):
    (tmp_path / "workspace" / "a.txt").write_text("Tea")
    assert await sandbox.run("cat a.txt && echo milk > b.txt") == "Tea"
    assert (tmp_path / "workspace" / "b.txt").read_text() == "milk\n"


async def test_a_command_sees_no_other_file_no_network_and_no_other_process(sandbox, tmp_path, monkeypatch):
    (tmp_path / "secret.txt").write_text("swordfish")
    monkeypatch.setenv("SECRET_TOKEN", "swordfish")
    seen = await sandbox.run(
        f"cat {tmp_path}/secret.txt {Path.cwd()}/pyproject.toml /etc/passwd 2>/dev/null; ls -d /home /root /etc/* "
        "2>/dev/null; env; cat /proc/*/cmdline; grep -a -v lo: /proc/net/dev | tail -n +3; true"
    )
    assert "swordfish" not in seen
    assert "eth" not in seen
    assert "/etc/hostname" not in seen
    assert "pytest\0" not in seen


async def test_a_command_has_a_tmp_of_its_own_and_leaves_nothing_in_the_machine_s(sandbox, tmp_path, monkeypatch):
    (folder := tmp_path / "tmp").mkdir()
    (folder / "secret.txt").touch()
    monkeypatch.setattr(command, "_ENVIRONMENT", command._ENVIRONMENT | {"TMPDIR": str(folder)})
    for _ in range(2):
        assert await sandbox.run("ls -A /tmp; touch /tmp/x") == ""
    assert [path.name for path in folder.iterdir()] == ["secret.txt"]


@pytest.mark.parametrize("way", ["touch /usr/x", "touch /bin/x", "mount -o remount,rw /usr", "mount -t tmpfs x /tmp",
                                 "unshare -Urm mount -o remount,bind,rw /usr"])  # fmt: skip
async def test_a_command_can_t_change_the_system(sandbox, way):
    with pytest.raises(EngineError):
        await sandbox.run(way)


async def test_root_in_the_sandbox_writes_no_setting_of_the_machine(sandbox):
    assert "opened" not in await sandbox.run(
        "for name in kernel/core_pattern kernel/pid_max vm/overcommit_memory; do "
        "(: >> /proc/sys/$name) && echo opened; done 2>/dev/null; true"
    )


@pytest.mark.skipif(_process_limits()[1] == "", reason="the kernel counts no sandbox's processes (before 6.14)")
async def test_a_command_has_only_so_many_processes_at_once(sandbox):
    # The first numbers are used up, as after a while of work.
    used_up = "i=0; while [ $i -lt 500 ]; do /bin/true; i=$((i+1)); done; "
    many = "(i=0; while [ $i -lt 400 ]; do sleep 1 & i=$((i+1)); done) 2>/dev/null; "
    assert 50 < int(await sandbox.run(f"{used_up}{many}set -- /proc/[0-9]*; echo $#")) <= PROCESSES_MAX


async def test_a_bomb_of_processes_fails_and_the_next_command_runs(sandbox):
    with pytest.raises(EngineError):
        await sandbox.run("i=0; while [ $i -lt 1000 ]; do sleep 20 & i=$((i+1)); done")
    assert await sandbox.run("echo fine") == "fine"


async def test_where_memory_runs_out_the_command_is_ended_first(sandbox):
    assert await sandbox.run("cat /proc/self/oom_score_adj; (echo 0 > /proc/self/oom_score_adj) 2>/dev/null; true") == (
        "1000"
    )


@pytest.mark.parametrize(
    ("release", "limits"),
    [
        ("6.18.44-fc-v769", (str(PROCESSES_MAX), "428")),
        ("6.14", (str(PROCESSES_MAX), "428")),
        ("6.8.0-45-generic", (str(PROCESSES_MAX), "")),
        ("5.10.0", ("unlimited", "")),
        ("odd", ("unlimited", "")),
    ],
)
def test_an_older_kernel_is_given_no_limit_that_it_would_take_for_the_machine_s(release, limits, monkeypatch):
    monkeypatch.setattr("os.uname", lambda: SimpleNamespace(release=release))
    assert _process_limits() == limits


async def test_a_command_that_fails_tells_its_status_and_what_it_wrote(sandbox):
    with pytest.raises(EngineError, match=r"status 3.*oh no"):
        await sandbox.run("echo oh no; exit 3")


async def test_a_command_that_runs_too_long_is_ended_with_all_that_it_started(sandbox, tmp_path):
    hasty = Sandbox(tmp_path / "workspace", deadline_s=0.5)
    with pytest.raises(TooSlow):
        await hasty.run("(while true; do echo x >> log; sleep 0.05; done) & sleep 60")
    log = tmp_path / "workspace" / "log"

    def size() -> int:
        return log.stat().st_size if log.exists() else 0

    while (before := size()) != (await asyncio.sleep(0.3), size())[1]:
        assert before < 10_000


async def test_a_command_with_a_zero_character_is_told(sandbox):
    with pytest.raises(InvalidInput):
        await sandbox.run("echo a\0b")


async def test_long_output_is_cut(sandbox):
    assert len(await sandbox.run("yes | head -c 1000000")) <= OUTPUT_MAX_BYTES


async def test_without_the_programs_for_it_no_command_is_offered(tmp_path, monkeypatch):
    monkeypatch.setattr("essence.agent.tools.command._PROGRAMS", ("no-such-program",))
    with pytest.raises(EngineMissing, match="no-such-program"):
        await Sandbox(tmp_path).check()
