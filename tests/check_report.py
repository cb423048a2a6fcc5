"""Does a run's page show what the run's files say? python check_report.py BUILD_DIR

Makes runs of every kind (gradient search, search of a table, training, one that was stopped), writes their pages, and compares every
figure in them with the run's files; checks that a page is whole HTML, asks for nothing outside of itself and stays below 3 MB, that
names which look like HTML stay text, and that broken files are named. Where a Chromium is installed the pages are opened in it: no error,
and in every plot as many marks as the data have.
"""
import html.parser
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

DATA = pathlib.Path(__file__).resolve().parent.parent / "data"
SPNAS = str(pathlib.Path(sys.argv[1]).resolve() / "spnas")
os.environ["SPNAS_DATA"] = str(DATA)
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
LIMIT = 3_000_000
EVIL = "</script><b>&amp;\"'"
VOID = {"meta", "link", "br", "img", "hr", "input"}
MAX_ROWS = 1000


def spnas(*arguments, code=0):
    run = subprocess.run([SPNAS, *map(str, arguments)], capture_output=True, text=True, timeout=600)
    assert run.returncode == code, f"{arguments}: code {run.returncode}, expected {code}: {run.stderr[-500:]}"
    return run.stdout + run.stderr


def make_images(folder):
    """A CIFAR-10 binary set whose classes differ in brightness."""
    noise = random.Random(1)
    folder.mkdir()
    for name, count in [*((f"data_batch_{i}.bin", 60) for i in range(1, 6)), ("test_batch.bin", 40)]:
        rows = b"".join(bytes([i % 10]) + bytes(min(255, 20 * (i % 10) + b % 50) for b in noise.randbytes(3072)) for i in range(count))
        (folder / name).write_bytes(rows)


class Page(html.parser.HTMLParser):
    """Tags that open and close properly; the text of scripts; attributes; text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.scripts, self.links, self.text = [], [], [], ""
        self.feed(text)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.links += [v for k, v in attributes if k in ("src", "href", "action", "data-src") and v]
        if tag in VOID:
            return
        self.open.append(tag)
        if tag == "script":
            self.scripts.append((dict(attributes), ""))

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts[-1] = (self.scripts[-1][0], self.scripts[-1][1] + data)
        else:
            self.text += data


def page_data(path):
    text = path.read_text()
    assert len(text) < LIMIT, f"{path}: {len(text)} bytes"
    page = Page(text)
    assert [link for link in page.links if not link.startswith("data:")] == [], page.links
    styles = text[text.index("<style>"):text.index("</style>")]
    assert "url(" not in styles and "@import" not in styles
    attributes, data = page.scripts[0]
    assert attributes == {"type": "application/json", "id": "data"}
    own = page.scripts[-1][1]
    assert not re.search(r"fetch\(|XMLHttpRequest|import\(|innerHTML|insertAdjacentHTML|document\.write", own), "the page's own script"
    return json.loads(data)


def rows_of(path, wanted):
    if not path.exists():
        return []
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [row for row in rows if wanted(row)]


def check_rows(shown, rows, what):
    """A page's rows are the file's, each one as it is but for lists left out; thinned evenly, ends kept."""
    assert shown["count"] == len(rows), f"{what}: {shown['count']} rows, the file has {len(rows)}"
    assert len(shown["rows"]) == min(len(rows), MAX_ROWS), what
    if not rows:
        return
    key = "step" if "step" in rows[0] else "evaluation"
    by = {row[key]: row for row in rows}
    for row in shown["rows"]:
        full = by[row[key]]
        assert all(full[k] == v for k, v in row.items()), f"{what}: {row}"
        assert {k for k, v in full.items() if not isinstance(v, (list, str))} <= row.keys(), f"{what}: {row}"
    assert shown["rows"][0][key] == rows[0][key] and shown["rows"][-1][key] == rows[-1][key], what


def check_data(folder, data):
    for name in ("config.resolved.json", "arch.json", "env.json", "result.json"):
        file = folder / name
        assert data["files"][name] == (json.loads(file.read_text()) if file.exists() else None), name
    metrics = folder / "metrics.jsonl"
    check_rows(data["steps"], rows_of(metrics, lambda r: "epoch_end" not in r), "steps")
    check_rows(data["epochs"], rows_of(metrics, lambda r: "epoch_end" in r), "epochs")
    check_rows(data["evaluations"], rows_of(folder / "archive.jsonl", lambda r: "evaluation" in r), "evaluations")


def check_network(data):
    """What the page computes adds up to what the search wrote."""
    network, arch = data["network"], data["files"]["arch.json"]
    assert network["params"] == arch["params"] and network["macs"] == arch["macs"]
    total = network["rest"] + sum(layer["cost"] for layer in network["layers"])
    assert abs(total - arch["predicted"]) < 1e-9 and abs(network["cost"] - arch["predicted"]) < 1e-9
    for layer, decision in zip(network["layers"], arch["decisions"]):
        assert layer["skipped"] == (not decision["keep"]), layer
        assert layer["skipped"] or (layer["kernel"], layer["expand"]) == (decision["kernel"], decision["expand"]), layer
    space = data["space"]
    assert all(space["cheapest"] <= cost <= space["dearest"] for cost, _ in space["random"])


def plots_of(data):
    """Plots a page must have, and how many marks each."""
    steps, epochs, evaluations = (data[k]["rows"] for k in ("steps", "epochs", "evaluations"))
    arch, plots, network = data["files"]["arch.json"], {}, data.get("network")
    if network:
        plots["network"] = len(network["layers"])
        if "cost" in network:
            kinds = {"skipped" if l["skipped"] else l["kernel"] for l in network["layers"]}
            plots["layers"] = len(network["layers"]), len(kinds)
    if evaluations:
        plots["accuracy"] = len(evaluations) + len(arch["front"]) + 2
    if steps and data["files"]["env.json"]["command"] == "search":
        plots["ce"] = 2 * len(steps)
        plots["cost"] = 2 * len(steps) + 2
        plots["lambda"] = len(steps)
        plots["evidence"] = len(epochs)
        plots["decisions"] = len(data["indicators"]) * sum("x" in row for row in steps)
        if arch:
            plots["gains"] = len(arch["indicators"]), 2
    elif steps:
        plots["loss"] = plots["top1"] = 2 * len(epochs)
        plots["lr"] = len(steps)
        plots["confusion"] = len(data["files"]["result.json"]["classes"]) ** 2
    return plots


def check_in_browser(path, data, plots=None):
    run = subprocess.run([BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--window-size=1300,3000",
                          "--virtual-time-budget=4000", "--dump-dom", path.resolve().as_uri()], capture_output=True, text=True, timeout=300)
    console = [line for line in run.stderr.splitlines() if "CONSOLE" in line]
    assert not console, f"{path}: {console}"
    page = Page(run.stdout)
    assert "In short" in page.text, f"{path}: the page is not drawn"
    marks = {figure: int(n) for figure, n in re.findall(r'<figure id="(\w+)"[^>]* data-marks="(\d+)"', run.stdout)}
    if not data["plots"]:
        marks = {name: n for name, n in marks.items() if name in ("network", "confusion")}
    for name, wanted in (plots or plots_of(data)).items():
        if not data["plots"] and name not in ("network", "confusion"):
            continue
        # Bars of several series leave gaps where another series has the value; Chart.js keeps an element for each.
        low, high = (wanted[0], wanted[0] * wanted[1]) if isinstance(wanted, tuple) else (wanted, wanted)
        assert low <= marks.get(name, -1) <= high, f"{path}: {name} has {marks.get(name)} marks, expected {low} to {high}"
    print(f"{path.name}: {len(marks)} plots drawn")
    return page.text


def check_run(folder):
    path = folder / "report.html"
    spnas("report", folder)
    data = page_data(path)
    check_data(folder, data)
    data["plots"] = "Chart.js v" in path.read_text()
    text = check_in_browser(path, data) if BROWSER else None
    return data, text


def check_search(work):
    folder = work / f"search {EVIL.replace('/', '|')}"
    spnas("search", "--data", work / "images", "--out", folder, "--target", 80, "--quiet", *SMALL, "--set", "search.proxy_width=0.25",
          "--set", "search.space=demo", "--set", "search.epochs=3", "--set", "search.warmup_epochs=1", "--set", "search.force=1")
    assert (folder / "report.html").stat().st_size > 50_000, "a search ends with its page"
    data, text = check_run(folder)
    check_network(data)
    assert len(data["indicators"]) == len(data["files"]["arch.json"]["indicators"])
    assert data["indicators"] == [i["name"] for i in data["files"]["arch.json"]["indicators"]]
    assert data["folder"] == str(folder) and not data["notes"], data["notes"]
    if text:
        assert "Found a network predicted at" in text and folder.name in text
    again = work / "again"
    spnas("search", "--config", folder / "config.resolved.json", "--out", again, "--quiet")
    assert json.loads((again / "arch.json").read_text())["decisions"] == data["files"]["arch.json"]["decisions"], "the page's command repeats it"
    return folder


def check_table(work):
    table, draw = work / "table.csv", random.Random(2)
    codes = [""]
    for _ in range(8):
        codes = [c + d for c in codes for d in "012"]
    table.write_text("arch,test_acc_1\n" + "".join(f"{c},{80 + c.count('2') + draw.random():.3f}\n" for c in codes))
    folder = work / "table"
    spnas("search", "--set", "search.evaluator=tabular", "--set", f"search.table={table}", "--set", "search.method=random", "--set",
          "search.space=nas-bench-macro-table", "--set", "search.cost=flops", "--set", "search.target_share=0.6", "--out", folder, "--quiet")
    data, _ = check_run(folder)
    check_network(data)
    assert data["evaluations"]["count"] > 10


def check_training(work):
    folder = work / "training"
    spnas("train", "--arch", "ds_r1_k3_s1_c16 | ir_r2_k5_s2_e3_c24_se0.25", "--data", work / "images", "--out", folder, "--quiet", *SMALL,
          "--set", "train.size=32", "--set", "train.epochs=3")
    data, text = check_run(folder)
    best = data["files"]["result.json"]
    assert not data["notes"], data["notes"]
    confusion = best["confusion"]
    assert sum(map(sum, confusion)) == best["test_images"] == 40 and [sum(row) for row in confusion] == [4] * 10
    assert abs(sum(confusion[i][i] for i in range(10)) / 40 - best["test_top1"]) < 1e-6 and len(best["classes"]) == 10
    assert text is None or f"{100 * best['test_top1']:.2f} %" in text


def check_comparison(work):
    """From a compare.json of 216 networks, as `spnas compare` writes it."""
    folder, draw = work / "comparison", random.Random(3)
    folder.mkdir()
    rows = ["gradient", "ppo", EVIL]
    networks = [{"row": row, "target": target, "seed": seed, "network": "0120", "predicted": int(target) - draw.random(),
                 "accuracy": round(0.7 + draw.random() / 10, 6), "percentile": None if row == "population" else round(100 * draw.random(), 3),
                 "images": 1000.0, "seconds": 2.5, "blocks": "r1_k3"}
                for row in ["population", *rows] for target in ("60", "80") for seed in range(100 if row == "population" else 3)]
    sample = {"count": 6, "mean": 0.012, "deviation": 0.004, "interval": 0.0042}
    test = {"a": "gradient", "b": "ppo", "difference": 0.01, "t": 3.1, "freedom": 9.5, "p": 0.01, "p_holm": 0.03, "significant": True}
    written = {"confidence": 0.95, "interval": "half", "test": "Welch", "population": {t: dict(sample, count=100) for t in ("60", "80")},
               "advantage": {row: sample for row in rows}, "tests": [test], "networks": networks}
    (folder / "compare.json").write_text(json.dumps(written))
    (folder / "config.resolved.json").write_text(json.dumps({"search": {"space": "none", "cost": "none", "target": 80}}))
    spnas("report", folder)
    data = page_data(folder / "report.html")
    assert data["files"]["compare.json"] == written and not data["notes"], data["notes"]
    if BROWSER:
        data["plots"] = "Chart.js v" in (folder / "report.html").read_text()
        text = check_in_browser(folder / "report.html", data, {"compared": 218, "percentiles": 21, "advantage": 9, "price": 3})
        assert "gradient is better than ppo by 1 points (p 0.03)" in text and EVIL in text and "space" not in data


def check_sweep(work):
    """From a front.json as `spnas sweep` writes it."""
    folder = work / "sweep"
    folder.mkdir()
    networks = [{"run": str(t), "target": t, "predicted": t - 0.5, "accuracy": a, "front": front, "params": 2e6, "macs": 3e8, "blocks": EVIL}
                for t, a, front in ((60, 0.81, True), (80, 0.80, False), (100, 0.84, True))]
    written = {"accuracy": "of the search", "networks": networks}
    (folder / "front.json").write_text(json.dumps(written))
    spnas("report", folder)
    data = page_data(folder / "report.html")
    assert data["files"]["front.json"] == written and not data["notes"], data["notes"]
    if BROWSER:
        data["plots"] = "Chart.js v" in (folder / "report.html").read_text()
        assert "Target 80: predicted 79.5, accuracy 80.00 %" in check_in_browser(folder / "report.html", data, {"sweep": 3})


def check_unfinished(work, good):
    """A search that has named nothing yet, and a folder of which only the settings are there."""
    early = work / "early"
    shutil.copytree(good, early)
    for name in ("arch.json", "report.html", "inherited.safetensors"):
        (early / name).unlink()
    data, text = check_run(early)
    assert not data["notes"] and data["indicators"], data["notes"]
    assert text is None or "has not named a network: it is at step" in text
    (early / "metrics.jsonl").unlink()
    data, text = check_run(early)
    assert ["metrics.jsonl" in note for note in data["notes"]] == [True]
    assert text is None or "its log is empty" in text


def check_broken(work, good):
    assert "expected the folder of a search, training, comparison or sweep" in spnas("report", work / "images", code=2)
    assert "got nothing" in spnas("report", code=2)
    broken = work / "broken"
    shutil.copytree(good, broken)
    (broken / "arch.json").write_text('{"space": "demo", ')
    lines = (broken / "metrics.jsonl").read_text().splitlines(keepends=True)
    lines[1] = '{"step": 2, "ce": nonsense}\n'
    (broken / "metrics.jsonl").write_text("".join(lines) + '{"step": 99')
    os.remove(broken / "env.json")
    (broken / "report.html").unlink()
    spnas("report", broken)
    data = page_data(broken / "report.html")
    said = "\n".join(data["notes"])
    for what in ("arch.json:1:", "metrics.jsonl, line 2 is left out", "the last line was not written whole", "env.json"):
        assert what in said, f"{what}: {said}"
    if BROWSER:
        data["plots"] = True
        (broken / "arch.json").unlink()
        spnas("report", broken)
        run = subprocess.run([BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--virtual-time-budget=4000",
                              "--dump-dom", (broken / "report.html").resolve().as_uri()], capture_output=True, text=True, timeout=300)
        assert "CONSOLE" not in run.stderr and "has not named a network" in run.stdout, run.stderr[-500:]


SMALL = ["--set", "optim.batch=32", "--set", "run.log_steps=1", "--set", "search.recalibrate=32", "--set", "train.recalibrate=32"]


def main():
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        make_images(work / "images")
        good = check_search(work)
        check_table(work)
        check_training(work)
        check_comparison(work)
        check_sweep(work)
        check_unfinished(work, good)
        check_broken(work, good)
    print("reports show what the files say" + ("" if BROWSER else "; not opened: no chromium here (apt-get install chromium)"))


if __name__ == "__main__":
    main()
