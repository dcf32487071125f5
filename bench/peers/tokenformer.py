"""PyTorch as a side of the comparison: TokenFormer, eager, with the operations of the official GPU code, and the standard Transformer.

Requests on stdin and answers on stdout, one JSON object a line, as bench/workload.ts describes them. Source of the
mathematics: megatron/model/tokenformer.py of Haiyang-W/TokenFormer at 4d56c73. Operations of that code that change no
number (a mask of ones, a factor of 1, dropout of 0) are left out, in its favour.
"""

import ctypes
import json
import math
import os
import sys
import time

try:
    import torch
    import torch.nn.functional as F
except ImportError as error:
    print(json.dumps({"problem": str(error)}), flush=True)
    sys.exit()


def hello(threads):
    """Versions, or what is wrong: a product on reference BLAS would be an unfair peer."""
    torch.set_num_threads(threads)
    torch.ones(64, 64) @ torch.ones(64, 64)
    versions = {"torch": torch.__version__, "python": sys.version.split()[0]}
    for name in ("OMP_WAIT_POLICY", "OPENBLAS_CORETYPE"):
        if name in os.environ:
            versions[name] = os.environ[name]
    if torch.backends.mkl.is_available():
        return {"versions": {**versions, "blas": "MKL"}}
    with open("/proc/self/maps") as maps:
        loaded = {line.split()[-1] for line in maps if "blas" in line}
    # The library that torch is linked with comes before others that were loaded by the way.
    for path in sorted(loaded, key=lambda path: "libblas.so" not in path):
        library = ctypes.CDLL(path)
        if not hasattr(library, "openblas_get_corename"):
            continue
        texts = {}
        for name in ("openblas_get_corename", "openblas_get_config"):
            function = getattr(library, name)
            function.restype = ctypes.c_char_p
            texts[name] = function().decode()
        version = " ".join(texts["openblas_get_config"].split()[:2])
        threads = library.openblas_get_num_threads()
        blas = f"{version}, core {texts['openblas_get_corename']}, {threads} threads"
        return {"versions": {**versions, "blas": blas}}
    return {"problem": f"torch multiplies with reference BLAS ({', '.join(sorted(loaded))})"}


def read_safetensors(path):
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
        data = bytearray(file.read())
    dtypes = {"F32": torch.float32, "I32": torch.int32}
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        start, end = entry["data_offsets"]
        flat = torch.frombuffer(data, dtype=dtypes[entry["dtype"]], count=(end - start) // 4, offset=start)
        tensors[name] = flat.reshape(entry["shape"]).clone()
    return tensors


def pattention(x, keys, values):
    scores = x @ keys.transpose(-2, -1)
    scores = scores / torch.norm(scores, p=2, dim=-1, keepdim=True) * math.sqrt(keys.shape[0])
    return F.gelu(scores) @ values


class TokenFormer:
    """The stack that both models share, over a dictionary of tensors with this project's names."""

    def __init__(self, stack, group, tensors):
        self.stack = stack
        self.group = group
        self.parameters = {
            name: tensor.requires_grad_() for name, tensor in tensors.items() if not name.endswith("/tau")
        }
        head_dim = stack["dModel"] // stack["numHeads"]
        self.rotary_dims = int(head_dim * stack["rotaryShare"]) // 2 * 2
        self.angles = {}
        self.masks = {}

    def layer(self, x, path):
        path = f"{path}/{self.group}"
        return pattention(x, self.parameters[f"{path}/keyParamTokens"], self.parameters[f"{path}/valueParamTokens"])

    def feed_forward(self, x, path):
        return self.layer(x, f"{path}/ffn")

    def rotate(self, x, start):
        """x [batch, heads, length, headDim]"""
        dims = self.rotary_dims
        if dims == 0:
            return x
        cos, sin = self.cos_and_sin(start, x.shape[2])
        turned, rest = x[..., :dims], x[..., dims:]
        a, b = turned[..., : dims // 2], turned[..., dims // 2 :]
        return torch.cat((turned * cos + torch.cat((-b, a), dim=-1) * sin, rest), dim=-1)

    def cos_and_sin(self, start, length):
        key = (start, length)
        if key not in self.angles:
            dims, base = self.rotary_dims, self.stack["rotaryBase"]
            frequencies = 1.0 / (base ** (torch.arange(0, dims, 2).float() / dims))
            angles = torch.outer(torch.arange(start, start + length).float(), frequencies)
            angles = torch.cat((angles, angles), dim=-1)
            self.angles[key] = (angles.cos(), angles.sin())
        return self.angles[key]

    def later_tokens(self, length, past):
        key = (length, past)
        if key not in self.masks:
            self.masks[key] = torch.ones(length, past + length, dtype=torch.bool).triu_(past + 1)
        return self.masks[key]

    def attention(self, h, path, causal, cache):
        batch, length, width = h.shape
        heads = self.stack["numHeads"]

        def split(x):
            return x.view(batch, length, heads, width // heads).transpose(1, 2)

        past = cache[0].shape[2] if cache else 0
        query = self.rotate(split(self.layer(h, f"{path}/query")), past)
        key = self.rotate(split(self.layer(h, f"{path}/key")), past)
        value = split(self.layer(h, f"{path}/value"))
        if cache:
            key = torch.cat((cache[0], key), dim=2)
            value = torch.cat((cache[1], value), dim=2)
        flat = (batch * heads, -1, width // heads)
        scores = torch.baddbmm(
            torch.empty(1, 1, 1),
            query.reshape(flat),
            key.reshape(flat).transpose(1, 2),
            beta=0.0,
            alpha=1.0 / math.sqrt(width // heads),
        )
        if causal and length > 1:
            scores = scores.masked_fill_(self.later_tokens(length, past), -10000.0)
        context = torch.bmm(scores.softmax(dim=-1), value.reshape(flat))
        context = context.view(batch, heads, length, -1).transpose(1, 2).reshape(batch, length, width)
        return self.layer(context, f"{path}/output"), (key, value)

    def run(self, x, causal, caches=None):
        width = (x.shape[-1],)
        new_caches = []
        for index in range(self.stack["numLayers"]):
            path = f"block{index}"
            attended, cache = self.attention(
                F.layer_norm(x, width), f"{path}/attention", causal, caches[index] if caches else None
            )
            new_caches.append(cache)
            x = x + attended
            x = x + self.feed_forward(F.layer_norm(x, width), path)
        norm = f"{self.group}/finalNorm"
        return F.layer_norm(x, width, self.parameters[f"{norm}/scale"], self.parameters[f"{norm}/bias"]), new_caches


class Transformer(TokenFormer):
    """The same around linear projections and an MLP with GELU."""

    def layer(self, x, path):
        return x @ self.parameters[f"{path}/{self.group}/weight"]

    def feed_forward(self, x, path):
        path = f"{path}/mlp/{self.group}"
        return F.gelu(x @ self.parameters[f"{path}/up"].t()) @ self.parameters[f"{path}/down"]


def language_logits(model, hidden):
    return hidden @ model.parameters["language/tokenEmbedding"].t()


def language_states(model, token_ids, caches=None):
    embedded = F.embedding(token_ids, model.parameters["language/tokenEmbedding"])
    return model.run(embedded, causal=True, caches=caches)


def language_loss(model, batch, index):
    hidden, _ = language_states(model, batch[f"tokenIds/{index}"].long())
    logits = language_logits(model, hidden)
    return F.cross_entropy(logits.view(-1, logits.shape[-1]), batch[f"labels/{index}"].long().view(-1))


def vision_loss(model, batch, index, patch):
    pixels = batch[f"pixelValues/{index}"]
    count, size = pixels.shape[:2]
    grid = size // patch
    patches = pixels.view(count, grid, patch, grid, patch * 3).transpose(2, 3).reshape(count, grid * grid, -1)
    p = model.parameters
    tokens = patches @ p["vision/patchEmbedding/kernel"] + p["vision/patchEmbedding/bias"]
    states, _ = model.run(tokens + p["vision/positionEmbedding"], causal=False)
    logits = states.mean(dim=1) @ p["vision/head/classify/kernel"] + p["vision/head/classify/bias"]
    return F.cross_entropy(logits, batch[f"labels/{index}"].long())


def open_model(folder):
    with open(os.path.join(folder, "model.json")) as file:
        description = json.load(file)
    stack = description["model"]["config"]["stack"]
    tensors = read_safetensors(os.path.join(folder, "model.safetensors"))
    batches = read_safetensors(os.path.join(folder, "batches.safetensors"))
    model = Transformer if stack.get("kind") == "transformer" else TokenFormer
    return description, model(stack, description["model"]["kind"], tensors), batches


def prepare_pattention(workload):
    def normal(rows):
        return torch.randn(rows, workload["width"])

    n = workload["numParamTokens"]
    inputs = [normal(rows).requires_grad_() for rows in (workload["tokens"], n, n)]
    d_output = normal(workload["tokens"])

    def run():
        torch.autograd.grad(pattention(*inputs), inputs, d_output)
        return {}

    return run


def prepare_step(workload):
    description, model, batches = open_model(workload["folder"])
    training, config = description["training"], description["model"]["config"]
    language = description["model"]["kind"] == "language"
    decayed = set(description["decayed"])
    parameters = list(model.parameters.values())
    groups = [
        {"params": [p for name, p in model.parameters.items() if (name in decayed) == decays], "weight_decay": decay}
        for decays, decay in ((True, training["weightDecay"]), (False, 0.0))
    ]
    betas = (training["beta1"], training["beta2"])
    optimizer = torch.optim.AdamW(groups, lr=training["learningRate"], betas=betas, eps=training["adamEpsilon"])
    num_batches = sum(name.startswith("labels/") for name in batches)
    state = {"step": 0}

    def run():
        index = state["step"] % num_batches
        state["step"] += 1
        optimizer.zero_grad(set_to_none=True)
        if language:
            loss = language_loss(model, batches, index)
        else:
            loss = vision_loss(model, batches, index, config["patchSize"])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, training["clipNorm"])
        optimizer.step()
        return {"losses": [loss.item()]}

    return run


def prepare_decode(workload):
    _, model, batches = open_model(workload["folder"])
    prompt = batches["tokenIds/0"].view(-1)[: workload["promptLen"]].long().view(1, -1)

    @torch.inference_mode()
    def run():
        token_ids, caches, log_prob, stop_id = prompt, None, 0.0, -1
        for _ in range(workload["newTokens"]):
            hidden, caches = language_states(model, token_ids, caches)
            best, token_ids = F.log_softmax(language_logits(model, hidden[:, -1]), dim=-1).max(dim=-1, keepdim=True)
            log_prob += best
            if token_ids.item() == stop_id:
                break
        return {"logProb": log_prob.item()}

    return run


PREPARE = {"pattention": prepare_pattention, "step": prepare_step, "decode": prepare_decode}


def measure(run, min_seconds):
    losses, count = [], 0
    start = time.perf_counter()
    while True:
        result = run()
        losses += result.get("losses", [])
        count += 1
        seconds = time.perf_counter() - start
        if seconds >= min_seconds:
            return {**result, "seconds": seconds / count, "losses": losses}


def main():
    print(json.dumps(hello(int(os.environ["OMP_NUM_THREADS"]))), flush=True)
    prepared = {}
    for line in sys.stdin:
        request = json.loads(line)
        workload = request["workload"]
        key = json.dumps(workload)
        if key not in prepared:
            prepared[key] = PREPARE[workload["kind"]](workload)
        print(json.dumps(measure(prepared[key], request["minSeconds"])), flush=True)


main()
