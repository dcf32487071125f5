"""PyTorch as the peer of engine `cuda`: TokenFormer with the operations of the official GPU code, on the cases of cases.json.

Mathematics: megatron/model/tokenformer.py of Haiyang-W/TokenFormer at 4d56c73 (Pattention with the L2 norm times √n, exact GELU,
non-parametric pre-norm, rotary positions on a share of each head, tied output); attention by scaled_dot_product_attention, AdamW
`fused=True`, clip_grad_norm_. Operations of that code that change no number are left out, in its favour. Initial weights and batches
are the integer hash of `uniform` below, which hashed.ts computes too, so that losses can be compared.

One JSON line for each (case, setting) on stdout; a setting that fails gives a line with `error`, and the next one follows.

    python3 peer.py --models A,B,C,V --settings fp32,tf32,bf16,tf32-compile,bf16-compile,bf16-graphs
"""

import argparse
import gc
import json
import math
import os
import statistics
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
FNV_PRIME, FNV_OFFSET = 0x01000193, 0x811C9DC5
CHUNK = 1 << 24


# ---------------------------------------------------------------- numbers both sides agree on


def hash_of(text):
    """FNV-1a, 32 bits."""
    value = FNV_OFFSET
    for byte in text.encode():
        value = ((value ^ byte) * FNV_PRIME) & 0xFFFFFFFF
    return value


def words(seed, name, count):
    """uint32 [count]: murmur3's finalizer of i · 0x9E3779B1 + hash(name)."""
    result = np.empty(count, np.uint32)
    base = np.uint32(hash_of(f"{seed}/{name}"))
    for start in range(0, count, CHUNK):
        part = result[start : start + CHUNK]
        h = np.arange(start, start + len(part), dtype=np.uint32)
        h *= np.uint32(0x9E3779B1)
        h += base
        h ^= h >> np.uint32(16)
        h *= np.uint32(0x85EBCA6B)
        h ^= h >> np.uint32(13)
        h *= np.uint32(0xC2B2AE35)
        h ^= h >> np.uint32(16)
        part[:] = h
    return result


def uniform(seed, name, shape, std):
    """float32, uniform on ±std·√3."""
    count = math.prod(shape)
    if std == 0:
        return torch.zeros(shape)
    result = np.empty(count, np.float32)
    bits = words(seed, name, count)
    for start in range(0, count, CHUNK):
        part = bits[start : start + CHUNK].astype(np.float64)
        result[start : start + CHUNK] = (part / 4294967296.0 * 2.0 - 1.0) * (std * math.sqrt(3))
    return torch.from_numpy(result).reshape(shape)


def integers(seed, name, count, bound):
    return torch.from_numpy((words(seed, name, count) % np.uint32(bound)).astype(np.int64))


# ---------------------------------------------------------------- the model


class Pattention(nn.Module):
    def __init__(self, n, d, key_std, value_std):
        super().__init__()
        self.stds = {"keys": key_std, "values": value_std}
        self.keys = nn.Parameter(torch.empty(n, d))
        self.values = nn.Parameter(torch.empty(n, d))
        self.tau = math.sqrt(n)

    def forward(self, x):
        scores = x @ self.keys.t()
        scores = scores / torch.norm(scores, p=2, dim=-1, keepdim=True) * self.tau
        return F.gelu(scores) @ self.values


class Block(nn.Module):
    def __init__(self, case, bridge=0):
        super().__init__()
        d, self.heads = case["dModel"], case["numHeads"]
        stds = (0.02, 2 / (case["numLayers"] * math.sqrt(d)))
        for name, n in (("query", "qkv"), ("key", "qkv"), ("value", "qkv"), ("output", "qkv"), ("ffn", "ffn")):
            setattr(self, name, Pattention(case[n], d, *stds))
        self.bridge = bridge > 0
        if bridge:
            for name in BRIDGES:
                setattr(self, name, Pattention(bridge, d, 1 / math.sqrt(d), 0))

    def split(self, x):
        return x.view(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)

    def qkv(self, h, angles):
        q, k, v = self.query(h), self.key(h), self.value(h)
        if self.bridge:
            q, k, v = q + self.text_query(h), k + self.text_key(h), v + self.text_value(h)
        return rotate(self.split(q), angles), rotate(self.split(k), angles), self.split(v)

    def forward(self, x, angles, causal, context=None):
        width = (x.shape[-1],)
        q, k, v = self.qkv(F.layer_norm(x, width), angles)
        if context is None:
            attended = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
            projected = self.output(attended.transpose(1, 2).reshape(x.shape))
        else:
            context_keys, context_values = (self.split(part) for part in context)
            k, v = torch.cat((context_keys, k), 2), torch.cat((context_values, v), 2)
            length, seen = q.shape[2], context_keys.shape[2]
            later = torch.ones(length, seen + length, dtype=torch.bool, device=x.device).triu(seen + 1)
            scores = (q @ k.transpose(2, 3)) * (1 / math.sqrt(q.shape[-1]))
            weights = scores.masked_fill(later, -1e9).softmax(-1).to(v.dtype)
            own = (weights @ v).transpose(1, 2).reshape(x.shape)
            image = (weights[..., :seen] @ v[:, :, :seen]).transpose(1, 2).reshape(x.shape)
            projected = self.output(own) + self.image_output(image)
        x = x + projected
        return x + self.ffn(F.layer_norm(x, width))

    def decode(self, x, angles, cache, position, visible):
        """One more token of each row against a cache of fixed size."""
        width = (x.shape[-1],)
        q, k, v = self.qkv(F.layer_norm(x, width), angles)
        cache[0].index_copy_(2, position, k.to(cache[0].dtype))
        cache[1].index_copy_(2, position, v.to(cache[1].dtype))
        attended = F.scaled_dot_product_attention(q.to(cache[0].dtype), cache[0], cache[1], attn_mask=visible)
        x = x + self.output(attended.transpose(1, 2).reshape(x.shape))
        return x + self.ffn(F.layer_norm(x, width))


BRIDGES = {
    "text_query": "attention/query/textBridge",
    "text_key": "attention/key/textBridge",
    "text_value": "attention/value/textBridge",
    "image_key": "attention/key/imageBridge",
    "image_value": "attention/value/imageBridge",
    "image_output": "attention/output/imageBridge",
}
LAYERS = {
    "query": "attention/query",
    "key": "attention/key",
    "value": "attention/value",
    "output": "attention/output",
    "ffn": "ffn",
}


def rotate(x, angles):
    """x [batch, heads, length, headDim]"""
    if angles is None:
        return x
    cos, sin = angles
    dims = cos.shape[-1]
    turned, rest = x[..., :dims], x[..., dims:]
    a, b = turned[..., : dims // 2], turned[..., dims // 2 :]
    return torch.cat(((turned * cos + torch.cat((-b, a), dim=-1) * sin).to(x.dtype), rest), dim=-1)


def rotary_angles(case, length):
    dims = int(case["dModel"] // case["numHeads"] * case["rotaryShare"]) // 2 * 2
    if dims == 0:
        return None
    frequencies = 1.0 / (10000 ** (torch.arange(0, dims, 2).float() / dims))
    angles = torch.outer(torch.arange(length).float(), frequencies)
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos(), angles.sin()


class Stack(nn.Module):
    """Blocks, and the parametric final norm."""

    def __init__(self, case, group, bridge=0):
        super().__init__()
        self.case, self.group = case, group
        self.blocks = nn.ModuleList(Block(case, bridge) for _ in range(case["numLayers"]))
        self.norm = nn.LayerNorm(case["dModel"])

    def named(self):
        """(name in this project, parameter, std; None for the norm)"""
        for l, block in enumerate(self.blocks):
            for name, path in LAYERS.items():
                yield from named_group(f"block{l}/{path}/{self.group}", getattr(block, name))
            for name, path in BRIDGES.items() if block.bridge else ():
                yield from named_group(f"block{l}/{path}", getattr(block, name))
        yield f"{self.group}/finalNorm/scale", self.norm.weight, None
        yield f"{self.group}/finalNorm/bias", self.norm.bias, None


def named_group(path, group):
    yield f"{path}/keyParamTokens", group.keys, group.stds["keys"]
    yield f"{path}/valueParamTokens", group.values, group.stds["values"]


class Language(nn.Module):
    def __init__(self, case, bridge=0):
        super().__init__()
        self.case = case
        self.embedding = nn.Parameter(torch.empty(case["vocabSize"], case["dModel"]))
        self.stack = Stack(case, "language", bridge)
        angles = rotary_angles(case, case["seqLen"])
        self.register_buffer("cos", angles[0], persistent=False)
        self.register_buffer("sin", angles[1], persistent=False)

    def named(self):
        yield "language/tokenEmbedding", self.embedding, 0.02
        yield from self.stack.named()

    def angles(self, length):
        return self.cos[:length], self.sin[:length]

    def logits(self, hidden):
        return self.stack.norm(hidden) @ self.embedding.t()

    def loss(self, logits, labels):
        return F.cross_entropy(logits.view(-1, logits.shape[-1]).float(), labels.view(-1))

    def forward(self, ids, labels):
        x = F.embedding(ids, self.embedding)
        for block in self.stack.blocks:
            x = block(x, self.angles(ids.shape[1]), True)
        return self.loss(self.logits(x), labels)

    def decode(self, ids, caches, position, visible):
        """ids [batch, 1] → the next ids"""
        x = F.embedding(ids, self.embedding)
        angles = (self.cos.index_select(0, position), self.sin.index_select(0, position))
        for block, cache in zip(self.stack.blocks, caches):
            x = block.decode(x, angles, cache, position, visible)
        return self.logits(x).argmax(-1)

    def batches(self, seed, count, case):
        tokens, vocabulary = case["batch"] * case["seqLen"], case["vocabSize"]
        for i in range(count):
            ids = integers(seed, f"tokenIds/{i}", tokens, vocabulary)
            labels = (ids * 5 + 1) % vocabulary
            shape = (case["batch"], case["seqLen"])
            yield ids.view(shape), labels.view(shape)


class Vision(nn.Module):
    def __init__(self, case):
        super().__init__()
        self.case = case
        d, width = case["dModel"], case["patchSize"] ** 2 * 3
        self.patches = (case["imageSize"] // case["patchSize"]) ** 2
        self.kernel = nn.Parameter(torch.empty(width, d))
        self.bias = nn.Parameter(torch.zeros(d))
        self.positions = nn.Parameter(torch.empty(self.patches, d))
        self.stack = Stack(case, "vision")
        self.head = nn.Parameter(torch.empty(d, case["numClasses"]))
        self.head_bias = nn.Parameter(torch.zeros(case["numClasses"]))

    def named(self, head=True):
        yield "vision/patchEmbedding/kernel", self.kernel, 1 / math.sqrt(self.kernel.shape[0])
        yield "vision/patchEmbedding/bias", self.bias, None
        yield "vision/positionEmbedding", self.positions, 0.02
        yield from self.stack.named()
        if head:
            yield "vision/head/classify/kernel", self.head, 0.02
            yield "vision/head/classify/bias", self.head_bias, None

    def states(self, pixels):
        size, patch = self.case["imageSize"], self.case["patchSize"]
        grid = size // patch
        cut = pixels.view(-1, grid, patch, grid, patch * 3).transpose(2, 3).reshape(-1, grid * grid, patch * patch * 3)
        x = cut @ self.kernel + self.bias + self.positions
        for block in self.stack.blocks:
            x = block(x, None, False)
        return x

    def forward(self, pixels, labels):
        logits = self.stack.norm(self.states(pixels)).mean(1) @ self.head + self.head_bias
        return F.cross_entropy(logits.float(), labels)

    def pixels(self, seed, i, batch):
        size = self.case["imageSize"]
        return uniform(seed, f"pixelValues/{i}", (batch, size, size, 3), 1 / math.sqrt(3))

    def batches(self, seed, count, case):
        for i in range(count):
            yield (
                self.pixels(seed, i, case["batch"]),
                integers(seed, f"classes/{i}", case["batch"], case["numClasses"]),
            )


class Joint(nn.Module):
    """Method `routed` on the final image states; the bridge is trained, the backbones are frozen."""

    def __init__(self, case, cases):
        super().__init__()
        self.vision = Vision(cases[case["vision"]])
        self.language = Language(cases[case["language"]], case["bridgeTokens"])
        bridges = {id(p) for name, p, _ in self.named() if "Bridge/" in name}
        for parameter in self.parameters():
            parameter.requires_grad_(id(parameter) in bridges)

    def named(self):
        yield from self.vision.named(head=False)
        yield from self.language.named()

    def forward(self, pixels, ids, labels):
        with torch.no_grad():
            image = self.vision.states(pixels)
            image = F.layer_norm(image, image.shape[-1:])
            where = F.layer_norm(self.vision.positions, image.shape[-1:])
        x = F.embedding(ids, self.language.embedding)
        for own, block in zip(self.vision.stack.blocks, self.language.stack.blocks):
            context = (own.key(image) + block.image_key(image), own.value(image) + block.image_value(where))
            x = block(x, self.language.angles(ids.shape[1]), True, context)
        return self.language.loss(self.language.logits(x), labels)

    def batches(self, seed, count, case):
        text = self.language.batches(seed, count, {**self.language.case, "batch": case["batch"], "seqLen": case["seqLen"]})
        for i, (ids, labels) in enumerate(text):
            yield self.vision.pixels(seed, i, case["batch"]), ids, labels


def open_model(name, spec):
    case = spec["models"][name]
    kinds = {"language": Language, "vision": Vision}
    model = Joint(case, spec["models"]) if case["kind"] == "joint" else kinds[case["kind"]](case)
    with torch.no_grad():
        for path, parameter, std in model.named():
            if std is None:
                parameter.fill_(1 if path.endswith("/scale") else 0)
            else:
                parameter.copy_(uniform(spec["seed"], path, tuple(parameter.shape), std))
    return model, list(model.batches(spec["seed"], spec["batches"], case))


# ---------------------------------------------------------------- settings and times


def parse_setting(name):
    """fp32 | tf32 | bf16, then -compile (one graph), -graphs (CUDA graphs), -tune (max-autotune), -whole (one CUDA graph of the step)."""
    precision, _, mode = name.partition("-")
    return precision, mode


def set_precision(precision):
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    torch.backends.cudnn.allow_tf32 = precision == "tf32"


COMPILE_MODES = {
    "compile": None,
    "whole": None,
    "graphs": "reduce-overhead",
    "tune": "max-autotune-no-cudagraphs",
    "tunegraphs": "max-autotune",
}


def compiled(function, mode):
    return torch.compile(function, mode=COMPILE_MODES[mode], dynamic=False) if mode else function


def synchronize(device):
    if device == "cuda":
        torch.cuda.synchronize()


def report(line):
    print(json.dumps({"side": "pytorch", **line}), flush=True)


def timed(run, device, seconds, block=5, least=3):
    """Median milliseconds of `run` over blocks of calls; no wait within a block."""
    synchronize(device)
    times, start = [], time.perf_counter()
    while len(times) < least or time.perf_counter() - start < seconds:
        before = time.perf_counter()
        for _ in range(block):
            run()
        synchronize(device)
        times.append((time.perf_counter() - before) / block * 1000)
    return {"ms": statistics.median(times), "fastest": min(times), "slowest": max(times), "repetitions": len(times) * block}


class Training:
    """Steps of one model in one setting; `step()` returns the loss on the device."""

    def __init__(self, name, spec, opened, setting, device):
        precision, mode = parse_setting(setting)
        set_precision(precision)
        self.mode, self.device = mode, device
        source, batches = opened
        import copy

        self.model = copy.deepcopy(source).to(device)
        training = spec["training"]
        named = [(path, p) for path, p, _ in self.model.named() if p.requires_grad]
        decays = lambda path, p: p.dim() >= 2 and not path.endswith("positionEmbedding")
        groups = [
            {"params": [p for path, p in named if decays(path, p) == wanted], "weight_decay": decay}
            for wanted, decay in ((True, training["weightDecay"]), (False, 0.0))
        ]
        self.parameters = [p for _, p in named]
        self.optimizer = torch.optim.AdamW(
            [group for group in groups if group["params"]],
            lr=training["learningRate"],
            betas=(training["beta1"], training["beta2"]),
            eps=training["adamEpsilon"],
            fused=device == "cuda",
            capturable=mode == "whole",
        )
        self.clip = training["clipNorm"]
        pin = (lambda t: t.pin_memory()) if device == "cuda" else (lambda t: t)
        self.batches = [tuple(pin(t) for t in batch) for batch in batches]
        forward = compiled(self.model, mode)

        def loss_of(*batch):
            with torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bf16"):
                return forward(*batch)

        self.loss_of = loss_of
        self.count = 0
        self.graph = None

    def next_batch(self):
        batch = self.batches[self.count % len(self.batches)]
        self.count += 1
        return batch

    def update(self, batch):
        loss = self.loss_of(*batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, self.clip)
        self.optimizer.step()
        return loss.detach()

    def step(self):
        batch = self.next_batch()
        if self.graph is not None:
            for target, source in zip(self.inputs, batch):
                target.copy_(source, non_blocking=True)
            self.graph.replay()
            return self.static_loss.clone()
        batch = tuple(t.to(self.device, non_blocking=True) for t in batch)
        if self.mode in ("graphs", "tunegraphs"):
            torch.compiler.cudagraph_mark_step_begin()
        self.optimizer.zero_grad(set_to_none=True)
        return self.update(batch).clone()

    def capture(self):
        """The whole step as one CUDA graph, after steps that have compiled and warmed everything."""
        self.inputs = tuple(t.to(self.device) for t in self.batches[0])
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.stream(stream):
            self.optimizer.zero_grad(set_to_none=True)
        torch.cuda.current_stream().wait_stream(stream)
        self.optimizer.zero_grad(set_to_none=True)
        with torch.cuda.graph(graph):
            self.static_loss = self.update(self.inputs)
        self.graph = graph


def bench_step(name, setting, spec, opened, args):
    device = args.device
    start = time.perf_counter()
    training = Training(name, spec, opened, setting, device)
    opened_s = time.perf_counter() - start
    losses, start = [], time.perf_counter()
    first = 2 if args.warm else 10
    for index in range(first):
        losses.append(training.step())
        if index == 1:
            synchronize(device)
            compile_s = time.perf_counter() - start
    losses = [loss.item() for loss in losses]
    if args.warm:
        report({"case": name, "setting": setting, "warmed": compile_s})
        return
    if training.mode == "whole":
        training.capture()
        training.step()
    for _ in range(3):
        training.step()
    synchronize(device)
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    times = timed(training.step, device, args.seconds)
    memory = {}
    if device == "cuda":
        memory = {"peakBytes": torch.cuda.max_memory_allocated(), "reservedBytes": torch.cuda.max_memory_reserved()}
    report({"case": name, "setting": setting, **times, **memory, "losses": losses, "compileS": compile_s, "openS": opened_s})


def bench_decode(name, batch, setting, spec, opened, args):
    """Greedy tokens after a prompt that is fed token by token; weights in the setting's precision, as for inference."""
    device = args.device
    precision, mode = parse_setting(setting)
    set_precision(precision)
    import copy

    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    model = copy.deepcopy(opened[0]).to(device).to(dtype).requires_grad_(False)
    case = spec["models"][name]
    length = min(args.decode_tokens + 65, case["seqLen"])
    heads, d = case["numHeads"], case["dModel"]
    caches = [
        tuple(torch.zeros(batch, heads, length, d // heads, device=device, dtype=dtype) for _ in range(2))
        for _ in range(case["numLayers"])
    ]
    for cache in caches:
        for tensor in cache:
            torch._dynamo.mark_static_address(tensor)
    steps = torch.arange(length, device=device)
    step = compiled(model.decode, mode)
    first = opened[1][0][0].to(device).view(-1)[:1].repeat(batch).view(batch, 1)
    synchronize(device)

    @torch.inference_mode()
    def generate(count):
        ids, start = first, time.perf_counter()
        for position in range(count):
            if mode in ("graphs", "tunegraphs"):
                torch.compiler.cudagraph_mark_step_begin()
            at = steps[position : position + 1]
            visible = (steps <= at).view(1, 1, 1, length)
            ids = step(ids, caches, at, visible).clone()
        synchronize(device)
        return (time.perf_counter() - start) * 1000 / count

    start = time.perf_counter()
    generate(4)
    compile_s = time.perf_counter() - start
    if args.warm:
        report({"case": f"decode-{name}-{batch}", "setting": setting, "warmed": compile_s})
        return
    generate(length - 1)
    times = [generate(length - 1) for _ in range(3)]
    memory = {"peakBytes": torch.cuda.max_memory_allocated()} if device == "cuda" else {}
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    report(
        {"case": f"decode-{name}-{batch}", "setting": setting, "ms": statistics.median(times), "weightBytes": weights,
         "compileS": compile_s, **memory}
    )


def bench_pattention(tokens, d, n, setting, args):
    precision, mode = parse_setting(setting)
    set_precision(precision)
    device = args.device
    layer = Pattention(n, d, 0.02, 0.02).to(device)
    with torch.no_grad():
        layer.keys.normal_(0, 0.02)
        layer.values.normal_(0, 0.02)
    x = torch.randn(tokens, d, device=device).requires_grad_()
    gradient = torch.randn(tokens, d, device=device)
    forward = compiled(layer, mode)

    def run():
        with torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bf16"):
            y = forward(x)
        torch.autograd.grad(y, (x, layer.keys, layer.values), gradient.to(y.dtype))

    for _ in range(3):
        run()
    if not args.warm:
        report({"case": f"pattention-{tokens}-{d}-{n}", "setting": setting, **timed(run, device, min(args.seconds, 1))})


def bench_attention(batch, heads, length, width, causal, setting, args):
    precision, _ = parse_setting(setting)
    set_precision(precision)
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    make = lambda: torch.randn(batch, heads, length, width, device=args.device, dtype=dtype)
    inputs = [make().requires_grad_() for _ in range(3)]
    gradient = make()

    def run():
        torch.autograd.grad(F.scaled_dot_product_attention(*inputs, is_causal=causal), inputs, gradient)

    for _ in range(3):
        run()
    kind = "causal" if causal else "full"
    report(
        {"case": f"attention-{kind}-{batch}-{heads}-{length}-{width}", "setting": setting,
         **timed(run, args.device, min(args.seconds, 1))}
    )


def step_products(case):
    """{(m, n, k): count} of the products of a step, as forward x Kᵀ, S V; backward dY Vᵀ, dA K, Sᵀ dY, dAᵀ x; and the output."""
    d, tokens = case["dModel"], case["batch"] * case.get("seqLen", 0)
    if case["kind"] == "vision":
        tokens = case["batch"] * (case["imageSize"] // case["patchSize"]) ** 2
    counts = {}

    def add(m, n, k, count):
        counts[(m, n, k)] = counts.get((m, n, k), 0) + count

    for n, layers in ((case["qkv"], 4), (case["ffn"], 1)):
        layers *= case["numLayers"]
        add(tokens, n, d, 2 * layers)
        add(tokens, d, n, 2 * layers)
        add(n, d, tokens, 2 * layers)
    if case["kind"] == "language":
        add(tokens, case["vocabSize"], d, 1)
        add(tokens, d, case["vocabSize"], 1)
        add(case["vocabSize"], d, tokens, 1)
    return counts


def bench_products(name, setting, spec, args):
    """The sum over all products of a step: the floor of an engine on cuBLASLt."""
    set_precision(setting)
    dtype = torch.bfloat16 if setting == "bf16" else torch.float32
    total, flop = 0.0, 0.0
    for (m, n, k), count in step_products(spec["models"][name]).items():
        a = torch.randn(m, k, device=args.device, dtype=dtype)
        b = torch.randn(n, k, device=args.device, dtype=dtype).t()
        out = torch.empty(m, n, device=args.device, dtype=dtype)
        run = lambda: torch.mm(a, b, out=out)
        run()
        total += timed(run, args.device, 0.05, block=10)["ms"] * count
        flop += 2.0 * m * n * k * count
    report({"case": f"products-{name}", "setting": setting, "ms": total, "teraflops": flop / total / 1e9})


def bench_peak(setting, args):
    set_precision(setting)
    size = 8192 if args.device == "cuda" else 256
    dtype = torch.bfloat16 if setting == "bf16" else torch.float32
    a, b = (torch.randn(size, size, device=args.device, dtype=dtype) for _ in range(2))
    run = lambda: a @ b
    for _ in range(3):
        run()
    times = timed(run, args.device, 0.5)
    report({"case": "peak", "setting": setting, **times, "teraflops": 2 * size**3 / times["fastest"] / 1e9})


def bench_bandwidth(args):
    count = 2**28 if args.device == "cuda" else 2**20
    a, b = torch.zeros(count, device=args.device), torch.empty(count, device=args.device)
    b.copy_(a)
    times = timed(lambda: b.copy_(a), args.device, 0.3)
    report({"case": "bandwidth", "setting": "copy", **times, "gigabytesPerS": 8 * count / times["fastest"] / 1e6})


def guarded(case, setting, work):
    try:
        work()
    except Exception as error:  # a setting that fails must not end the others
        text = " ".join(str(error).split())
        report({"case": case, "setting": setting, "error": f"{type(error).__name__}: {text}"[:400]})
    gc.collect()
    torch._dynamo.reset()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", default="C,A,B,V,J", help="of cases.json; none: -")
    parser.add_argument("--settings", default="fp32,tf32,bf16,tf32-compile,bf16-compile,bf16-graphs")
    parser.add_argument("--extras", default="", help="of peak,bandwidth,products,pattention,attention,decode; all")
    parser.add_argument("--decode-settings", default="bf16,bf16-graphs")
    parser.add_argument("--decode-model", default="B")
    parser.add_argument("--decode-tokens", type=int, default=128)
    parser.add_argument("--seconds", "--seconds-per-case", type=float, default=1.5, help="of timed steps for each case")
    parser.add_argument("--budget", type=float, default=1e9, help="seconds after which nothing new starts")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--warm", action="store_true", help="two steps of each compiled setting, to fill the compiler's cache")
    parser.add_argument("--only", help="pairs A:bf16-compile,C:bf16-graphs instead of models × settings")
    args = parser.parse_args()
    started = time.perf_counter()
    with open(os.path.join(HERE, "cases.json")) as file:
        spec = json.load(file)
    split = lambda text: [part for part in text.split(",") if part and part != "-"]
    extras = split(args.extras)
    wants = lambda extra: extra in extras or "all" in extras
    card = torch.cuda.get_device_name() if args.device == "cuda" else "cpu"
    report({"hello": True, "torch": torch.__version__, "python": sys.version.split()[0], "card": card,
            "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()})
    spent = lambda: time.perf_counter() - started > args.budget
    opened = {}

    def model(name):
        if name not in opened:
            opened.clear()
            opened[name] = open_model(name, spec)
        return opened[name]

    def case(name, setting, work):
        if spent():
            report({"case": name, "setting": setting, "error": f"not run: the budget of {args.budget:g} s is spent"})
        else:
            guarded(name, setting, work)

    if not args.warm:
        for setting in ("bf16", "tf32", "fp32") if wants("peak") else ():
            case("peak", setting, lambda: bench_peak(setting, args))
        if wants("bandwidth"):
            case("bandwidth", "copy", lambda: bench_bandwidth(args))
        for name in [n for n in split(args.models) if spec["models"][n]["kind"] != "joint"] if wants("products") else ():
            for setting in ("bf16", "tf32"):
                case(f"products-{name}", setting, lambda: bench_products(name, setting, spec, args))
        for setting in ("bf16", "tf32", "fp32") if wants("attention") else ():
            shape = (8, 12, 1024, 64, True) if args.device == "cuda" else (2, 2, 64, 16, True)
            case("attention", setting, lambda: bench_attention(*shape, setting, args))
    if wants("pattention"):
        for n in (768, 3072):
            for setting in ("bf16", "bf16-compile", "tf32", "tf32-compile", "fp32"):
                shape = (8192, 768, n) if args.device == "cuda" else (64, 32, n // 16)
                if not args.warm or "-" in setting:
                    case(f"pattention-{n}", setting, lambda: bench_pattention(*shape, setting, args))
    pairs = [tuple(pair.split(":")) for pair in split(args.only)] if args.only else [
        (name, setting) for name in split(args.models) for setting in split(args.settings)
    ]
    decodes = [(batch, setting) for batch in (1, 64) for setting in split(args.decode_settings)] if wants("decode") else []
    for name, setting in pairs:
        if not args.warm or "-" in setting:
            case(name, setting, lambda: bench_step(name, setting, spec, model(name), args))
        if name == args.decode_model and (name, setting) == [p for p in pairs if p[0] == name][-1]:
            for batch, of in decodes:
                if not args.warm or "-" in of:
                    case(f"decode-{name}-{batch}", of, lambda: bench_decode(name, batch, of, spec, model(name), args))
            decodes = []
    for batch, of in decodes:
        name = args.decode_model
        if not args.warm or "-" in of:
            case(f"decode-{name}-{batch}", of, lambda: bench_decode(name, batch, of, spec, model(name), args))
    report({"done": True, "seconds": time.perf_counter() - started})


main()
