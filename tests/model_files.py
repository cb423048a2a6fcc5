"""What the checks of exported files share: every file of a folder, or of what a build's test_export makes."""
import pathlib
import subprocess
import sys
import tempfile


def check_folder(check_model, suffix, folder, tolerance):
    models = sorted(folder.glob(f"*.{suffix}"))
    failed = 0
    for path in models:
        try:
            worst, largest = check_model(path, tolerance)
            print(f"ok   {path.name}: off by {worst:.2e}, logits up to {largest:.2g}")
        except Exception as problem:  # the report goes on with the next model
            failed += 1
            print(f"FAIL {path.name}: {type(problem).__name__} {problem}")
    print(f"{len(models)} models, {failed} failed")
    return 1 if failed or not models else 0


def main(check_model, suffix, tolerance):
    """Arguments: a folder of models, or a build folder; and another tolerance. check_model(path, tolerance) returns the largest
    difference and the largest logit, or raises."""
    folder, tolerance = pathlib.Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else tolerance
    maker = (folder / "test_export").resolve()
    if not maker.is_file():
        return check_folder(check_model, suffix, folder, tolerance)
    with tempfile.TemporaryDirectory() as models:
        subprocess.run([maker, models], check=True)
        return check_folder(check_model, suffix, pathlib.Path(models), tolerance)
