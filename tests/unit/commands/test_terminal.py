"""What a person at a terminal sees of `talk`, `listen` and `say` when something is odd; on fake engines."""

import subprocess
import sys
import wave

import pytest
import typer

from essence import __main__ as entry
from essence.commands import listen, say, screen, talk, terminal
from essence.errors import Unreachable


@pytest.fixture(autouse=True)
def fakes(monkeypatch, tmp_path):
    monkeypatch.setenv("STT_URL", "fake:what is it")
    monkeypatch.setenv("LLM_URL", "fake:An answer.")
    monkeypatch.setenv("TTS_URL", "fake:")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def note(tmp_path):
    path = tmp_path / "note.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(bytes(32_000))
    return path


def test_a_closed_standard_input_is_told_in_a_sentence(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", None)
    assert say.main(["-"]) == 1
    assert "Standard input is closed" in capsys.readouterr().err


@pytest.mark.parametrize("text", [b"na\xefve words", "caf\u00e9".encode()])
def test_text_that_is_piped_in_is_spoken_whatever_its_bytes(text, tmp_path):
    done = subprocess.run([sys.executable, "-m", "essence", "say", "-"], input=text, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "speech.ogg").stat().st_size


def test_bytes_that_the_locale_could_not_decode_are_utf_8():
    assert terminal.typed("caf\udcc3\udca9") == "café"
    assert terminal.typed("na\udcefve") == "na\ufffdve"
    assert terminal.typed("naïve 😀") == "naïve 😀"


@pytest.mark.parametrize("command", [say.main, talk.main], ids=["say", "talk"])
@pytest.mark.parametrize("output", ["nowhere/answer.ogg", "."])
def test_an_output_that_cant_be_written_is_refused_before_any_work(command, output, monkeypatch, capsys):
    monkeypatch.setenv("TTS_URL", "nonsense:")  # would be told, if it were read
    text = ["Hello"] if command is say.main else ["--text", "Hello"]
    assert command([*text, "-o", output]) == 2
    assert "folder" in capsys.readouterr().err


def test_an_error_after_some_words_starts_on_a_line_of_its_own(monkeypatch, capsys, tmp_path):
    shown = screen.Screen(tmp_path / "answer.ogg")
    with pytest.raises(Unreachable), shown:
        shown.show(screen.TextDelta("Once upon"))
        raise Unreachable("Gone.")
    assert capsys.readouterr().out == "Once upon\n"


def test_an_answer_ends_with_its_file_whatever_the_name(note, capsys, tmp_path):
    assert talk.main([str(note), "-o", "[bold]a.ogg"]) == 0
    assert "[bold]a.ogg" in capsys.readouterr().out
    assert (tmp_path / "[bold]a.ogg").exists()


def test_a_reason_for_silence_is_shown_as_it_is(capsys, tmp_path):
    screen.Screen(tmp_path / "answer.ogg").show(screen.VoiceFailed(Unreachable("No [/red] voice.")))
    assert "No [/red] voice." in capsys.readouterr().out


def test_a_full_disk_is_told_without_a_file_that_nobody_knows(capsys):
    app = typer.Typer()

    @app.command()
    def fill() -> None:
        raise OSError(28, "No space left on device")

    assert terminal.run(app, "fill", []) == 1
    assert capsys.readouterr().err == "file_error: No space left on device\n"


def test_ctrl_c_while_modules_load_leaves_no_traceback(monkeypatch, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("importlib.import_module", interrupted)
    assert entry.main(["stt"]) == 130
    assert capsys.readouterr().err == ""


def test_a_reader_that_has_seen_enough_gets_no_traceback():
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m essence talk --help | true"], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""


def test_a_transcript_is_whole_on_its_line(note, capsys):
    assert listen.main([str(note)]) == 0
    assert capsys.readouterr().out == "what is it\n"
