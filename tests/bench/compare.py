"""Interleaved latency comparison of inference runtimes on ONNX models: writes results.json, of which report.py makes a page. README.md has the
contract between this harness and what it measures."""
import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np
import onnx

import networks
import rivals

REFERENCE = "onnxruntime"
TOLERANCE = 1e-2


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model_dir", type=Path)
    parser.add_argument("out", type=Path, help="JSON results, saved after every model")
    parser.add_argument("--models", type=lambda s: s.split(","), help="comma-separated, default all")
    parser.add_argument("--peers", type=lambda s: s.split(","), default=["onnxruntime", "openvino", "ncnn", "mnn"],
                        help=f"comma-separated, of {','.join(rivals.RIVALS)}")
    parser.add_argument("--peer-command", action="append", default=[], metavar="NAME=CMD")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--budget", type=float, default=0.3, help="seconds of timed runs per round")
    parser.add_argument("--patience", type=float, default=10,
                        help="seconds per model and thread count after which a peer sits out the other rounds")
    parser.add_argument("--quiet", type=float, default=1, help="seconds to wait for idle cores before a call")
    parser.add_argument("--timeout", type=float, default=900, help="seconds for the first call of a peer")
    parser.add_argument("--scratch", type=Path, default=Path("scratch"))
    return parser.parse_args()


def make_input(path, scratch):
    dims = onnx.load(path, load_external_data=False).graph.input[0].type.tensor_type.shape.dim
    shape = [d.dim_value for d in dims]
    np.save(scratch / "input.npy", np.random.default_rng(0).standard_normal(shape, np.float32))
    return scratch / "input.npy"


def wait_for_idle(limit):
    """Waits until the cores are nearly idle, `limit` seconds at most; says whether they were."""
    def sample():
        ticks = [int(t) for t in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        return sum(ticks), ticks[3] + ticks[4]

    deadline = time.monotonic() + limit
    while True:
        total, idle = sample()
        time.sleep(0.1)
        later_total, later_idle = sample()
        if later_idle - idle > 0.8 * (later_total - total):
            return True
        if time.monotonic() > deadline:
            return False


def call(command, model, source, threads, reps, scratch, cores, timeout):
    """One fresh process under the contract, confined to `cores`: its report, or {"reason": why it failed}."""
    arguments = [*command, str(model), str(source), str(threads), str(reps), str(scratch)]
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=timeout, errors="replace",
                              preexec_fn=lambda: os.sched_setaffinity(0, cores))
        return json.loads(done.stdout.strip().splitlines()[-1])
    except subprocess.TimeoutExpired:
        return {"reason": f"no answer in {timeout:.0f} s"}
    except (IndexError, ValueError):
        last = [line for line in done.stderr.splitlines() if line.strip()] or ["no message"]
        return {"reason": f"exit {done.returncode}: {last[-1].strip()[:300]}"}


def load_outputs(scratch):
    return [np.load(path).ravel() for path in sorted(scratch.glob("output_*.npy"))]


def relative_error(outputs, reference):
    """Largest |a - b| over largest |b|, the worst of all outputs; infinite where shapes disagree."""
    if [o.size for o in outputs] != [r.size for r in reference]:
        return float("inf")
    return max(float(np.max(np.abs(o - r)) / np.max(np.abs(r))) for o, r in zip(outputs, reference))


def verdict(scratch, reference):
    error = relative_error(load_outputs(scratch), reference)
    return {"error": error, "reason": None if error <= TOLERANCE else f"wrong output, relative error {error:.1e}"}


def first_calls(model, source, commands, base, options):
    """Lets every peer compile, and checks its output on one thread: one result entry per peer."""
    entries, cores = {}, os.sched_getaffinity(0)
    for name, command in commands.items():
        scratch = base / name
        scratch.mkdir(exist_ok=True)
        for stale in scratch.glob("output_*.npy"):
            stale.unlink()
        answer = call(command, model, source, 1, 1, scratch, cores, options.timeout)
        if "reason" not in answer:
            answer |= verdict(scratch, load_outputs(base / REFERENCE)) | {"estimate_s": answer["latencies_s"][0]}
        elif name == REFERENCE:
            raise SystemExit(f"{model}: {name}: {answer['reason']}")
        kept = ("version", "prepare_s", "error", "reason", "estimate_s")
        entries[name] = {"model": model.stem, "peer": name} | {key: answer.get(key) for key in kept}
    return entries


def rounds(model, source, threads, commands, estimates, base, options):
    """Round-robin over the peers, so that noise on the machine hits all alike: their answers by name."""
    cores = sorted(os.sched_getaffinity(0))
    answers, spent = {name: [] for name in estimates}, dict.fromkeys(estimates, 0)
    for index in range(options.rounds):
        names = list(estimates)
        for name in names[index % len(names):] + names[:index % len(names)]:
            if spent[name] > options.patience or any("reason" in a for a in answers[name]):
                continue
            reps = int(min(max(options.budget / estimates[name], 1), 1000))
            allowed = {cores[(index + i) % len(cores)] for i in range(threads)}
            quiet = wait_for_idle(options.quiet)
            start = time.perf_counter()
            answer = call(commands[name], model, source, threads, reps, base / name, allowed, options.timeout)
            spent[name] += time.perf_counter() - start
            answers[name].append(answer | {"quiet": quiet})
    return answers


def summary(answers):
    reason = next((a["reason"] for a in answers if "reason" in a), None)
    if reason:
        return {"reason": reason}
    runs = [a["latencies_s"] for a in answers]
    return {"min_ms": 1e3 * min(map(min, runs)), "median_ms": 1e3 * median(map(median, runs)),
            "first_ms": 1e3 * min(a["first_s"] for a in answers), "rss_mb": median(a["peak_rss_mb"] for a in answers),
            "rounds": len(runs), "quiet_rounds": sum(a["quiet"] for a in answers),
            "round_medians_ms": [1e3 * median(r) for r in runs]}


def measure(model, commands, options):
    base = options.scratch / model.stem
    base.mkdir(parents=True, exist_ok=True)
    source = make_input(model, base)
    entries, results = first_calls(model, source, commands, base, options), []
    estimates = {name: entry["estimate_s"] for name, entry in entries.items() if not entry["reason"]}
    for threads in options.threads:
        answers = rounds(model, source, threads, commands, estimates, base, options)
        for name, entry in entries.items():
            result = entry | {"threads": threads}
            if name in answers:
                result |= verdict(base / name, load_outputs(base / REFERENCE))
                result |= summary(answers[name])
            results.append(result)
    return results


def main():
    options = arguments()
    builtin = [sys.executable, rivals.__file__]
    commands = {name: [*builtin, name] for name in dict.fromkeys([REFERENCE, *options.peers])}
    for argument in options.peer_command:
        name, command = argument.split("=", 1)
        commands[name] = shlex.split(command)
    results = []
    for name in options.models or networks.NETS:
        results += measure(options.model_dir / f"{name}.onnx", commands, options)
        options.out.write_text(json.dumps(results, indent=1))
        print(f"{name} measured", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
