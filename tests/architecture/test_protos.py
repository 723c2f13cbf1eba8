"""The committed gRPC code is what the protocols make."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
V1 = ROOT / "essence" / "rpc" / "v1"


def test_the_generated_code_is_up_to_date(tmp_path: Path) -> None:
    subprocess.run(
        ["sh", "scripts/generate-protos.sh", str(tmp_path)], cwd=ROOT, check=True, env={"PYTHON": sys.executable}
    )
    made = {path.name: path.read_text() for path in (tmp_path / "essence" / "rpc" / "v1").iterdir()}
    kept = {path.name: path.read_text() for path in V1.glob("*_pb2*.py*")}
    assert made.keys() == kept.keys(), "Run scripts/generate-protos.sh"
    assert [name for name in made if made[name] != kept[name]] == [], "Run scripts/generate-protos.sh"
