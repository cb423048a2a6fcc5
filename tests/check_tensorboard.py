"""TensorBoard reads what run.tensorboard writes: python check_tensorboard.py BUILD

A small search, stopped and resumed, must give the scalars and histograms of its metrics.jsonl, each step once.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator, HISTOGRAMS, SCALARS

TESTS = pathlib.Path(__file__).resolve().parent


def make_data(folder):
    for name, seed in [(f"data_batch_{i}.bin", i) for i in range(1, 6)] + [("test_batch.bin", 9)]:
        with open(folder / name, "wb") as out:
            subprocess.run(["awk", "-v", "n=60", "-v", f"seed={seed}", "-f", TESTS / "tiny_data.awk"], stdout=out, check=True,
                           env={**os.environ, "LC_ALL": "C"})


def search(spnas, data, out, *more):
    run = subprocess.run([spnas, "search", "--data", data, "--out", out, "--quiet", "--set", "search.space=demo",
                          "--set", "search.proxy_size=16", "--set", "search.epochs=2", "--set", "search.warmup_epochs=0.5",
                          "--set", "search.force=true", "--set", "optim.batch=20", "--set", "run.log_steps=1",
                          "--set", "run.tensorboard=true", "--set", "search.recalibrate=2", "--set", "search.force=true", "--target", "60", *more],
                         env={**os.environ, "SPNAS_DATA": str(TESTS.parent / "data")}, capture_output=True, text=True)
    return run.returncode, run.stderr


def check(spnas, folder):
    data, out = folder / "data", folder / "run"
    data.mkdir()
    make_data(data)
    code, said = search(spnas, data, out, "--set", "run.max_steps=5")
    assert code == 3, f"code {code}, expected 3: {said}"
    code, said = search(spnas, data, out, "--resume", "--set", "run.max_steps=0")
    assert code == 0, f"code {code}: {said}"
    events = EventAccumulator(str(out), size_guidance={SCALARS: 0, HISTOGRAMS: 0}).Reload()
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    compared = 0
    for key in events.Tags()["scalars"]:
        got = [(e.step, e.value) for e in events.Scalars(key)]
        want = [(r["step"], r[key]) for r in rows if key in r]
        assert [s for s, _ in got] == [s for s, _ in want], f"{key}: steps {got}, expected {want}"
        for (step, a), (_, b) in zip(got, want):
            assert b is None or numpy.isclose(a, b, rtol=1e-5, atol=1e-7), f"{key} at step {step}: {a}, expected {b}"
            compared += 1
    for key in events.Tags()["histograms"]:
        for event in events.Histograms(key):
            values = next(r[key] for r in rows if r["step"] == event.step and key in r)
            h = event.histogram_value
            assert h.num == sum(h.bucket) == len(values), f"{key} at step {event.step}: {h.num} values, expected {len(values)}"
            # metrics.jsonl rounds lists to 3 digits and more
            for got, want in ((h.min, min(values)), (h.max, max(values))):
                assert numpy.isclose(got, want, rtol=6e-3, atol=1e-4), f"{key} at step {event.step}: {got}, expected {want}"
            compared += 1
    assert "ce" in events.Tags()["scalars"] and "x" in events.Tags()["histograms"] and compared > 100, compared
    return compared


def main():
    with tempfile.TemporaryDirectory() as folder:
        compared = check(pathlib.Path(sys.argv[1]).resolve() / "spnas", pathlib.Path(folder))
    print(f"TensorBoard: {compared} values as in metrics.jsonl")


if __name__ == "__main__":
    main()
