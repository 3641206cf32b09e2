"""Peak memory of `hf-mri predict` over the number of scans: it should not grow.

    python benchmarks/read_memory.py

Each count runs in a process of its own, over links to one phantom. Prints JSON.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from hf_mri.commands.demo import draw_patient, find_bundle

MEASURE = """
import resource, sys
from hf_mri.commands.app import main
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, file=sys.stderr)
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=str(find_bundle()), help="bundle; by default the project's own")
    parser.add_argument("--counts", type=int, nargs="+", default=[4, 16, 64])
    arguments = parser.parse_args()
    peaks = {}
    with tempfile.TemporaryDirectory() as scratch:
        scan = draw_patient(Path(scratch) / "scan")
        for count in arguments.counts:
            folder = Path(scratch) / f"scans-{count}"
            folder.mkdir()
            for number in range(count):
                (folder / f"patient-{number}").symlink_to(scan)
            command = ["predict", f"{folder}/*", "--model", arguments.model, "--output", f"{scratch}/out-{count}"]
            command = [sys.executable, "-c", MEASURE, *command, "--only", "json,masks"]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            peaks[count] = int(done.stderr.split()[-1])
    first, last = peaks[arguments.counts[0]], peaks[arguments.counts[-1]]
    print(json.dumps({"peak_mib_by_scans": peaks, "ratio": round(last / first, 2)}, indent=1))


if __name__ == "__main__":
    main()
