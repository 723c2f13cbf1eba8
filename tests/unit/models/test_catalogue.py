import re

import pytest

from essence.errors import EngineMissing
from essence.models import CATALOGUE, SETS, Shelf, require

MODELS = list(CATALOGUE.values())
FILES = [(model, edition, file) for model in MODELS for edition in model.editions for file in edition.files]


def test_every_file_is_pinned_by_size_and_sha256():
    for _, _, file in FILES:
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert file.size_bytes > 0


def test_every_model_can_be_had_without_a_hub():
    for model in MODELS:
        assert any(all(file.members for file in edition.files) for edition in model.editions), model.name


def test_an_edition_is_on_the_hub_whole_or_not_at_all():
    for _, edition, file in FILES:
        assert edition.on_hub == bool(edition.hub_revision) == bool(file.hub_path)


def test_an_edition_is_in_packages_whole_or_not_at_all():
    for _, edition, file in FILES:
        assert bool(edition.packages) == bool(file.members)


def test_every_file_has_a_source_and_stays_in_its_folder():
    for _, _, file in FILES:
        assert file.hub_path or file.members
        assert not file.path.startswith("/")
        assert ".." not in file.path


def test_editions_of_a_model_never_share_a_name_and_size_but_for_the_same_bytes():
    for model in MODELS:
        seen = {}
        for edition in model.editions:
            for file in edition.files:
                assert seen.setdefault((file.path, file.size_bytes), file.sha256) == file.sha256


def test_sets_hold_what_the_pipeline_needs_and_tests_hold_everything():
    for name in ("embedded", "tiny"):
        assert [model.name for model in SETS[name]][:2] == ["whisper-base", "en_US-joe-medium"]
        assert set(SETS[name]) <= set(SETS["test"])
    assert set(SETS["test"]) == set(MODELS)


def test_a_model_that_is_not_here_names_the_command_that_fetches_it(tmp_path):
    with pytest.raises(EngineMissing, match="download-models whisper-base"):
        require("whisper-base", tmp_path)
    with pytest.raises(EngineMissing, match="--list"):
        require("nonsense", tmp_path)


@pytest.mark.model
@pytest.mark.parametrize("name", CATALOGUE)
def test_the_files_that_were_fetched_are_those_of_the_catalogue(name):
    from essence import config

    shelf = Shelf(config.read(config.ModelFiles).june_models_dir)
    assert shelf.edition(CATALOGUE[name], rehash=True) is not None
    assert require(name, shelf.root) == shelf.folder(CATALOGUE[name])
