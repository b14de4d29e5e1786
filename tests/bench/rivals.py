"""One built-in rival, run as python rivals.py RIVAL MODEL INPUT THREADS REPS SCRATCH (see README.md).

A rival is `prepare(model, scratch)`, whose files stay in SCRATCH, and `load(model, scratch, threads, x)`,
which returns a function that runs one inference and returns a list of arrays.
"""
import functools
import importlib
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, NamedTuple

import numpy as np


class Rival(NamedTuple):
    package: str
    module: str
    load: Callable
    prepare: Callable | None = None


def load_onnxruntime(model, scratch, threads, x):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"input": x})


def load_openvino(model, scratch, threads, x):
    import openvino
    compiled = openvino.Core().compile_model(model, "CPU", {
        "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"})
    request = compiled.create_infer_request()
    return lambda: list(request.infer([x], share_inputs=True, share_outputs=True).values())


def prepare_ncnn(model, scratch):
    converter = Path(importlib.util.find_spec("pnnx").origin).parent / "pnnx"  # its package imports torch
    shape = ",".join(map(str, np.load(sys.argv[3], mmap_mode="r").shape))
    link = scratch / "model.onnx"  # the converter writes beside its input
    link.unlink(missing_ok=True)
    link.symlink_to(Path(model).resolve())
    files = ("ncnnparam", "ncnnbin", "ncnnpy", "pnnxparam", "pnnxbin", "pnnxpy", "pnnxonnx")
    subprocess.run([converter, link, f"inputshape=[{shape}]", "fp16=0",
                    *(f"{file}={scratch / file}" for file in files)], check=True, stdout=sys.stderr)


def load_ncnn(model, scratch, threads, x):
    import ncnn
    net = ncnn.Net()
    net.opt.num_threads = threads
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.opt.use_bf16_packed = net.opt.use_bf16_storage = False
    net.load_param(str(scratch / "ncnnparam"))
    net.load_model(str(scratch / "ncnnbin"))
    source = ncnn.Mat(x[0])

    def run():
        extractor = net.create_extractor()
        extractor.input("in0", source)
        return [np.array(extractor.extract(name)[1]) for name in net.output_names()]
    return run


def prepare_mnn(model, scratch):
    import _tools  # the mnnconvert script around it installs and calls a usage logger
    _tools.mnnconvert(["mnnconvert", "-f", "ONNX", "--modelFile", model, "--MNNModel",
                       str(scratch / "model.mnn"), "--bizCode", "bench"])


def load_mnn(model, scratch, threads, x):
    import MNN
    net = MNN.Interpreter(str(scratch / "model.mnn"))
    session = net.createSession({"backend": "CPU", "numThread": threads, "precision": "high"})
    layout = MNN.Tensor_DimensionType_Caffe
    source = MNN.Tensor(x.shape, MNN.Halide_Type_Float, x, layout)
    outputs = net.getSessionOutputAll(session)
    hosts = {name: MNN.Tensor(t.getShape(), MNN.Halide_Type_Float, np.empty(t.getShape(), np.float32), layout)
             for name, t in outputs.items()}

    def run():
        net.getSessionInput(session).copyFrom(source)
        net.runSession(session)
        for name, host in hosts.items():
            outputs[name].copyToHostTensor(host)
        return [host.getNumpyData() for host in hosts.values()]
    return run


def prepare_tvm(model, scratch):
    import onnx
    import tvm
    from tvm import relax
    from tvm.relax.frontend.onnx import from_onnx
    target = tvm.target.Target({"kind": "llvm", "mcpu": tvm.target.codegen.llvm_get_system_cpu()})
    with target:
        tvm.compile(from_onnx(onnx.load(model)), target).export_library(str(scratch / "model.so"))


def load_tvm(model, scratch, threads, x):
    import tvm
    os.environ["TVM_NUM_THREADS"] = str(threads)
    machine = tvm.relax.VirtualMachine(tvm.runtime.load_module(str(scratch / "model.so")), tvm.cpu())
    source = tvm.runtime.tensor(x)

    def run():
        result = machine["main"](source)
        return [t.numpy() for t in ([result] if isinstance(result, tvm.runtime.Tensor) else result)]
    return run


def prepare_iree(model, scratch):
    tools = Path(sys.executable).parent
    subprocess.run([tools / "iree-import-onnx", model, "-o", scratch / "model.mlir"], check=True)
    subprocess.run([tools / "iree-compile", scratch / "model.mlir", "-o", scratch / "model.vmfb",
                    "--iree-hal-target-device=local", "--iree-hal-local-target-device-backends=llvm-cpu",
                    "--iree-llvmcpu-target-cpu=host", "--iree-opt-level=O3"], check=True)
    (scratch / "model.mlir").unlink()


def load_iree(model, scratch, threads, x):
    import iree.runtime as iree
    iree.flags.parse_flags(f"--task_topology_group_count={threads}")
    module = iree.load_vm_flatbuffer_file(str(scratch / "model.vmfb"), driver="local-task")
    main = module[Path(model).stem]

    def run():
        result = main(x)
        return [t.to_host() for t in (result if isinstance(result, (tuple, list)) else [result])]
    return run


def load_torch(model, scratch, threads, x, compiled=False):
    import onnx2torch
    import torch
    torch.set_num_threads(threads)
    net = onnx2torch.convert(model).eval()
    if compiled:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(scratch)
        import torch._inductor.config
        torch._inductor.config.freezing = True
        net = torch.compile(net)
    source = torch.from_numpy(x)

    def run():
        with torch.no_grad():
            result = net(source)
        return [t.numpy() for t in (result if isinstance(result, (tuple, list)) else [result])]
    return run


def prepare_litert(model, scratch):
    import litert_torch
    import onnx2torch
    import torch
    sample = torch.from_numpy(np.load(sys.argv[3]))
    litert_torch.convert(onnx2torch.convert(model).eval(), (sample,)).export(str(scratch / "model.tflite"))


def load_litert(model, scratch, threads, x):
    from ai_edge_litert.interpreter import Interpreter
    net = Interpreter(str(scratch / "model.tflite"), num_threads=threads)
    net.allocate_tensors()
    source = net.get_input_details()[0]["index"]
    outputs = [detail["index"] for detail in net.get_output_details()]

    def run():
        net.set_tensor(source, x)
        net.invoke()
        return [net.get_tensor(index) for index in outputs]
    return run


RIVALS = {
    "onnxruntime": Rival("onnxruntime", "onnxruntime", load_onnxruntime),
    "openvino": Rival("openvino", "openvino", load_openvino),
    "ncnn": Rival("ncnn", "ncnn", load_ncnn, prepare_ncnn),
    "mnn": Rival("MNN", "MNN", load_mnn, prepare_mnn),
    "tvm": Rival("apache-tvm", "tvm", load_tvm, prepare_tvm),
    "iree": Rival("iree-base-runtime", "iree.runtime", load_iree, prepare_iree),
    "litert": Rival("ai-edge-litert", "ai_edge_litert.interpreter", load_litert, prepare_litert),
    "torch": Rival("torch", "torch", load_torch),
    "inductor": Rival("torch", "torch", functools.partial(load_torch, compiled=True)),
}


def peak_rss_mb():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def main():
    rival, model, source, threads, reps, scratch = sys.argv[1:]
    rival, scratch, clock = RIVALS[rival], Path(scratch), time.perf_counter
    x, report = np.load(source), {"version": importlib.metadata.version(rival.package)}
    ready = scratch / "ready"
    if rival.prepare:
        if not ready.exists():
            start = clock()
            rival.prepare(model, scratch)
            ready.write_text(str(clock() - start))
        report["prepare_s"] = float(ready.read_text())

    importlib.import_module(rival.module)
    start = clock()
    run = rival.load(model, scratch, int(threads), x)
    outputs = run()
    report["first_s"] = clock() - start
    for i, output in enumerate(outputs):
        np.save(scratch / f"output_{i}.npy", output)
    for _ in range(1 + int(reps) // 10):
        run()
    report["latencies_s"] = []
    for _ in range(int(reps)):
        start = clock()
        run()
        report["latencies_s"].append(clock() - start)
    report["peak_rss_mb"] = peak_rss_mb()
    print(json.dumps(report), flush=True)
    os._exit(0)  # a rival that crashes on teardown has already answered


if __name__ == "__main__":
    main()
