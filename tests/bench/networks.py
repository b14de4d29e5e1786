"""Builds ONNX CNNs with fixed-seed random weights: python networks.py OUT_DIR [names...]

Every net has batch 1, static shapes, opset 17 and one input named `input`.
"""
import sys
import zlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference


class Net:
    """A graph under construction. Tensors are names; `channels` holds their axis-1 extents."""

    def __init__(self, name, shape):
        self.name, self.shape = name, shape
        self.rng = np.random.default_rng(zlib.crc32(name.encode()))
        self.nodes, self.weights, self.outputs = [], [], []
        self.channels = {"input": shape[1]}

    def weight(self, array):
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def random(self, *shape, std=0.1, mean=0.0):
        return self.weight(self.rng.normal(mean, std, shape).astype(np.float32))

    def op(self, kind, *inputs, channels=None, **attributes):
        out = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [out], **attributes))
        self.channels[out] = channels or self.channels[inputs[0]]
        return out

    def conv(self, x, out, kernel=3, stride=1, pad=None, groups=1, dilation=1, bias=False, gain=2.0):
        """`pad`: None centres the kernel, an int or an ONNX `pads` list is taken as is.
        `gain` is 2 after a ReLU (He) and 1 after a linear layer."""
        rank = len(self.shape) - 2
        kernel = [kernel] * rank if isinstance(kernel, int) else kernel
        if pad is None:
            pad = [k // 2 * dilation for k in kernel] * 2
        elif isinstance(pad, int):
            pad = [pad] * rank * 2
        fan_in = self.channels[x] // groups
        std = np.sqrt(gain / (fan_in * np.prod(kernel)))
        params = [self.random(out, fan_in, *kernel, std=std)]
        if bias:
            params.append(self.random(out))
        return self.op("Conv", x, *params, channels=out, kernel_shape=kernel, pads=pad, group=groups,
                       strides=[stride] * rank, dilations=[dilation] * rank)

    def deconv2x(self, x, out):
        cin = self.channels[x]
        return self.op("ConvTranspose", x, self.random(cin, out, 2, 2, std=np.sqrt(2 / cin)),
                       self.random(out), channels=out, kernel_shape=[2, 2], strides=[2, 2])

    def norm(self, x):
        c = self.channels[x]
        variance = self.weight(self.rng.uniform(0.7, 1.4, c).astype(np.float32))
        return self.op("BatchNormalization", x, self.random(c, mean=1), self.random(c), self.random(c),
                       variance, epsilon=1e-5)

    def activate(self, x, kind):
        if kind is None:
            return x
        if kind == "Relu6":
            return self.op("Clip", x, self.weight(np.float32(0)), self.weight(np.float32(6)))
        return self.op(kind, x, **({"alpha": 0.1} if kind == "LeakyRelu" else {}))

    def cbr(self, x, out, kernel=3, stride=1, act="Relu", **options):
        """Convolution, batch normalisation, activation."""
        return self.activate(self.norm(self.conv(x, out, kernel, stride, **options)), act)

    def pool(self, x, kind="Max", kernel=2, stride=2, pad=0, **attributes):
        rank = len(self.shape) - 2
        pads = [pad] * rank * 2 if isinstance(pad, int) else pad
        return self.op(f"{kind}Pool", x, kernel_shape=[kernel] * rank, strides=[stride] * rank, pads=pads,
                       **attributes)

    def concat(self, *xs):
        return self.op("Concat", *xs, channels=sum(self.channels[x] for x in xs), axis=1)

    def global_pool(self, x):
        return self.op("Flatten", self.op("GlobalAveragePool", x))

    def fc(self, x, inputs, outputs, act=None):
        w = self.random(outputs, inputs, std=np.sqrt(2 / inputs))
        return self.activate(self.op("Gemm", x, w, self.random(outputs), channels=outputs, transB=1), act)

    def finish(self, *outputs):
        infos = [helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in outputs]
        source = helper.make_tensor_value_info("input", TensorProto.FLOAT, self.shape)
        graph = helper.make_graph(self.nodes, self.name, [source], infos, self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        model = shape_inference.infer_shapes(model, strict_mode=True)
        onnx.checker.check_model(model)
        return model


def same(kernel, stride):
    """TensorFlow SAME padding of a 2-D extent that the stride divides."""
    total = max(kernel - stride, 0)
    return [total // 2] * 2 + [total - total // 2] * 2


def resnet(name, counts, bottleneck):
    n = Net(name, [1, 3, 224, 224])
    x = n.pool(n.cbr("input", 64, 7, 2, gain=1), kernel=3, pad=1)
    for stage, count in enumerate(counts):
        width = 64 << stage
        out = width * 4 if bottleneck else width
        for block in range(count):
            stride = 2 if stage and not block else 1
            if bottleneck:
                y = n.cbr(n.cbr(x, width, 1), width, 3, stride)
                y = n.cbr(y, out, 1, act=None, gain=0.5)
            else:
                y = n.cbr(n.cbr(x, width, 3, stride), out, 3, act=None, gain=0.5)
            if n.channels[x] != out:
                x = n.cbr(x, out, 1, stride, act=None)
            x = n.op("Relu", n.op("Add", x, y))
    return n.finish(n.fc(n.global_pool(x), out, 1000))


def resnet18():
    return resnet("resnet18", (2, 2, 2, 2), False)


def resnet50():
    return resnet("resnet50", (3, 4, 6, 3), True)


def vgg16():
    n = Net("vgg16", [1, 3, 224, 224])
    x = "input"
    for width, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            x = n.op("Relu", n.conv(x, width, bias=True, gain=1 if x == "input" else 2))
        x = n.pool(x)
    x = n.fc(n.op("Flatten", x), 512 * 7 * 7, 4096, "Relu")
    return n.finish(n.fc(n.fc(x, 4096, 4096, "Relu"), 4096, 1000))


def mobilenet_v1():
    n = Net("mobilenet_v1", [1, 3, 224, 224])
    x = n.cbr("input", 32, 3, 2, gain=1)
    for width, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2),
                          *[(512, 1)] * 5, (1024, 2), (1024, 1)):
        c = n.channels[x]
        x = n.cbr(n.cbr(x, c, 3, stride, groups=c), width, 1)
    return n.finish(n.fc(n.global_pool(x), 1024, 1000))


def inverted_residuals(n, x, blocks, pads):
    """MobileNetV2 blocks (expansion, width, repeats, stride, kernel)."""
    for expansion, width, repeats, stride, kernel in blocks:
        for repeat in range(repeats):
            s = 1 if repeat else stride
            c = n.channels[x]
            y = n.cbr(x, c * expansion, 1, act="Relu6", gain=1) if expansion > 1 else x
            hidden = n.channels[y]
            y = n.cbr(y, hidden, kernel, s, groups=hidden, act="Relu6", pad=pads(kernel, s))
            y = n.cbr(y, width, 1, act=None)
            x = n.op("Add", x, y) if s == 1 and c == width else y
    return x


def mobilenet_v2():
    n = Net("mobilenet_v2", [1, 3, 224, 224])
    x = n.cbr("input", 32, 3, 2, act="Relu6", gain=1)
    x = inverted_residuals(n, x, ((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 32, 3, 2, 3), (6, 64, 4, 2, 3),
                                  (6, 96, 3, 1, 3), (6, 160, 3, 2, 3), (6, 320, 1, 1, 3)),
                           lambda kernel, stride: None)
    x = n.cbr(x, 1280, 1, act="Relu6", gain=1)
    return n.finish(n.fc(n.global_pool(x), 1280, 1000))


def efficientnet_lite0():
    n = Net("efficientnet_lite0", [1, 3, 224, 224])
    x = n.cbr("input", 32, 3, 2, act="Relu6", gain=1, pad=same(3, 2))
    x = inverted_residuals(n, x, ((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3),
                                  (6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)), same)
    x = n.cbr(x, 1280, 1, act="Relu6", gain=1)
    return n.finish(n.fc(n.global_pool(x), 1280, 1000))


def mobilenet_v3_small():
    n = Net("mobilenet_v3_small", [1, 3, 224, 224])
    x = n.cbr("input", 16, 3, 2, act="HardSwish", gain=1)
    for kernel, hidden, width, squeeze, act, stride in (
            (3, 16, 16, 8, "Relu", 2), (3, 72, 24, 0, "Relu", 2), (3, 88, 24, 0, "Relu", 1),
            (5, 96, 40, 24, "HardSwish", 2), *[(5, 240, 40, 64, "HardSwish", 1)] * 2,
            (5, 120, 48, 32, "HardSwish", 1), (5, 144, 48, 40, "HardSwish", 1),
            (5, 288, 96, 72, "HardSwish", 2), *[(5, 576, 96, 144, "HardSwish", 1)] * 2):
        c = n.channels[x]
        y = n.cbr(x, hidden, 1, act=act) if hidden != c else x
        y = n.cbr(y, hidden, kernel, stride, groups=hidden, act=act)
        if squeeze:
            gate = n.op("Relu", n.conv(n.op("GlobalAveragePool", y), squeeze, 1, bias=True))
            gate = n.op("HardSigmoid", n.conv(gate, hidden, 1, bias=True), alpha=1 / 6, beta=0.5)
            y = n.op("Mul", y, gate)
        y = n.cbr(y, width, 1, act=None)
        x = n.op("Add", x, y) if stride == 1 and c == width else y
    x = n.global_pool(n.cbr(x, 576, 1, act="HardSwish"))
    return n.finish(n.fc(n.fc(x, 576, 1024, "HardSwish"), 1024, 1000))


def squeezenet1_1():
    n = Net("squeezenet1_1", [1, 3, 224, 224])

    def conv_relu(x, *args, **options):
        return n.op("Relu", n.conv(x, *args, bias=True, **options))

    x = conv_relu("input", 64, 3, 2, pad=0, gain=1)
    for fires in (((16, 64), (16, 64)), ((32, 128), (32, 128)), ((48, 192), (48, 192), (64, 256), (64, 256))):
        x = n.pool(x, kernel=3)
        for squeeze, expand in fires:
            s = conv_relu(x, squeeze, 1)
            x = n.concat(conv_relu(s, expand, 1), conv_relu(s, expand, 3))
    return n.finish(n.global_pool(conv_relu(x, 1000, 1)))


def inception_v3():
    n = Net("inception_v3", [1, 3, 299, 299])

    def chain(x, *layers):
        for layer in layers:
            x = n.cbr(x, *layer[:3], **(layer[3] if len(layer) > 3 else {}))
        return x

    def pooled(x, width):
        return n.cbr(n.pool(x, "Average", 3, 1, 1, count_include_pad=1), width, 1)

    reduce_ = (3, 2, {"pad": 0})
    wide, tall = (1, 7), (7, 1)
    x = chain("input", (32, 3, 2, {"pad": 0, "gain": 1}), (32, 3, 1, {"pad": 0}), (64, 3))
    x = chain(n.pool(x, kernel=3), (80, 1), (192, 3, 1, {"pad": 0}))
    x = n.pool(x, kernel=3)
    for width in (32, 64, 64):
        x = n.concat(chain(x, (64, 1)), chain(x, (48, 1), (64, 5)), chain(x, (64, 1), (96, 3), (96, 3)),
                     pooled(x, width))
    x = n.concat(chain(x, (384, *reduce_)), chain(x, (64, 1), (96, 3), (96, *reduce_)), n.pool(x, kernel=3))
    for c in (128, 160, 160, 192):
        x = n.concat(chain(x, (192, 1)), chain(x, (c, 1), (c, wide), (192, tall)),
                     chain(x, (c, 1), (c, tall), (c, wide), (c, tall), (192, wide)), pooled(x, 192))
    x = n.concat(chain(x, (192, 1), (320, *reduce_)),
                 chain(x, (192, 1), (192, wide), (192, tall), (192, *reduce_)), n.pool(x, kernel=3))
    for _ in range(2):
        y, z = chain(x, (384, 1)), chain(x, (448, 1), (384, 3))
        x = n.concat(chain(x, (320, 1)), chain(y, (384, (1, 3))), chain(y, (384, (3, 1))),
                     chain(z, (384, (1, 3))), chain(z, (384, (3, 1))), pooled(x, 192))
    return n.finish(n.fc(n.global_pool(x), 2048, 1000))


def densenet121():
    n = Net("densenet121", [1, 3, 224, 224])

    def preactivated(x, out, kernel):
        return n.conv(n.op("Relu", n.norm(x)), out, kernel)

    x = n.pool(n.cbr("input", 64, 7, 2, gain=1), kernel=3, pad=1)
    for stage, layers in enumerate((6, 12, 24, 16)):
        if stage:
            x = n.pool(preactivated(x, n.channels[x] // 2, 1), "Average")
        for _ in range(layers):
            x = n.concat(x, preactivated(preactivated(x, 128, 1), 32, 3))
    return n.finish(n.fc(n.global_pool(n.op("Relu", n.norm(x))), 1024, 1000))


def unet_small():
    n = Net("unet_small", [1, 3, 256, 256])
    x, skips = "input", []
    for width in (16, 32, 64, 128):
        x = n.cbr(n.cbr(x, width), width)
        skips.append(x)
        x = n.pool(x)
    x = n.cbr(n.cbr(x, 256), 256)
    for skip in reversed(skips):
        width = n.channels[skip]
        x = n.concat(skip, n.deconv2x(x, width))
        x = n.cbr(n.cbr(x, width), width)
    return n.finish(n.op("Sigmoid", n.conv(x, 1, 1, bias=True)))


def yolo_tiny():
    n = Net("yolo_tiny", [1, 3, 416, 416])

    def leaky(x, out, kernel=3):
        return n.cbr(x, out, kernel, act="LeakyRelu")

    x = leaky("input", 16)
    for width in (32, 64, 128, 256):
        x = leaky(n.pool(x), width)
    route = x
    x = leaky(n.pool(leaky(n.pool(x), 512), stride=1, pad=[0, 0, 1, 1]), 1024)
    x = leaky(x, 256, 1)
    coarse = n.conv(leaky(x, 512), 255, 1, bias=True)
    scales = n.weight(np.array([1, 1, 2, 2], np.float32))
    up = n.op("Resize", leaky(x, 128, 1), "", scales, mode="nearest", nearest_mode="floor",
              coordinate_transformation_mode="asymmetric")
    fine = n.conv(leaky(n.concat(up, route), 256), 255, 1, bias=True)
    return n.finish(coarse, fine)


def c3d_small():
    n = Net("c3d_small", [1, 3, 16, 56, 56])
    x = n.cbr("input", 32, gain=1)
    for width in (64, 128, 128, 256):
        x = n.cbr(n.pool(x), width)
    return n.finish(n.fc(n.global_pool(x), 256, 101))


def mlp():
    n = Net("mlp", [1, 784])
    return n.finish(n.fc(n.fc(n.fc("input", 784, 512, "Relu"), 512, 512, "Relu"), 512, 10))


def tiny_audio():
    """Ten gated causal layers over 2048 samples (43 ms at 48 kHz)."""
    n = Net("tiny_audio", [1, 1, 2048])
    x, skips = n.conv("input", 12, 1, gain=1), []
    for dilation in (1 << i for i in range(10)):
        def causal():
            return n.conv(x, 12, 3, dilation=dilation, pad=[2 * dilation, 0], bias=True, gain=1)
        z = n.op("Mul", n.op("Tanh", causal()), n.op("Sigmoid", causal()))
        x = n.op("Add", x, n.conv(z, 12, 1, bias=True))
        skips.append(z)
    return n.finish(n.conv(n.op("Sum", *skips), 1, 1, bias=True, gain=1))


def lenet5():
    n = Net("lenet5", [1, 1, 32, 32])
    x = n.pool(n.op("Tanh", n.conv("input", 6, 5, pad=0, bias=True, gain=1)), "Average")
    x = n.pool(n.op("Tanh", n.conv(x, 16, 5, pad=0, bias=True, gain=1)), "Average")
    x = n.fc(n.fc(n.op("Flatten", x), 400, 120, "Tanh"), 120, 84, "Tanh")
    return n.finish(n.fc(x, 84, 10))


def noop():
    """One Relu over four numbers: the call floor of a runtime."""
    n = Net("noop", [1, 4])
    return n.finish(n.op("Relu", "input"))


NETS = {f.__name__: f for f in (
    resnet18, resnet50, vgg16, mobilenet_v1, mobilenet_v2, squeezenet1_1, inception_v3, efficientnet_lite0,
    mobilenet_v3_small, densenet121, unet_small, yolo_tiny, c3d_small, mlp, tiny_audio, lenet5, noop)}


def parameters(model):
    """Trainable parameters: weights without the running statistics, Clip bounds and Resize scales."""
    ignored = {name for node in model.graph.node
               for name in {"BatchNormalization": node.input[3:], "Clip": node.input[1:],
                            "Resize": node.input[1:]}.get(node.op_type, [])}
    return sum(int(np.prod(w.dims)) for w in model.graph.initializer if w.name not in ignored)


def gflop(model):
    """Twice the multiply-accumulates of convolutions and fully connected layers."""
    sizes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim]
             for v in (*model.graph.input, *model.graph.value_info, *model.graph.output)}
    sizes |= {w.name: list(w.dims) for w in model.graph.initializer}
    macs = 0
    for node in model.graph.node:
        if node.op_type in ("Conv", "ConvTranspose", "Gemm"):
            data = node.input[0] if node.op_type == "ConvTranspose" else node.output[0]
            macs += np.prod(sizes[data]) * np.prod(sizes[node.input[1]][1:])
    return 2e-9 * float(macs)


if __name__ == "__main__":
    out_dir = Path(sys.argv[1])
    out_dir.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:] or NETS:
        model = NETS[name]()
        onnx.save(model, out_dir / f"{name}.onnx")
        print(f"{name:20} {parameters(model):>12,} parameters {gflop(model):8.4f} GFLOP")
