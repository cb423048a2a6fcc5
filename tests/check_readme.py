"""Does every command in the documentation work as written? python check_readme.py BUILD_DIR [FILE]

Runs the shell blocks of README.md and of the pages in PAGES, line by line, in a folder where small data stand for the user's (DIR, PHOTOS, ...),
with a `spnas` in the PATH that adds settings which make every run short. What is shown below a "$ command" must be part of what it
prints. Python blocks run after the shell block before them. The few commands of EXCEPTIONS are not run; of these, and of commands in the text, the
options and settings must be known. FILE: the blocks of this file alone.
"""
import itertools
import os
import pathlib
import re
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(sys.argv[1]).resolve()
SPNAS = BUILD / "spnas"
PAGES = ["README.md", "src/search/README.md", "src/train/README.md", "src/input/README.md",
         "data/spaces/README.md", "data/latency/README.md", "data/networks/README.md", "bench/README.md"]  # tests/extend.sh follows others
SECONDS = 120  # for one command

# Beginnings of commands that are not run here, and why.
EXCEPTIONS = {
    "data/demo.sh": "takes minutes and may install packages; its last step is a search like others here",
    "tests/run.sh": "is what runs this",
    "spnas latency kit": "300 MB, for a phone; tests/check_kit.py goes from the kit to the table with a phone that is simulated",
    "(cd kit": "needs a phone",
    "spnas export runs/t/best.safetensors --endpoints": "needs the deployed network: the small proxy trained here has no stride 32",
    "spnas latency import kit": "needs the phone's logs",
    "spnas latency fit phone.json": "needs the table that is imported from them",
    "spnas search --data DIR --set search.cost=phone-model.json": "needs the model that is fitted to it",
    "spnas info singlepath --set search.cost=phone-model.json": "likewise",
    "spnas train --arch a1-40.json": "a network at its full size; others are trained here as small proxies, which a scaled one has not",
    "python bench/": "benches take minutes to hours",
    "bench/": "benches take minutes to hours",
}

# What makes runs short: behind the command's own settings, so that these count.
SHORT = {
    "run": "run.threads=2",
    "data": "data.max_train=60 data.max_test=12 data.holdout=0.2",
    "search": "search.force=1 search.epochs=2 search.warmup_epochs=1 search.proxy_size=16 search.proxy_width=0.1 search.recalibrate=8 search.judge=0 "
              "search.evaluations=50 search.score_images=8 search.norm_images=8 search.budget=1500 search.scratch_epochs=1",
    "train": "train.epochs=1 train.variant=proxy train.recalibrate=8",
    "optim": "optim.batch=8 optim.lr_warmup_epochs=0",
    "compare": "compare.seeds=1 compare.population=2",
    "tune": "tune.trials=3",
    "latency": "latency.seconds=0.01",
}
SECTIONS = {"search": "run data search optim", "train": "run data train optim", "sweep": "run data search optim tune",
            "compare": "run data search train optim compare", "latency measure": "latency"}
SHELL = ("spnas ", "cmake ", "cc ", "cpack", "python ", "export ", "data/", "tests/", "bench/", "(cd ", "tensorboard ")


def png(path, colour, size=24):
    """A plain image with a stripe, so that classes differ."""
    rows = b"".join(b"\0" + bytes(((x * 7 + y * 3 + colour * 60) % 256 if x % 4 else colour * 80 % 256) for x in range(size) for _ in range(3)) for y in range(size))
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def make_stand_ins(work):
    """What a reader of the documentation has."""
    for split, count in (("train", 24), ("test", 4)):
        for i in range(3 * count):
            png(work / "DIR" / split / ("bird", "cat", "dog")[i % 3] / f"{i}.png", i % 3)
    for i in range(3):
        png(work / "PHOTOS" / f"photo-{i}.png", i)
    png(work / "photo.jpg", 1)
    (work / "imagenet.txt").write_text("bird\ncat\ndog\n")
    (work / "CIFAR10").symlink_to("DIR")
    for name in ("data", "tests", "bench", "src"):
        (work / name).symlink_to(ROOT / name)
    (work / "build").symlink_to(BUILD)
    shutil.copy(ROOT / "tests/foreign/classify.c", work)
    shutil.copy(ROOT / "data/latency/pixel1-networks.csv", work / "FILE.csv")
    rows = [(code, sum((d + 1) * o for d, o in enumerate(code))) for code in itertools.product(range(3), repeat=8)]
    (work / "nas-bench-macro_cifar10.csv").write_text("arch,test_acc_1,flops\n" + "".join(
        f"{''.join(map(str, code))},{60 + sum(code) + worth / 8},{1e6 * (9 + worth)}\n" for code, worth in rows))


def make_weights(work):
    """What timm's mnasnet_b1 has, by name and shape."""
    for arguments in ("train --arch mnasnet-b1 --data DIR --set train.size=32 --set train.variant=deployment --out b1 --quiet",
                      "export b1/best.safetensors --out mnasnet_b1.timm.safetensors"):
        subprocess.run(["spnas", *arguments.split()], cwd=work, env=environment(work), check=True, capture_output=True)
    (work / "mnasnet_b1.timm.safetensors").rename(work / "mnasnet_b1.safetensors")


def make_wrapper(work):
    cases = "".join(f'  "{c}"*) set -- "$@" ' + " ".join(f"--set {s}" for part in sections.split() for s in SHORT[part].split()) + " ;;\n"
                    for c, sections in SECTIONS.items())
    (work / "bin").mkdir()
    (work / "bin/spnas").write_text(f'#!/bin/sh\ncase "$*" in\n{cases}esac\nexec "{SPNAS}" "$@"\n')
    (work / "bin/spnas").chmod(0o755)
    os.symlink(sys.executable, work / "bin/python")


def environment(work):
    return {**os.environ, "PATH": f"{work / 'bin'}:{os.environ['PATH']}", "SPNAS_DATA": str(ROOT / "data"), "OMP_WAIT_POLICY": "passive",
            "PKG_CONFIG_PATH": str(work / "PREFIX/lib/pkgconfig")}


def blocks(text):
    """(kind, lines, the file that the line before says it is) of every indented or fenced block."""
    kind, lines, blank, said = None, [], True, ""
    for line in text.splitlines() + [""]:
        if kind == "indented" and not line.startswith("    "):
            yield kind, lines, ""
            kind, lines = None, []
        if kind not in (None, "indented"):
            if line.startswith("```"):
                yield kind, lines, (re.fullmatch(r"`([\w.-]+)`:", said) or ["", ""])[1]
                kind, lines, said = None, [], ""
            else:
                lines.append(line)
        elif line.startswith("```"):
            kind = line[3:].strip() or "text"
        elif line.startswith("    ") and (kind or blank):
            kind = "indented"
            lines.append(line[4:])
        elif line.strip():
            said = line
        blank = not line.strip()


def commands(lines):
    """(command, lines shown below it) of a shell block; nothing where the block is none."""
    found = []
    if not any(line.startswith(SHELL) or line.startswith("$ ") for line in lines):
        return found
    shows = any(line.startswith("$ ") for line in lines)
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    for line in joined:
        if line.startswith("$ ") or not shows:
            if line.strip():
                found.append((line[2:] if line.startswith("$ ") else line, []))
        elif line.strip() and line.strip() != "...":
            found[-1][1].append(line.rstrip())
    return found


def exception_of(command):
    return next((why for start, why in EXCEPTIONS.items() if command.startswith(start)), None)


def help_of(words):
    """(words of the command, its help), or None."""
    for count in (2, 1):
        name = words[1:1 + count]
        if len(name) == count and all(re.fullmatch(r"[a-z]+", w) for w in name):
            run = subprocess.run([SPNAS, *name, "--help"], capture_output=True, text=True)
            if run.returncode == 0 and f"spnas {' '.join(name)}" in run.stdout:
                return name, run.stdout
    return None


def unknown_in(command):
    """What --help and the list of settings do not know of a command that is not run; empty when all is known."""
    words = shlex.split(command, comments=True)
    if not words or words[0] != "spnas":
        return []
    known, wrong = help_of(words), []
    if not known:
        return [f"no such command: {' '.join(words[:3])}"]
    for word in words:
        if re.fullmatch(r"--[a-z][a-z-]*", word) and not re.search(rf"(?<![\w-]){word}(?![\w-])", known[1]):
            wrong.append(f"{' '.join(known[0])} has no {word}")
    return wrong + [f"no setting {path}" for path in re.findall(r"--set '?([a-z]+\.[a-z_0-9]+)=", command) if path not in settings()]


def settings():
    if not settings.all:
        settings.all = set(re.findall(r"^\| `([a-z]+\.[a-z_0-9]+)`", subprocess.run([SPNAS, "manual", "settings"], capture_output=True, text=True, check=True).stdout, re.M))
    return settings.all


settings.all = set()


def clear_way(command, work):
    """A run folder of another block's command gives way."""
    out = re.search(r"--out (runs/[\w.-]+)", command)
    if out and "--resume" not in command:
        shutil.rmtree(work / out[1], ignore_errors=True)


def run(command, shown, work):
    """None, or what is wrong."""
    clear_way(command, work)
    try:
        done = subprocess.run(["sh", "-c", command], cwd=work, env=environment(work), capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return f"takes more than {SECONDS} s"
    said = done.stdout + done.stderr
    if done.returncode:
        return f"code {done.returncode}: {said[-600:]}"
    plain = " ".join(said.split())
    missing = [line for line in shown if " ".join(line.split()) not in plain]
    return f"does not print: {missing}" if missing else None


def run_python(lines, work):
    if missing := [m for m in re.findall(r"^(?:import|from) (\w+)", "\n".join(lines), re.M) if subprocess.run([sys.executable, "-c", f"import {m}"], capture_output=True).returncode]:
        return f"needs {missing}"
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], cwd=work, env=environment(work), capture_output=True, text=True, timeout=SECONDS)
    return f"code {done.returncode}: {done.stderr[-600:]}" if done.returncode else None


def check_page(page, text, work):
    """(commands that were run, only looked at, [what is wrong])"""
    ran, seen, wrong = 0, 0, []
    for kind, lines, file in blocks(text):
        if file:
            (work / file).write_text("\n".join(lines) + "\n")
        if kind == "python":
            ran += 1
            if problem := run_python(lines, work):
                wrong.append(f"{page}: Python block: {problem}")
        for command, shown in commands(lines) if kind in ("indented", "sh") else []:
            if exception_of(command):
                seen += 1
                problem = "; ".join(unknown_in(command))
            else:
                ran += 1
                problem = run(command, shown, work)
            if problem:
                wrong.append(f"{page}: {command}: {problem}")
    for command in re.findall(r"`(spnas [^`]*)`", text):
        if re.match(r"spnas [a-z]+", command):
            seen += 1
            wrong += [f"{page}: `{command}`: {problem}" for problem in unknown_in(" ".join(command.split()))]
    return ran, seen, wrong


def check_the_check(work):
    """A command with an unknown option is found, run or looked at; so is output that is not printed."""
    bad = "    spnas train --dta DIR\n\n    spnas latency kit singlepath --ouut kit\n\n    $ spnas info singlepath\n    largest  4.9 M\n\nAnd `spnas search --set search.targt=3`.\n"
    wrong = check_page("a bad page", bad, work)[2]
    assert len(wrong) == 4, wrong


def main():
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        make_stand_ins(work)
        make_wrapper(work)
        make_weights(work)
        check_the_check(work)
        ran, seen, wrong = 0, 0, []
        for page in sys.argv[2:] or PAGES:
            of_page = check_page(page, (ROOT / page).read_text(), work)
            ran, seen, wrong = ran + of_page[0], seen + of_page[1], wrong + of_page[2]
        print("\n".join(wrong))
        print(f"check_readme: {ran} commands run, {seen} looked at, {len(wrong)} wrong")
        return 1 if wrong or not ran else 0


if __name__ == "__main__":
    sys.exit(main())
