"""Every op and ten training steps against PyTorch as it is installed: python check_parity.py BUILD_DIR

Makes the vectors of test_parity anew, with other seeds than the committed ones, and has test_parity compare them.
"""
import pathlib
import subprocess
import sys
import tempfile

import make_parity_vectors

SEEDS = (2, 3, 4)


def main():
    program = (pathlib.Path(sys.argv[1]) / "test_parity").resolve()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in SEEDS:
            path = pathlib.Path(folder) / f"{seed}.safetensors"
            make_parity_vectors.make(path, seed)
            failed += subprocess.run([program, path]).returncode != 0
    print(f"{len(SEEDS) - failed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
