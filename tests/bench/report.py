"""Makes the page of the measurements: python report.py results.json PER_LAYER.json... [--command TEXT] > performance.md

results.json is what compare.py wrote; each PER_LAYER.json what `calotype bench --per-layer --json` wrote of one network; TEXT is the command that
made them."""
import argparse
import datetime
import json
import math
import platform
import sys
from pathlib import Path

OURS = "calotype"
NOOP = "noop"
TINY = ("lenet5", "mlp", "tiny_audio")  # the call itself counts here: each peer's noop is taken off

WINOGRAD_BAR, DIRECT_BAR = 1.5, 0.85  # of the arithmetic peak, operations counted as a direct convolution's

HEAD = """# Performance
Networks at batch 1 in float32, Calotype's untuned defaults beside other engines. Made by `./dev bench`; do not edit.

Rounds are interleaved: each calls every engine once, in a fresh process confined to as many cores as it has threads. The smallest latency
of all runs is given, in milliseconds. *Ratio* is the best of the others, which is named, over Calotype: above 1, Calotype is faster. For
lenet5, mlp and tiny_audio, where the call itself counts, each engine's time for `noop` is taken off both sides of the ratio.
"""


def of(results, model, threads):
    """The peers' results on that model that did not fail, by name."""
    return {r["peer"]: r for r in results if r["model"] == model and r["threads"] == threads and not r["reason"]}


def geometric_mean(numbers):
    """None of no numbers."""
    numbers = list(numbers)
    return math.exp(sum(map(math.log, numbers)) / len(numbers)) if numbers else None


def means(ratios):
    """The geometric means of ratios by network, as a sentence; nothing where there are none."""
    large = geometric_mean(r for m, r in ratios.items() if m not in TINY)
    if not ratios:
        return ""
    without = f"; without {', '.join(TINY)}: {large:.2f}" if large and len(ratios) > sum(m not in TINY for m in ratios) else ""
    return f"Geometric mean of the ratios: {geometric_mean(ratios.values()):.2f}{without}.\n"


def latency(results, model, threads, peer):
    """Smallest latency in ms; of a tiny network, what it takes beyond the peer's noop."""
    found = of(results, model, threads)[peer]["min_ms"]
    floor = of(results, NOOP, threads).get(peer) if model in TINY else None
    return max(found - floor["min_ms"], 1e-6) if floor else found


def best_of_others(results, model, threads, value):
    """The other engine that does best, or None."""
    others = [peer for peer in of(results, model, threads) if peer != OURS]
    return min(others, key=lambda peer: value(results, model, threads, peer), default=None)


def ratio(results, model, threads, value):
    """Best of the others over ours; None where either side has no result."""
    best = best_of_others(results, model, threads, value)
    if best is None or OURS not in of(results, model, threads):
        return None
    return value(results, model, threads, best) / value(results, model, threads, OURS)


def ratios_of(results, models, threads, value):
    found = {m: ratio(results, m, threads, value) for m in models if m != NOOP}
    return {m: r for m, r in found.items() if r}


def first_run(results, model, threads, peer):
    return of(results, model, threads)[peer]["first_ms"]


def table(results, models, threads, cell, value=None):
    """A row for each network, a column for each engine; with `value` also the ratio by it, and the engine that it compares with. A network that an
    engine was not asked for has a dash."""
    asked = {(r["model"], r["peer"]) for r in results}
    peers = [OURS] + [p for p in dict.fromkeys(r["peer"] for r in results) if p != OURS]
    head = ["network", *peers] + (["ratio", "to"] if value else [])
    lines = ["| " + " | ".join(head) + " |", "| --- " * len(head) + "|"]
    for model in models:
        found = of(results, model, threads)
        cells = [cell(found[p]) if p in found else "failed" if (model, p) in asked else "-" for p in peers]
        if value:
            number = ratio(results, model, threads, value) if model != NOOP else None
            cells += [f"{number:.2f}", best_of_others(results, model, threads, value)] if number else ["-", "-"]
        lines.append("| " + " | ".join([model, *cells]) + " |")
    return "\n".join(lines)


def latency_section(results, models, threads):
    text = table(results, models, threads, lambda r: f"{r['min_ms']:.3g}", latency)
    ratios = ratios_of(results, models, threads, latency)
    slower = [f"{m} ({r:.2f})" for m, r in ratios.items() if r < 0.97]
    return (f"## Latency on {threads} thread{'s' * (threads > 1)}\n{text}\n\n{means(ratios)}"
            + (f"Slower than the best of the others by more than 3%: {', '.join(slower)}.\n" if slower else ""))


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
    text = table(results, models, threads, lambda r: f"{r['first_ms']:.3g}", first_run)
    memory = table(results, models, threads, lambda r: "%.0f" % r["rss_mb"])
    return (f"## Load and first run\nMilliseconds on one thread, without the start of the process.\n\n{text}\n\n"
            f"{means(ratios_of(results, models, threads, first_run))}\n## Memory\nLargest resident set in MB, one thread.\n\n{memory}\n")


def numbers_section(results, models, threads):
    return ("## Agreement\nLargest difference from ONNX Runtime over its largest output.\n\n"
            + table(results, models, threads, lambda r: f"{r['error']:.0e}") + "\n")


def shape_of(step):
    """What a step multiplies: "3x3, stride 2, 64x56x56" of a convolution."""
    arguments, shape = step.get("arguments", {}), step.get("output_shape", [])
    rank = len(shape) - 2

    def extents(name):
        numbers = arguments.get(name, [1])
        return numbers * rank if len(numbers) == 1 else numbers

    if "kernel" not in arguments or rank < 1:
        return None
    return {"kernel": extents("kernel"), "stride": extents("stride"), "grouped": arguments.get("groups", [1]) != [1], "shape": shape}


def shape_text(step):
    shape = shape_of(step)
    if shape is None:
        return ""
    stride = "" if set(shape["stride"]) == {1} else f" stride {'x'.join(map(str, dict.fromkeys(shape['stride'])))}"
    return f"{'x'.join(map(str, shape['kernel']))}{stride} to {'x'.join(map(str, shape['shape'][1:]))}"


def bar_of(step):
    """The share of the peak that a step ought to reach, or None: depthwise and dense layers wait for memory."""
    shape = shape_of(step)
    if shape is None or shape["grouped"] or not step["layers"].startswith("conv") or step["layers"].startswith("conv_transpose"):
        return None
    is_winograd = shape["kernel"] == [3, 3] and set(shape["stride"]) == {1} and min(shape["shape"][2:]) >= 28
    return WINOGRAD_BAR if is_winograd else DIRECT_BAR


def share_of(step, document):
    return 2e-3 * step["macs"] / step["min_us"] / document["peak_gflops"]


def shown_steps(document):
    """Those that take at least half a percent of the run."""
    total = sum(step["min_us"] for step in document["steps"])
    return [step for step in document["steps"] if step["min_us"] >= 0.005 * total]


def shortfall_section(documents):
    rows = []
    judged = 0
    for document in documents:
        for step in shown_steps(document):
            bar = bar_of(step)
            judged += bar is not None
            if bar is not None and share_of(step, document) < bar:
                rows.append(f"| {document['model']} | {step['name']} | {shape_text(step)} | {step['schedule']} | "
                            f"{100 * share_of(step, document):.0f}% | {100 * bar:.0f}% |")
    text = (f"### Convolutions below what they ought to reach\n{100 * WINOGRAD_BAR:.0f}% of the peak for 3x3 of stride 1 on at least 28x28, "
            f"{100 * DIRECT_BAR:.0f}% for all others that are not grouped: {judged - len(rows)} of {judged} reach it.")
    if not rows:
        return text + "\n"
    return "\n".join([text + "\n", "| network | step | convolution | schedule | of peak | bar |", "| --- " * 6 + "|", *rows]) + "\n"


def per_layer_section(document):
    """Roofline by layer: what each step reaches of the arithmetic peak."""
    shown = shown_steps(document)
    total = sum(step["min_us"] for step in document["steps"])
    rows = [f"### {document['model']}", f"Peak on registers {document['peak_gflops']:.0f} GFLOP/s; operations are counted as a direct convolution's, so "
            "Winograd passes 100%.\n", "| step | layers | convolution | schedule | us | GFLOP/s | of peak |", "| --- " * 7 + "|"]
    for s in shown:
        speed = f"{2e-3 * s['macs'] / s['min_us']:.0f} | {100 * share_of(s, document):.0f}%" if s["macs"] else "- | -"
        rows.append(f"| {s['name']} | {s['layers']} | {shape_text(s)} | {s['schedule']} | {s['min_us']:.0f} | {speed} |")
    rows.append(f"| {len(document['steps']) - len(shown)} others | | | | {total - sum(s['min_us'] for s in shown):.0f} | - | - |")
    return "\n".join(rows) + "\n"


def machine():
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    flags = set(next((line.split(":")[1] for line in lines if line.startswith("flags")), "").split())
    best = next((name for flag, name in (("avx512f", "AVX-512"), ("avx2", "AVX2"), ("sse4_1", "SSE4.1")) if flag in flags), "no vector extension")
    return f"{name}, {best}, {sum(line.startswith('processor') for line in lines)} cores, {platform.system()} {platform.release().split('-')[0]}"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("layers", type=Path, nargs="*")
    parser.add_argument("--command", help="what made them")
    return parser.parse_args()


def main():
    options = arguments()
    results = json.loads(options.results.read_text())
    models = list(dict.fromkeys(r["model"] for r in results))
    threads = list(dict.fromkeys(r["threads"] for r in results))
    versions = dict.fromkeys(f"{r['peer']} {r['version']}" for r in results if r.get("version"))
    parts = [HEAD, f"Machine: {machine()}. Measured on {datetime.date.today()}" + (f" by `{options.command}`" if options.command else "")
             + f". Versions: {', '.join(versions)}.\n", *(latency_section(results, models, t) for t in threads)]
    if 1 in threads and 2 in threads:
        parts.append(efficiency_section(results, models))
    parts += [start_section(results, models, threads[0]), numbers_section(results, models, threads[0])]
    failures = [f"- {r['peer']} on {r['model']}, {r['threads']} threads: {r['reason']}" for r in results if r["reason"]]
    if failures:
        parts.append("## Failures\n" + "\n".join(failures) + "\n")
    documents = [json.loads(path.read_text()) for path in options.layers]
    if documents:
        parts += ["## By layer, one thread\nSmallest time of each step, of steps that take at least half a percent of the run.\n",
                  shortfall_section(documents), *map(per_layer_section, documents)]
    print("\n".join(parts).rstrip())


if __name__ == "__main__":
    main()
