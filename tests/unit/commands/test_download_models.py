import os

import pytest

from essence.commands import download_models
from essence.models import CATALOGUE

WHERE_MODELS_ARE = os.environ.get("JUNE_MODELS_DIR", "")
"""Empty: where they are by default, since an empty variable counts as none."""


@pytest.fixture(autouse=True)
def empty_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("JUNE_MODELS_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("JUNE_OFFLINE", raising=False)


def test_the_list_names_every_model_and_fetches_nothing(capsys, tmp_path):
    assert download_models.main(["--list"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in CATALOGUE)
    assert not list(tmp_path.iterdir())


def test_the_list_fits_a_terminal_of_80_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert download_models.main(["--list"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in CATALOGUE)
    assert "Whisper base for CTranslate2" in shown
    assert "…" not in shown


def test_offline_fails_with_the_names_of_what_lacks(capsys, tmp_path):
    assert download_models.main(["--set", "tiny", "--offline"]) == 1
    said = capsys.readouterr().err
    assert "whisper-base" in said
    assert "smollm2-135m-instruct" in said
    assert not list(tmp_path.iterdir())


def test_the_setting_forbids_fetching_as_the_option_does(capsys, monkeypatch):
    monkeypatch.setenv("JUNE_OFFLINE", "true")
    assert download_models.main(["speech-samples"]) == 1
    assert "speech-samples" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["nonsense"], ["--set", "nonsense"]])
def test_an_unknown_name_is_answered_with_the_known_ones(capsys, arguments):
    assert download_models.main(arguments) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "nonsense" in said
    assert "embedded, tiny, test" in said


def test_help_shows_options_and_settings(capsys):
    assert download_models.main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("--set", "--offline", "--verify", "--list", "JUNE_MODELS_DIR"))


@pytest.mark.model
def test_models_that_are_here_are_verified_and_not_fetched(capsys, monkeypatch):
    monkeypatch.setenv("JUNE_MODELS_DIR", WHERE_MODELS_ARE)
    assert download_models.main(["speech-samples", "--verify", "--offline"]) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "every SHA-256 is right" in said
    assert "1 model is ready" in said
