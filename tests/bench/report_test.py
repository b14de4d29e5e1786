"""The page that report.py makes of measurements small enough to check by hand."""
import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path


def entry(model, peer, threads, milliseconds, reason=None):
    return {"model": model, "peer": peer, "threads": threads, "version": "1", "min_ms": milliseconds, "first_ms": 10 * milliseconds,
            "rss_mb": 5, "error": 1e-6, "reason": reason}


def step(name, schedule, kernel, shape, macs, microseconds, **arguments):
    return {"name": name, "layers": "conv + relu", "schedule": schedule, "macs": macs, "min_us": microseconds,
            "arguments": {"kernel": [kernel, kernel], **arguments}, "output_shape": shape}


def page(results, *documents):
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for i, document in enumerate([results, *documents]):
            paths.append(Path(folder) / f"{i}.json")
            paths[-1].write_text(json.dumps(document))
        report = Path(__file__).with_name("report.py")
        return subprocess.run([sys.executable, report, *paths, "--command", "make it"], check=True, capture_output=True, text=True).stdout


class Report(unittest.TestCase):
    def test_ratios_are_to_the_best_of_the_others(self):
        text = page([entry("resnet50", "calotype", 1, 10), entry("resnet50", "ncnn", 1, 20), entry("resnet50", "mnn", 1, 15),
                     entry("vgg16", "calotype", 1, 10), entry("vgg16", "ncnn", 1, 60), entry("vgg16", "mnn", 1, 99, "it crashed")])
        self.assertIn("| resnet50 | 10 | 20 | 15 | 1.50 | mnn |", text)
        self.assertIn("| vgg16 | 10 | 60 | failed | 6.00 | ncnn |", text)
        self.assertIn("Geometric mean of the ratios: 3.00.\n", text)
        self.assertIn("mnn on vgg16, 1 threads: it crashed", text)
        self.assertIn("by `make it`", text)
        self.assertNotIn("nan", text)

    def test_tiny_networks_leave_out_the_call(self):
        text = page([entry("lenet5", "calotype", 1, 3), entry("lenet5", "mnn", 1, 9), entry("noop", "calotype", 1, 1), entry("noop", "mnn", 1, 3),
                     entry("resnet50", "calotype", 1, 10), entry("resnet50", "mnn", 1, 9)])
        self.assertIn("| lenet5 | 3 | 9 | 3.00 | mnn |", text)
        self.assertIn("Geometric mean of the ratios: 1.64; without lenet5, mlp, tiny_audio: 0.90.", text)
        self.assertIn("more than 3%: resnet50 (0.90)", text)

    def test_tiny_networks_alone_have_one_mean(self):
        text = page([entry("lenet5", "calotype", 1, 2), entry("lenet5", "mnn", 1, 4)])
        self.assertIn("Geometric mean of the ratios: 2.00.\n", text)
        self.assertNotIn("nan", text)

    def test_convolutions_below_their_bar_are_listed(self):
        steps = [step("slow", "direct_conv", 3, [1, 64, 56, 56], 50_000, 1), step("fast", "winograd", 3, [1, 64, 56, 56], 100_000, 1),
                 step("small", "winograd", 3, [1, 64, 14, 14], 45_000, 1), step("point", "direct_conv", 1, [1, 64, 56, 56], 40_000, 1),
                 step("strided", "direct_conv", 3, [1, 64, 56, 56], 45_000, 1, stride=[2]),
                 step("grouped", "direct_conv", 3, [1, 64, 56, 56], 1_000, 1, groups=[8])]
        text = page([entry("resnet50", "calotype", 1, 1), entry("resnet50", "mnn", 1, 2)], {"model": "resnet50", "peak_gflops": 100, "steps": steps})
        self.assertIn("3 of 5 reach it", text)
        self.assertIn("| resnet50 | slow | 3x3 to 64x56x56 | direct_conv | 100% | 150% |", text)
        self.assertIn("| resnet50 | point | 1x1 to 64x56x56 | direct_conv | 80% | 85% |", text)
        self.assertIn("| strided | conv + relu | 3x3 stride 2 to 64x56x56 | direct_conv | 1 | 90 | 90% |", text)


if __name__ == "__main__":
    unittest.main()
