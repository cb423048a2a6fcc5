"""Does a run's page show what the run's files say? python check_report.py BUILD_DIR

Makes runs of every kind (gradient search, search of a table, training, comparison, sweep, latency model, one that was stopped), writes
their pages, and compares every figure in them with the run's files; checks that a page is whole HTML, asks for nothing outside of itself
and stays below 3 MB, that names which look like HTML stay text, and that broken files are named. Where a Chromium is installed the pages
are opened in it: no error, in every plot as many marks as the data have, values where the mouse points, every row in the CSV, nothing
wider than a phone, and a comparison of 200 networks drawn with less than two seconds of work.
"""
import base64
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
import zlib

from browser import PROGRAM as BROWSER, Browser

DATA = pathlib.Path(__file__).resolve().parent.parent / "data"
SPNAS = str(pathlib.Path(sys.argv[1]).resolve() / "spnas")
os.environ["SPNAS_DATA"] = str(DATA)
LIMIT = 3_000_000
EVIL = "</script><b>&amp;\"'"
VOID = {"meta", "link", "br", "img", "hr", "input"}
MAX_ROWS = 1000
TABLES = ("network", "confusion", "mistakes", "price")  # drawn without Chart.js
PHONE = 360  # pixels
LONGEST = 2  # seconds of work until a page is drawn


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


def brightness(label):
    """Mean level of an image of a class."""
    return 20 * label + 24.5


def picture(png):
    """Width, height and RGB levels of a PNG without filters; every checksum is right."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks = 8, {}
    while at < len(png):
        size = int.from_bytes(png[at:at + 4], "big")
        kind, body = png[at + 4:at + 8], png[at + 8:at + 8 + size]
        assert zlib.crc32(kind + body) == int.from_bytes(png[at + 8 + size:at + 12 + size], "big"), kind
        chunks[kind] = body
        at += 12 + size
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height = (int.from_bytes(chunks[b"IHDR"][i:i + 4], "big") for i in (0, 4))
    rows, step = zlib.decompress(chunks[b"IDAT"]), 3 * width + 1
    assert len(rows) == height * step and not any(rows[::step])
    return width, height, b"".join(rows[i + 1:i + step] for i in range(0, len(rows), step))


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
    assert page.scripts[1][0] == {"type": "text/markdown", "id": "glossary"}
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
    for name in ("config.resolved.json", "arch.json", "env.json", "result.json", "mistakes.json"):
        file = folder / name
        assert data["files"][name] == (json.loads(file.read_text()) if file.exists() else None), name
    metrics = folder / "metrics.jsonl"
    check_rows(data["steps"], rows_of(metrics, lambda r: "epoch_end" not in r), "steps")
    check_rows(data["epochs"], rows_of(metrics, lambda r: "epoch_end" in r), "epochs")
    check_rows(data["evaluations"], rows_of(folder / "archive.jsonl", lambda r: "evaluation" in r), "evaluations")
    used = {key for log in ("steps", "epochs", "evaluations") for row in data[log]["rows"] for key in row}
    assert used <= data["columns"].keys(), f"columns without a meaning: {used - data['columns'].keys()}"


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
        plots["best"] = sum(e["cost"] <= arch["target"] and not e.get("rescored") for e in evaluations) * 2
        if len(evaluations) > 10:
            plots["asked"] = (len(data["indicators"]), 20)
    if steps and data["files"]["env.json"]["command"] == "search":
        plots["ce"] = 2 * len(steps) + sum(row["holdout_ce"] is not None for row in epochs)
        steered = sum(row.get("lambda") is not None for row in steps)  # shared weights have no lambda
        plots["cost"] = len(steps) + steered + 2
        plots["lambda"] = steered
        plots["evidence"] = len(epochs)
        plots["decisions"] = len(data["indicators"]) * sum("x" in row for row in steps)
        plots["worth"] = len(data["indicators"]) * sum("gain" in row for row in steps)
        if "indicators" in (arch or {}):
            plots["gains"] = len(arch["indicators"]), 2
    elif steps:
        plots["loss"] = plots["top1"] = 2 * len(epochs)
        plots["lr"] = len(steps)
        plots["confusion"] = len(data["files"]["result.json"]["classes"]) ** 2
        plots["mistakes"] = len(data["files"]["mistakes.json"]["mistakes"])
    return plots


def point_at(browser, name):
    """What is told where the mouse points at a mark in the middle of a plot."""
    browser.ask(f"document.getElementById('{name}').scrollIntoView({{block: 'center'}})")
    if not browser.ask(f"!!drawn.get('{name}').chartDrawn"):
        browser.point_at(f"#{name} .mark[data-tip]")
        return browser.wait("!document.getElementById('tip').hidden && document.getElementById('tip').textContent")
    x, y = browser.ask(f"""(() => {{
        const chart = drawn.get('{name}').chartDrawn, box = chart.canvas.getBoundingClientRect(), area = chart.chartArea;
        const marks = chart.getSortedVisibleDatasetMetas().flatMap((m) => m.data).map((e) => e.getCenterPoint());
        const inside = marks.filter((e) => e.x > area.left && e.x < area.right && e.y > area.top && e.y < area.bottom);
        const at = inside[Math.floor(inside.length / 2)] || marks[0];
        return [box.x + at.x, box.y + at.y];
    }})()""")
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=x - 1, y=y)
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    browser.wait(f"(t => t.opacity > 0 && t.body.some((b) => b.lines.join('')))(drawn.get('{name}').chartDrawn.tooltip)")


def work_of(browser):
    """Seconds that the page's thread has worked."""
    return next(m["value"] for m in browser.call("Performance.getMetrics")["metrics"] if m["name"] == "TaskDuration")


def open_page(path):
    """Opens a page in the one browser of this check. Returns it, and the work until all was drawn."""
    browser = open_page.browser = open_page.browser or Browser("about:blank")
    browser.call("Performance.disable")
    browser.call("Performance.enable", timeDomain="threadTicks")
    browser.said.clear()
    before = work_of(browser)
    browser.call("Page.navigate", url=path.resolve().as_uri())
    browser.wait("document.readyState === 'complete' && document.querySelector('#terms h2')")
    work = work_of(browser)
    return browser, work - before if work > before else work  # another page may have another thread


open_page.browser = None


def check_in_browser(path, data, plots=None):
    browser, work = open_page(path)
    assert "In short" in browser.ask("document.body.innerText"), f"{path}: the page is not drawn"
    marks = {k: int(n) for k, n in browser.ask("Object.fromEntries([...drawn].filter(([, p]) => p.box).map(([id, p]) => [id, p.figure.dataset.marks]))").items()}
    for name, wanted in (plots or plots_of(data)).items():
        if not data["plots"] and name not in TABLES or not wanted:
            continue
        # Bars of several series leave gaps where another series has the value; Chart.js keeps an element for each.
        low, high = (wanted[0], wanted[0] * wanted[1]) if isinstance(wanted, tuple) else (wanted, wanted)
        assert low <= marks.get(name, -1) <= high, f"{path}: {name} has {marks.get(name)} marks, expected {low} to {high}"
    assert all(marks.values()), f"{path}: an empty plot: {marks}"
    assert browser.ask("[...drawn.values()].every((p) => csv(p).split('\\n').length === p.rows.length + 2 || p.rows.flat().some((v) => /\\n/.test(v)))"), "rows of CSV"
    for name in marks:
        if name != "price":
            point_at(browser, name)
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    browser.call("Emulation.setDeviceMetricsOverride", width=PHONE, height=800, deviceScaleFactor=2, mobile=True)
    browser.wait(f"document.documentElement.scrollWidth <= {PHONE}")  # plots take a moment to shrink
    browser.call("Emulation.setEmulatedMedia", features=[])
    browser.call("Emulation.clearDeviceMetricsOverride")
    assert not browser.said, f"{path}: {browser.said}"
    assert work < LONGEST, f"{path}: {work:.2f} s of work until it is drawn"
    print(f"{path.name}: {len(marks)} plots drawn, {work:.2f} s of work")
    return browser.ask("document.body.innerText")


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
          "--set", "search.space=demo", "--set", "search.epochs=3", "--set", "search.warmup_epochs=1", "--set", "search.force=1", "--set",
          "data.holdout=0.2")
    assert (folder / "report.html").stat().st_size > 50_000, "a search ends with its page"
    data, text = check_run(folder)
    check_network(data)
    assert len(data["indicators"]) == len(data["files"]["arch.json"]["indicators"])
    assert data["indicators"] == [i["name"] for i in data["files"]["arch.json"]["indicators"]]
    assert data["folder"] == str(folder) and not data["notes"], data["notes"]
    if text:
        assert "Found a network predicted at" in text and folder.name in text
    assert json.loads((folder / "columns.json").read_text())["indicators"] == data["indicators"]
    assert all(0 < row["holdout_ce"] < 10 and 0 <= row["holdout_top1"] <= 1 for row in data["epochs"]["rows"]), "a look at held-out images"
    trained = work / "trained proxy"  # has no costs by layer, and is not complained of
    spnas("train", "--arch", folder / "arch.json", "--data", work / "images", "--out", trained, "--quiet", *SMALL, "--set", "train.variant=proxy",
          "--set", "train.epochs=1")
    assert not page_data(trained / "report.html")["notes"], page_data(trained / "report.html")["notes"]
    again = work / "again"
    spnas("search", "--config", folder / "config.resolved.json", "--out", again, "--quiet", "--set", "search.watch=0")
    assert json.loads((again / "arch.json").read_text())["decisions"] == data["files"]["arch.json"]["decisions"], "the page's command repeats it"
    both = [rows_of(run / "metrics.jsonl", lambda row: "ce" in row) for run in (folder, again)]
    assert both[0] == both[1], "looking at held-out images changes the search"
    assert rows_of(again / "metrics.jsonl", lambda row: "epoch_end" in row)[0]["holdout_ce"] is None
    return folder


def check_shared(work):
    """A method that asks shared weights: what it knows is told."""
    folder = work / "shared"
    spnas("search", "--data", work / "images", "--out", folder, "--target", 80, "--quiet", *SMALL, "--set", "search.proxy_width=0.25",
          "--set", "search.space=demo", "--set", "search.method=evolution", "--set", "search.evaluations=24", "--set", "data.holdout=0.2",
          "--set", "search.score_images=8", "--set", "search.norm_images=8", "--set", "search.force=1")
    data, text = check_run(folder)
    told = data["files"]["arch.json"]["evidence"]
    assert told["networks"] > 10 and told["scored_again"] > 1 and told["training_steps"] > 18 and told["standard_error"] > 0, told
    if text:
        assert f"accuracies of {told['networks']} networks differ by" in text and f"of the {told['scored_again']} scored again" in text


def check_columns(folder):
    """The reference says what the run's file says."""
    told = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", spnas("manual", "columns"), re.M))
    written = json.loads((folder / "columns.json").read_text())["columns"]
    assert {key: ": ".join(filter(None, text.split(" | "))).lstrip("| ") for key, text in told.items()} == {
        key: text.replace("|", "\\|") for key, text in written.items()}


def check_table(work):
    table, draw = work / "table.csv", random.Random(2)
    codes = [""]
    for _ in range(8):
        codes = [c + d for c in codes for d in "012"]
    table.write_text("arch,test_acc_1\n" + "".join(f"{c},{80 + c.count('2') + draw.random():.3f}\n" for c in codes))
    folder = work / "table"
    spnas("search", "--set", "search.evaluator=tabular", "--set", f"search.table={table}", "--set", "search.method=random", "--set",
          "search.space=nas-bench-macro-table", "--set", "search.cost=flops", "--set", "search.target_share=0.6", "--set",
          "search.limits=params <= 99%", "--out", folder, "--quiet")
    data, text = check_run(folder)
    assert text is None or "By params it takes" in text, "a limit is told"
    check_network(data)
    assert data["evaluations"]["count"] > 10
    return table


def check_series(work, table):
    """A comparison and a sweep by that table."""
    common = ["--set", "search.evaluator=tabular", "--set", f"search.table={table}", "--set", "search.space=nas-bench-macro-table", "--set",
              "search.cost=flops", "--set", "search.tolerance=0.08", "--set", "search.evaluations=30", "--target", "50%,70%", "--quiet"]
    folder = work / "compared"
    spnas("compare", *common, "--out", folder, "--set", "compare.methods=evolution,random", "--set", "compare.seeds=2", "--set", "compare.population=5")
    data = page_data(folder / "report.html")
    assert data["files"]["compare.json"] == json.loads((folder / "compare.json").read_text()) and data["space"]["random"] and not data["notes"]
    swept = work / "swept"
    spnas("sweep", *common, "--out", swept, "--set", "search.method=random")
    found = page_data(swept / "report.html")
    assert found["files"]["front.json"] == json.loads((swept / "front.json").read_text()) and not found["notes"]
    for page, told, plots in ((folder, data, {"compared": 2 * (5 + 2 * 2), "price": 2, "spread": 4 * (1 + 2 + 2)}), (swept, found, {"sweep": 2})):
        told["plots"] = "Chart.js v" in (page / "report.html").read_text()
        if BROWSER:
            check_in_browser(page / "report.html", told, plots)


def check_latency(work):
    """A model fitted to the tables that come with the program: by itself, and behind a search's cost."""
    lines = [line for line in (DATA / "latency/pixel1-networks.csv").read_text().splitlines() if not line.startswith("#")]
    for name, part in (("calibration", lines[1::2]), ("holdout", lines[2::2])):
        (work / f"{name}.csv").write_text("\n".join([lines[0], *part]) + "\n")
    model = work / "model.json"
    spnas("latency", "fit", "pixel1-singlepath", "--set", f"latency.networks={work}/calibration.csv", "--set",
          f"latency.holdout={work}/holdout.csv", "--set", f"latency.plot={work}/plot.csv", "--out", model)
    judged = json.loads(model.read_text())["judged"]
    assert {p["kind"] for p in judged} == {"entry", "calibration", "holdout"}
    assert len((work / "plot.csv").read_text().splitlines()) == len(judged) + 1
    spnas("report", model)
    data = page_data(work / "model.html")
    assert data["latency"]["points"] == judged and not data["notes"], data["notes"]
    networks = sum(p["kind"] != "entry" for p in judged)
    if BROWSER:
        data["plots"] = "Chart.js v" in (work / "model.html").read_text()
        text = check_in_browser(work / "model.html", data, {"networks": 3 * networks + 2, "entries": len(judged) - networks + 2})
        assert "7 held-out networks" in text, text[:500]
    assert "written" in spnas("report", DATA / "latency/pixel1-singlepath.json", "--out", work / "none.html", code=2)


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
    assert text is None or f"{100 * best['test_top1']:.2f} %" in text and ", top-5 " in text
    if BROWSER:  # of five classes five answers are always right
        few = shutil.copytree(folder, work / "training-few")
        (few / "result.json").write_text(json.dumps({**best, "classes": best["classes"][:5], "confusion": [row[:5] for row in confusion[:5]]}))
        spnas("report", few)
        browser, _ = open_page(few / "report.html")
        text = browser.ask("document.body.innerText")
        assert f"{100 * best['test_top1']:.2f} %" in text and ", top-5 " not in text
    told = data["files"]["mistakes.json"]
    assert told["wrong"] == sum(map(sum, confusion)) - sum(confusion[i][i] for i in range(10)) > 0
    assert len(told["mistakes"]) == min(told["wrong"], 24) and told["mistakes"] == sorted(told["mistakes"], key=lambda m: -m["confidence"])
    for m in told["mistakes"]:
        label, called, number = (int(m[k].split()[-1]) for k in ("class", "called", "image"))
        assert label != called and confusion[label][called] and m["confidence"] >= m["right"] and 1 <= number <= 40, m
        assert label == (number - 1) % 10, "the image is another one"
        width, height, pixels = picture(base64.b64decode(m["png"]))
        assert (width, height) == (32, 32)
        assert abs(sum(pixels) / len(pixels) - brightness(label)) < 12, "the picture is of another class"


def check_comparison(work):
    """From a compare.json of 216 networks, as `spnas compare` writes it."""
    folder, draw = work / "comparison", random.Random(3)
    folder.mkdir()
    rows = ["gradient", "ppo", EVIL]
    networks = [{"row": row, "target": target, "seed": seed, "network": "0120", "predicted": int(target) - draw.random(),
                 "accuracy": round(0.7 + draw.random() / 10, 6), "percentile": None if row == "population" else round(100 * draw.random(), 3),
                 "images": 1000.0, "seconds": 2.5,
                 "blocks": f"r{draw.randint(1, 4)}_k{draw.choice((3, 5))}_s22_e6_i16_o24"}
                for row in ["population", *rows] for target in ("60", "80") for seed in range(100 if row == "population" else 3)]
    sample = {"count": 6, "mean": 0.012, "deviation": 0.004, "interval": 0.0042}
    test = {"a": "gradient", "b": "ppo", "difference": 0.01, "t": 3.1, "freedom": 9.5, "p": 0.01, "p_holm": 0.03, "significant": True}
    written = {"confidence": 0.95, "interval": "half", "test": "Welch", "population": {t: dict(sample, count=100) for t in ("60", "80")},
               "advantage": {row: sample for row in rows}, "tests": [test], "networks": networks}
    (folder / "compare.json").write_text(json.dumps(written))
    (folder / "config.resolved.json").write_text(json.dumps({"search": {"space": "none", "cost": "none", "target": 80}}))
    spnas("report", folder)
    data = page_data(folder / "report.html")
    assert data["files"]["compare.json"] == written and len(data["notes"]) == 1 and "none" in data["notes"][0], data["notes"]
    if BROWSER:
        data["plots"] = "Chart.js v" in (folder / "report.html").read_text()
        text = check_in_browser(folder / "report.html", data, {"compared": 218, "percentiles": 21, "advantage": 9, "price": 3, "spread": 3 * 2 * (1 + 3 + 2),
                                                                        "parallel": 4 * 218})
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
        assert "Target 80: predicted 79.5, accuracy 80.00 %" in check_in_browser(folder / "report.html", data, {"sweep": 3, "parallel": 9})


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
        (broken / "arch.json").unlink()
        spnas("report", broken)
        browser, _ = open_page(broken / "report.html")
        assert not browser.said and "has not named a network" in browser.ask("document.body.innerText"), browser.said


SMALL = ["--set", "optim.batch=32", "--set", "run.log_steps=1", "--set", "search.recalibrate=32", "--set", "train.recalibrate=32"]


def main():
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        make_images(work / "images")
        good = check_search(work)
        check_columns(good)
        check_shared(work)
        table = check_table(work)
        check_series(work, table)
        check_latency(work)
        check_training(work)
        check_comparison(work)
        check_sweep(work)
        check_unfinished(work, good)
        check_broken(work, good)
    if open_page.browser:
        open_page.browser.__exit__()
    print("reports show what the files say" + ("" if BROWSER else "; not opened: no chromium here (apt-get install chromium)"))


if __name__ == "__main__":
    main()
