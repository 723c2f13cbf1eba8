import json
import socket

import pytest

from essence.commands import check_environment, engines
from essence.engines import ENGINES


@pytest.fixture(autouse=True)
def surroundings(monkeypatch, tmp_path):
    """No model files; engines that need none; a terminal wide enough for a part and what was found on one line."""
    monkeypatch.setenv("JUNE_MODELS_DIR", str(tmp_path))
    monkeypatch.setattr("essence.commands.terminal.out.width", 400, raising=False)
    monkeypatch.setattr("essence.commands.terminal.out._width", 400)
    monkeypatch.setattr(check_environment, "_gpu", lambda: check_environment.Finding("GPU", "ok", "none"))


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def far(monkeypatch, port: int) -> None:
    monkeypatch.setenv("STT_URL", f"grpc://127.0.0.1:{port}")
    monkeypatch.setenv("TTS_URL", f"grpc://127.0.0.1:{port}")
    monkeypatch.setenv("LLM_URL", f"http://127.0.0.1:{port}/v1")


def test_engines_that_answer_are_enough(capsys, monkeypatch, listener):
    far(monkeypatch, listener)
    assert check_environment.main([]) == 0
    assert "June can answer a voice note here" in capsys.readouterr().out


def test_a_far_engine_at_whose_address_nobody_is_fails_the_check(capsys, monkeypatch, listener):
    far(monkeypatch, listener)
    monkeypatch.setenv("LLM_URL", "http://127.0.0.1:9/v1")
    assert check_environment.main([]) == 1
    shown = capsys.readouterr().out
    assert "nobody answers" in shown
    assert "can't answer a voice note here yet: llm" in shown


def test_one_engine_that_works_makes_up_for_another_that_does_not(monkeypatch, listener):
    far(monkeypatch, listener)
    monkeypatch.setenv("TTS_URL", f"grpc://127.0.0.1:9,grpc://127.0.0.1:{listener}")
    assert check_environment.main([]) == 0


def test_a_missing_model_names_the_command_that_fetches_it(capsys, monkeypatch, listener):
    far(monkeypatch, listener)
    monkeypatch.setenv("STT_URL", "faster-whisper:base")
    assert check_environment.main([]) == 1
    assert "python -m essence download-models whisper-base" in capsys.readouterr().out


def test_an_engine_that_nobody_knows_is_answered_with_those_that_are_known(capsys, monkeypatch, listener):
    far(monkeypatch, listener)
    monkeypatch.setenv("STT_URL", "nonsense:base")
    assert check_environment.main([]) == 1
    assert "set STT_URL to one of faster-whisper" in capsys.readouterr().out


def test_an_address_that_is_none_is_told_and_not_raised(capsys, monkeypatch, listener):
    far(monkeypatch, listener)
    monkeypatch.setenv("LLM_URL", "http://127.0.0.1:99999/v1")
    assert check_environment.main([]) == 1
    assert "not an address" in capsys.readouterr().out


def test_a_port_in_use_is_noted_and_forbids_nothing(capsys, monkeypatch, listener):
    far(monkeypatch, listener)
    monkeypatch.setenv("STT_GRPC_PORT", str(listener))
    assert check_environment.main([]) == 0
    assert f"{listener} in use" in capsys.readouterr().out


def test_a_library_that_is_there_but_does_not_load_is_told(monkeypatch, tmp_path):
    (tmp_path / "broken_library.py").write_text("raise ImportError('libsomething.so: no such file')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    engine = engines.Engine("stt", "broken", "a:b", "", libraries=("broken_library",))
    assert check_environment._import(engine) == "does not load: ImportError: libsomething.so: no such file"


def test_a_system_library_that_lacks_names_the_system_s_package(capsys, monkeypatch, listener):
    far(monkeypatch, listener)
    monkeypatch.setenv("LLM_URL", "llamacpp:qwen2.5-coder-0.5b-instruct")
    lack = "does not load: ImportError: libgomp.so.1: cannot open shared object file"
    monkeypatch.setattr(check_environment, "_import", lambda _: lack)
    assert check_environment.main([]) == 1
    assert "apt-get install libgomp1" in capsys.readouterr().out


def test_every_engine_is_listed_with_what_it_lacks(capsys):
    assert engines.main(["--json"]) == 0
    lines = json.loads(capsys.readouterr().out)
    assert len(lines) == len(ENGINES)
    whisper = next(line for line in lines if line["url"] == "faster-whisper:")
    assert not whisper["usable"]
    assert "model whisper-base" in whisper["lacks"]
    assert "python -m essence download-models whisper-base" in whisper["mend"]


def test_the_table_of_engines_shows_the_command_that_mends(capsys):
    assert engines.main([]) == 0
    assert "download-models whisper-base" in capsys.readouterr().out


def test_a_missing_library_names_the_extra_that_brings_it(monkeypatch, tmp_path, capsys):
    absent = engines.Engine("tts", "absent", "a:b", "", extra="absent", libraries=("june_has_no_such_library",))
    monkeypatch.setattr(engines, "ENGINES", (absent,))
    assert engines.main([]) == 0
    assert "pip install 'june-assistant[absent]'" in capsys.readouterr().out
