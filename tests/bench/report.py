"""Makes the page of the measurements: python report.py results.json PER_LAYER.json... > performance.md

results.json is what compare.py wrote; each PER_LAYER.json what `calotype bench --per-layer --json` wrote of one network."""
import json
import math
import platform
import sys
from pathlib import Path

OURS = "calotype"
NOOP = "noop"
TINY = ("lenet5", "mlp", "tiny_audio")  # the call itself counts here: each peer's noop is taken off

HEAD = """# Performance
Networks at batch 1 in float32, Calotype's untuned defaults beside other engines. Made by `./dev bench`; do not edit.

Rounds are interleaved: each calls every engine once, in a fresh process confined to as many cores as it has threads. The smallest latency
of all runs is given, in milliseconds. *Ratio* is the best of the others over Calotype: above 1, Calotype is faster.
"""


def of(results, model, threads):
    """The peers' results on that model that did not fail, by name."""
    return {r["peer"]: r for r in results if r["model"] == model and r["threads"] == threads and not r["reason"]}


def geometric_mean(numbers):
    numbers = list(numbers)
    return math.exp(sum(map(math.log, numbers)) / len(numbers)) if numbers else float("nan")


def latency(results, model, threads, peer):
    """Smallest latency in ms; of a tiny network, what it takes beyond the peer's noop."""
    found = of(results, model, threads)[peer]["min_ms"]
    floor = of(results, NOOP, threads).get(peer) if model in TINY else None
    return max(found - floor["min_ms"], 1e-6) if floor else found


def ratio(results, model, threads, value):
    """Best of the others over ours; None where either side has no result."""
    peers = of(results, model, threads)
    others = [value(results, model, threads, peer) for peer in peers if peer != OURS]
    return min(others) / value(results, model, threads, OURS) if others and OURS in peers else None


def first_run(results, model, threads, peer):
    return of(results, model, threads)[peer]["first_ms"]


def table(results, models, threads, cell, last=None):
    peers = [OURS] + [p for p in dict.fromkeys(r["peer"] for r in results) if p != OURS]
    head = ["network", *peers] + (["ratio"] if last else [])
    lines = ["| " + " | ".join(head) + " |", "| --- " * len(head) + "|"]
    for model in models:
        found = of(results, model, threads)
        cells = [cell(found[p]) if p in found else "failed" for p in peers]
        number = last(model) if last else None
        lines.append("| " + " | ".join([model, *cells] + ([f"{number:.2f}" if number else "-"] if last else [])) + " |")
    return "\n".join(lines)


def latency_section(results, models, threads):
    ratios = {m: ratio(results, m, threads, latency) for m in models if m != NOOP}
    ratios = {m: r for m, r in ratios.items() if r}
    large = geometric_mean(r for m, r in ratios.items() if m not in TINY)
    title = f"## Latency on {threads} thread{'s' * (threads > 1)}"
    text = table(results, models, threads, lambda r: f"{r['min_ms']:.3g}", ratios.get)
    return (f"{title}\n{text}\n\nGeometric mean of the ratios: {geometric_mean(ratios.values()):.2f}; without {', '.join(TINY)} (whose ratios leave "
            f"out each engine's own time for `noop`): {large:.2f}.\n")


def efficiency_section(results, models):
    rows = ["## From one thread to two\nLatency on one thread over twice that on two: 1 is perfect.\n", "| network | calotype | best of the others |",
            "| --- | --- | --- |"]
    for model in models:
        one, two = of(results, model, 1), of(results, model, 2)
        share = {p: one[p]["min_ms"] / two[p]["min_ms"] / 2 for p in one if p in two}
        others = [s for p, s in share.items() if p != OURS]
        if OURS in share and others:
            rows.append(f"| {model} | {share[OURS]:.2f} | {max(others):.2f} |")
    return "\n".join(rows) + "\n"


def start_section(results, models, threads):
    ratios = {m: ratio(results, m, threads, first_run) for m in models if m != NOOP}
    text = table(results, models, threads, lambda r: f"{r['first_ms']:.3g}", ratios.get)
    mean = geometric_mean(r for r in ratios.values() if r)
    return (f"## Load and first run\nMilliseconds on one thread, without the start of the process.\n\n{text}\n\nGeometric mean of the ratios: "
            f"{mean:.1f}.\n\n## Memory\nLargest resident set in MB, one thread.\n\n{table(results, models, threads, lambda r: '%.0f' % r['rss_mb'])}\n")


def numbers_section(results, models, threads):
    return ("## Agreement\nLargest difference from ONNX Runtime over its largest output.\n\n"
            + table(results, models, threads, lambda r: f"{r['error']:.0e}") + "\n")


def per_layer_section(path):
    """Roofline by layer: what each step reaches of the arithmetic peak, steps of under half a percent summed."""
    document = json.loads(Path(path).read_text())
    total = sum(step["median_us"] for step in document["steps"])
    shown = [s for s in document["steps"] if s["median_us"] >= 0.005 * total]
    rows = [f"### {document['model']}", f"Peak on registers {document['peak_gflops']:.0f} GFLOP/s; operations are counted as a direct convolution's, so "
            "Winograd passes 100%.\n", "| step | layers | schedule | us | GFLOP/s | of peak |", "| --- | --- | --- | --- | --- | --- |"]
    for s in shown:
        speed = f"{s['gflops']:.0f} | {100 * s['gflops'] / document['peak_gflops']:.0f}%" if s.get("gflops") else "- | -"
        rows.append(f"| {s['name']} | {s['layers']} | {s['schedule']} | {s['median_us']:.0f} | {speed} |")
    rows.append(f"| {len(document['steps']) - len(shown)} others | | | {total - sum(s['median_us'] for s in shown):.0f} | - | - |")
    return "\n".join(rows) + "\n"


def machine():
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    flags = set(next((line.split(":")[1] for line in lines if line.startswith("flags")), "").split())
    best = next((name for flag, name in (("avx512f", "AVX-512"), ("avx2", "AVX2"), ("sse4_1", "SSE4.1")) if flag in flags), "no vector extension")
    return f"{name}, {best}, {sum(line.startswith('processor') for line in lines)} cores"


def main():
    results = json.loads(Path(sys.argv[1]).read_text())
    models = list(dict.fromkeys(r["model"] for r in results))
    threads = list(dict.fromkeys(r["threads"] for r in results))
    versions = dict.fromkeys(f"{r['peer']} {r['version']}" for r in results if r.get("version"))
    parts = [HEAD, f"Machine: {machine()}. Versions: {', '.join(versions)}.\n", *(latency_section(results, models, t) for t in threads)]
    if 1 in threads and 2 in threads:
        parts.append(efficiency_section(results, models))
    parts += [start_section(results, models, threads[0]), numbers_section(results, models, threads[0])]
    failures = [f"- {r['peer']} on {r['model']}, {r['threads']} threads: {r['reason']}" for r in results if r["reason"]]
    if failures:
        parts.append("## Failures\n" + "\n".join(failures) + "\n")
    if sys.argv[2:]:
        parts.append("## By layer, one thread\n" + "\n".join(per_layer_section(path) for path in sys.argv[2:]))
    print("\n".join(parts).rstrip())


if __name__ == "__main__":
    main()
