"""Does a command show a terminal what it can show, and a file nothing else? python check_terminal.py BUILD_DIR

Searches, trains and lists runs on pseudo-terminals of several widths and kinds, and with its output in files: colours and blocks only
where they belong, no progress line that wraps, every line of the summary within the width.
"""
import fcntl
import os
import pathlib
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios

from check_report import SMALL, SPNAS, make_images

SEARCH = ["--target", "80", *SMALL, "--set", "search.proxy_width=0.25", "--set", "search.space=demo", "--set", "search.force=1", "--set",
          "search.epochs=2", "--set", "search.warmup_epochs=1"]
BLOCKS = "▁▂▃▄▅▆▇█"
ASCII = ".:-=+*#@"
ERASE = "\r\x1b[K"
STYLE = re.compile(r"\x1b\[[0-9]+m")


def on_terminal(arguments, columns=100, **environment):
    """What a terminal of that width gets, with code 0."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    settings = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "LC_ALL", "LC_CTYPE", "LANG", "COLUMNS")}
    settings |= {"TERM": "xterm-256color", "LANG": "C.UTF-8", "OMP_WAIT_POLICY": "passive"} | environment
    process = subprocess.Popen([SPNAS, *map(str, arguments)], stdin=theirs, stdout=theirs, stderr=theirs, env=settings)
    os.close(theirs)
    said = b""
    try:
        while part := os.read(ours, 1 << 16):
            said += part
    except OSError:  # Linux's way to say that the last writer is gone
        pass
    os.close(ours)
    assert process.wait(60) == 0, said.decode()[-500:]
    return said.decode().replace("\r\n", "\n")


def summary(said):
    """The lines from the first result on, without styles."""
    lines = STYLE.sub("", said.replace(ERASE, "\n")).split("\n")
    first = next(i for i, line in enumerate(lines) if line.startswith(("found", "trained")))
    return [line for line in lines[first:] if line]


def courses(lines, characters):
    return [line for line in lines if re.match(rf"\S+( \S+)? +[{re.escape(characters)}]{{2,}} ", line)]


def check_search(work):
    search = ["search", "--data", work / "images", *SEARCH, "--out"]
    said = on_terminal([*search, work / "wide"])
    assert "\x1b[32m" in said and "\x1b[1mfound" in said and said.count("\x1b[0m") >= 8, "no colours"
    lines = summary(said)
    assert len(courses(lines, BLOCKS)) == 2 and len(lines) < 24, lines
    assert all(len(line) <= 100 for line in lines), lines
    narrow = on_terminal([*search, work / "narrow"], columns=40)
    for line in re.findall(r"\x1b\[K([^\n\r\x1b]*)(?=\r\x1b)", narrow):
        assert len(line) < 40, f"a progress line that wraps: {line}"
    lines = summary(narrow)
    assert all(len(line) <= 40 or " " not in line.strip() or len(line.split()[-1]) > 28 for line in lines), lines
    assert "\n            " in STYLE.sub("", narrow), "long lines go on below their beginning"
    plain = on_terminal([*search, work / "plain"], NO_COLOR="1")
    assert not STYLE.search(plain) and courses(summary(plain), BLOCKS), "NO_COLOR"
    assert STYLE.search(on_terminal(["runs", work], NO_COLOR="")), "an empty NO_COLOR says nothing"
    dumb = on_terminal([*search, work / "dumb"], TERM="dumb")
    assert "\x1b" not in dumb and "\r" not in dumb and len(courses(summary(dumb), ASCII)) == 2, "TERM=dumb"
    latin = on_terminal([*search, work / "latin"], LANG="C", LC_ALL="")
    assert not any(b in latin for b in BLOCKS) and STYLE.search(latin) and len(courses(summary(latin), ASCII)) == 2, "LANG=C"
    file = subprocess.run([SPNAS, *map(str, search), str(work / "file")], capture_output=True, check=True, env=os.environ | {"LANG": "C.UTF-8"})
    assert b"\x1b" not in file.stdout + file.stderr and b"\r" not in file.stderr and file.stdout.isascii(), "into a file"
    assert len(courses(file.stdout.decode().splitlines(), ASCII)) == 2


def check_training(work):
    said = on_terminal(["train", "--arch", "ds_r1_k3_s1_c16 | ir_r2_k5_s2_e3_c24", "--data", work / "images", "--out", work / "trained", *SMALL,
                        "--set", "train.size=32", "--set", "train.epochs=4"])
    lines = courses(summary(said), BLOCKS)
    assert [line.split("  ")[0] for line in lines] == ["train loss", "held loss", "held top-1"] and "4 epochs" in lines[0], lines
    values = [float(v) for v in re.search(r"([\d.]+) to ([\d.]+)", lines[0]).groups()]
    assert (re.search(f"[{BLOCKS}]", lines[0])[0] == BLOCKS[-1]) == (values[0] > values[1]), lines[0]


def check_series(work):
    table = work / "table.csv"
    codes = [""]
    for _ in range(8):
        codes = [c + d for c in codes for d in "012"]
    table.write_text("arch,test_acc_1\n" + "".join(f"{c},{80 + c.count('2'):.3f}\n" for c in codes))
    tabular = ["--set", "search.evaluator=tabular", "--set", f"search.table={table}", "--set", "search.space=nas-bench-macro-table", "--set",
               "search.cost=flops", "--set", "search.evaluations=20", "--target", "60%,65%,70%"]
    said = STYLE.sub("", on_terminal(["sweep", *tabular, "--set", "search.method=random", "--out", work / "sweep"]))
    assert re.search(rf"^course      [{BLOCKS}]{{3}} accuracy .*, 60% to 70%$", said, re.M), said
    said = STYLE.sub("", on_terminal(["compare", *tabular, "--set", "compare.methods=random,evolution", "--set", "compare.seeds=2", "--set",
                                      "compare.population=5", "--out", work / "compare"]))
    assert re.search(rf"^            [{BLOCKS} ]{{6}} \d+ to \d+  evolution$", said, re.M), said


def check_runs(work):
    wide, narrow = on_terminal(["runs", work], columns=200), on_terminal(["runs", work], columns=30)
    assert "checkpoints" in wide and "predicted" in wide and "checkpoints" not in narrow and "done" in narrow
    assert all(len(STYLE.sub("", line).rstrip()) <= 30 for line in narrow.split("\n")[:-2]), narrow


def main():
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        make_images(work / "images")
        check_search(work)
        check_training(work)
        check_series(work)
        check_runs(work)
    print("terminals and files get what they can show")


if __name__ == "__main__":
    main()
