"""Does `spnas runs` tell what lies in run folders, whatever lies there? python check_runs.py BUILD_DIR

Runs of every kind and state, of real commands where they are quick, and folders that are broken in every way; what is listed must be what
their files say, and asking must keep no run from beginning.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from check_report import SMALL, SPNAS, make_images

SEARCH = ["--target", "80", *SMALL, "--set", "search.proxy_width=0.25", "--set", "search.space=demo", "--set", "search.force=1"]
TRAIN = ["train", "--arch", "ds_r1_k3_s1_c16", *SMALL, "--set", "train.size=16", "--set", "train.width=0.25"]
os.environ["OMP_WAIT_POLICY"] = "passive"


def spnas(*arguments, code=0):
    run = subprocess.run([SPNAS, *map(str, arguments)], capture_output=True, text=True, timeout=600)
    assert run.returncode == code, f"{arguments}: code {run.returncode}, expected {code}: {run.stderr[-500:]}"
    return run.stdout + run.stderr


def runs(folder):
    """By name."""
    listed = [json.loads(line) for line in spnas("runs", folder, "--json").splitlines()]
    assert [run["run"] for run in listed] == sorted(run["run"] for run in listed), "by path"
    return {run["run"]: run for run in listed}


def bytes_of(folder):
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())


def make_runs(work):
    images = work / "images"
    make_images(images)
    spnas("search", "--data", images, *SEARCH, "--set", "search.epochs=2", "--set", "search.warmup_epochs=1", "--out", work / "runs/found", "--quiet")
    spnas("train", "--arch", work / "runs/found/arch.json", "--data", images, *SMALL, "--set", "train.epochs=2", "--set", "train.variant=proxy", "--out",
          work / "runs/deep/er/trained", "--quiet")
    spnas(*TRAIN, "--data", images, "--set", "train.epochs=4", "--set", "run.max_steps=13", "--set", "run.keep=1", "--out", work / "runs/part",
          "--quiet", code=3)


def check_real(work):
    listed = runs(work / "runs")
    assert set(listed) == {"found", "deep/er/trained", "part"}, listed
    arch, result = (json.loads((work / "runs" / name).read_text()) for name in ("found/arch.json", "deep/er/trained/result.json"))
    found, trained, part = listed["found"], listed["deep/er/trained"], listed["part"]
    wanted = {"state": "done", "kind": "search", "method": "gradient", "space": "demo", "target": "80", "counted": "epochs", "done": 2, "total": 2,
              "predicted": arch["predicted"], "unit": "ms", "top1": arch["inherited_test_top1"], "problem": None, "network": None}
    assert {key: found[key] for key in wanted} == wanted, found
    wanted = {"state": "done", "kind": "train", "network": str(work / "runs/found/arch.json"), "done": 2, "total": 2, "top1": result["test_top1"],
              "predicted": None, "method": None, "problem": None}  # a proxy is not the network of the prediction
    assert {key: trained[key] for key in wanted} == wanted, trained
    wanted = {"state": "stopped", "kind": "train", "network": "ds_r1_k3_s1_c16", "total": 4, "top1": None, "checkpoints": 1}
    assert {key: part[key] for key in wanted} == wanted and 1 < part["done"] < 2, part
    for name, run in listed.items():
        folder = work / "runs" / name
        checkpoints = sorted((folder / "checkpoints").iterdir())
        assert run["bytes"] == bytes_of(folder) and run["checkpoints"] == len(checkpoints), name
        assert run["checkpoint_bytes"] == checkpoints[-1].stat().st_size, name
        newest = max(f.stat().st_mtime for f in folder.rglob("*") if f.is_file())
        assert run["changed"] == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(newest)), name
    text = spnas("runs", work / "runs")
    assert "3 runs below " in text and "train, found" in text and f"{arch['predicted']:.4g} ms" in text and "2 of 4 epochs" not in text, text
    usual = subprocess.run([SPNAS, "runs"], cwd=work, capture_output=True, text=True, check=True).stdout
    assert "3 runs below runs," in usual, usual
    assert list(runs(work / "runs/found")) == ["."]


def check_prediction(work):
    """A training tells the prediction that its weights carry."""
    folder = work / "carrying"
    shutil.copytree(work / "runs/deep/er/trained", folder)
    header = json.dumps({"__metadata__": {"spnas.predicted": "79.5", "spnas.unit": "ms"}}).encode()
    (folder / "best.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    run = runs(folder)["."]
    assert run["predicted"] == 79.5 and run["unit"] == "ms" and run["state"] == "done"
    for wrong in (b"", b"\xff" * 8, b"\xff" * 100, (10**6).to_bytes(8, "little") + b"{", (3).to_bytes(8, "little") + b"[1]"):
        (folder / "best.safetensors").write_bytes(wrong)
        assert runs(folder)["."]["predicted"] is None


def check_running(work):
    """While it runs, and when it has been killed; and who asks all the time keeps nobody from beginning."""
    folder = work / "now"
    command = [SPNAS, *map(str, [*TRAIN, "--data", work / "images", "--set", "train.epochs=100000", "--out", folder / "run"])]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        for _ in range(600):
            listed = runs(folder) if folder.exists() else {}
            if listed and listed["run"]["done"] > 1:
                break
            time.sleep(0.1)
        assert listed["run"]["state"] == "running" and listed["run"]["checkpoints"] >= 1, listed
        process.kill()
    assert runs(folder)["run"]["state"] == "stopped"
    asking = subprocess.Popen(["sh", "-c", 'while :; do "$0" runs "$1"; done', SPNAS, str(folder)], stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        for _ in range(5):
            spnas("train", "--resume", "--out", folder / "run", "--set", "run.max_steps=1", "--quiet", code=3)
    finally:
        os.killpg(asking.pid, signal.SIGKILL)
        asking.wait()


def check_series(work):
    """Of a comparison or sweep the whole, or its runs where they are asked for."""
    folder = work / "series/compared"
    for name in ("search/1-random-60-1", "train/1", "random/60-1"):
        shutil.copytree(work / "runs/found", folder / name)
    (folder / "random/60-1/arch.json").unlink()
    settings = json.loads((work / "runs/found/config.resolved.json").read_text())
    settings["search"]["targets"] = "60,80"
    (folder / "config.resolved.json").write_text(json.dumps(settings))
    (folder / "env.json").write_text('{"command": "compare"}')
    run = runs(work / "series")
    assert list(run) == ["compared"] and run["compared"]["state"] == "stopped", run
    assert (run["compared"]["counted"], run["compared"]["done"], run["compared"]["target"]) == ("runs", 2, "60,80"), run
    assert run["compared"]["bytes"] == bytes_of(folder)
    (folder / "compare.json").write_text("{}")
    assert runs(work / "series")["compared"]["state"] == "done"
    assert list(runs(folder)) == [".", "random/60-1", "search/1-random-60-1", "train/1"]
    (folder / "env.json").write_text('{"command": "sweep"}')
    assert runs(work / "series")["compared"]["state"] == "stopped", "of a sweep, front.json is the end"


def check_broken(work):
    good, folder = work / "runs/found", work / "broken"
    folder.mkdir()

    def copy(name, file, text=None):
        shutil.copytree(good, folder / name)
        at = folder / name / file
        at.unlink(missing_ok=True)
        if text is not None:
            at.write_bytes(text)

    copy("torn-arch", "arch.json", b'{"space": "demo", ')
    copy("no-settings", "config.resolved.json")
    copy("torn-settings", "config.resolved.json", b'{"search": ')
    copy("other-settings", "config.resolved.json", b'{"search": 3, "train": []}')
    copy("no-env", "env.json")
    copy("odd-env", "env.json", b"[1, 2]")
    copy("binary-env", "env.json", bytes(range(256)))
    copy("empty-log", "metrics.jsonl", b"")
    copy("torn-log", "metrics.jsonl", b'{"step": 7, "epoch": 0.5, "ce": 2}\n{"step": 8, "epoch": 0.9')
    copy("odd-log", "metrics.jsonl", b"\n\n" + b"x" * 2_000_000 + b"\n")
    copy("long-arch", "arch.json", b'{"unit": "' + b"m" * 5000 + b'", "predicted": "many", "inherited_test_top1": null}')
    copy("name \t\n\x1b[31m\xff".encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape"), "arch.json")
    (folder / "loop").symlink_to(folder)
    (folder / "torn-arch" / "loop").symlink_to("..")
    (folder / "empty").mkdir()
    (folder / "file").write_text("")
    os.mkfifo(folder / "no-env" / "pipe")
    (folder / "empty" / "checkpoints").mkdir()
    listed = [json.loads(line) for line in spnas("runs", folder, "--json").splitlines()]
    states = {run["run"]: (run["state"], run["problem"] or "") for run in listed}
    assert len(states) == 12, states
    for name, (state, problem) in {
            "torn-arch": ("damaged", "arch.json:1:"), "no-settings": ("damaged", "config.resolved.json is missing"),
            "torn-settings": ("damaged", "config.resolved.json:1:"), "other-settings": ("done", ""), "no-env": ("damaged", "env.json does not say"),
            "odd-env": ("damaged", "env.json does not say"), "binary-env": ("damaged", "env.json"), "empty-log": ("done", ""), "torn-log": ("done", ""),
            "odd-log": ("done", ""), "long-arch": ("done", "")}.items():
        assert states[name][0] == state and states[name][1].startswith(problem), (name, states[name])
    assert {run["run"]: run["done"] for run in listed}["torn-log"] == 0.5
    text = spnas("runs", folder)
    assert "\x1b" not in text and "12 runs below" in text and "torn-arch: arch.json:1:" in text, text
    assert "No such file" in spnas("runs", work / "absent", code=2)
    assert "Not a directory" in spnas("runs", work / "broken/file", code=2)
    assert "0 runs below" in spnas("runs", folder / "empty")


def main():
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        make_runs(work)
        check_real(work)
        check_prediction(work)
        check_running(work)
        check_series(work)
        check_broken(work)
    print("runs are listed as they are")


if __name__ == "__main__":
    main()
