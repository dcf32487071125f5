"""PyTorch as a side of the comparison: TokenFormer with the operations of the official GPU code, and the standard Transformer.

    tokenformer.py eager | compiled

`eager` runs on every release, Debian's too; `compiled` takes torch.compile. Where a release has them, attention is
scaled_dot_product_attention and AdamW fused. Source of the mathematics: megatron/model/tokenformer.py of
Haiyang-W/TokenFormer at 4d56c73. Operations of that code that change no number (a mask of ones, a factor of 1, dropout of
0) are left out, in its favour.
"""

import ctypes
import math
import sys

from serve import leave_out, number_of_threads, read_model, serve, settings

try:
    import torch
    import torch.nn.functional as F
except ImportError as error:
    leave_out(str(error))

COMPILED = sys.argv[1] == "compiled"
#: Has scaled_dot_product_attention with a kernel for processors, and AdamW fused on them.
MODERN = tuple(int(part) for part in torch.__version__.split(".")[:2]) >= (2, 4)


def compiled(function):
    return torch.compile(function, dynamic=False) if COMPILED else function


def versions():
    """Also refuses to take part on reference BLAS: a product there would be an unfair peer."""
    torch.set_num_threads(number_of_threads())
    torch.set_flush_denormal(True)
    torch.ones(64, 64) @ torch.ones(64, 64)
    found = {"torch": torch.__version__, "python": sys.version.split()[0], "mode": sys.argv[1]}
    found.update(settings("OMP_WAIT_POLICY", "OPENBLAS_CORETYPE", "GLIBC_TUNABLES"))
    if torch.backends.mkl.is_available():
        return {**found, "blas": "MKL", "threads": str(torch.get_num_threads())}
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
        return {**found, "blas": f"{version}, core {texts['openblas_get_corename']}, {threads} threads"}
    leave_out(f"torch multiplies with reference BLAS ({', '.join(sorted(loaded))})")


def tensor_of(buffer, dtype, shape):
    dtypes = {"F32": torch.float32, "I32": torch.int32}
    return torch.frombuffer(buffer, dtype=dtypes[dtype]).reshape(shape).clone()


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

    def rotate(self, x, angles):
        """x [batch, heads, length, headDim], angles (cos, sin) [length, dims]"""
        dims = self.rotary_dims
        if dims == 0:
            return x
        cos, sin = angles
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

    def attend(self, query, key, value, causal):
        """query [batch, heads, length, headDim]; key and value may have a past before them"""
        batch, heads, length, head_dim = query.shape
        past = key.shape[2] - length
        if MODERN:
            return F.scaled_dot_product_attention(query, key, value, is_causal=causal and length > 1)
        flat = (batch * heads, -1, head_dim)
        scores = torch.baddbmm(
            torch.empty(1, 1, 1),
            query.reshape(flat),
            key.reshape(flat).transpose(1, 2),
            beta=0.0,
            alpha=1.0 / math.sqrt(head_dim),
        )
        if causal and length > 1:
            scores = scores.masked_fill_(self.later_tokens(length, past), -10000.0)
        return torch.bmm(scores.softmax(dim=-1), value.reshape(flat)).view(batch, heads, length, -1)

    def attention(self, h, path, causal, cache):
        batch, length, width = h.shape
        heads = self.stack["numHeads"]

        def split(x):
            return x.view(batch, length, heads, width // heads).transpose(1, 2)

        query, key, value = (split(self.layer(h, f"{path}/{name}")) for name in ("query", "key", "value"))
        if isinstance(cache, StaticCache):
            key, value = cache.put(self.rotate(key, cache.angles), value)
            context = F.scaled_dot_product_attention(
                self.rotate(query, cache.angles), key, value, attn_mask=cache.visible
            )
        else:
            angles = self.cos_and_sin(cache[0].shape[2] if cache else 0, length)
            query, key = self.rotate(query, angles), self.rotate(key, angles)
            if cache:
                key = torch.cat((cache[0], key), dim=2)
                value = torch.cat((cache[1], value), dim=2)
            context = self.attend(query, key, value, causal)
        context = context.transpose(1, 2).reshape(batch, length, width)
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


class StaticCache:
    """Keys and values of one layer in tensors of the full length, which compiled code fills in place."""

    def __init__(self, keys, values, at, angles, visible):
        self.keys, self.values, self.at, self.angles, self.visible = keys, values, at, angles, visible

    def put(self, key, value):
        return self.keys.index_copy_(2, self.at, key), self.values.index_copy_(2, self.at, value)


def language_logits(model, hidden):
    return hidden @ model.parameters["language/tokenEmbedding"].t()


def language_states(model, token_ids, caches=None):
    embedded = F.embedding(token_ids, model.parameters["language/tokenEmbedding"])
    return model.run(embedded, causal=True, caches=caches)


def language_loss(model, token_ids, labels):
    hidden, _ = language_states(model, token_ids)
    logits = language_logits(model, hidden)
    return F.cross_entropy(logits.view(-1, logits.shape[-1]), labels.view(-1))


def vision_loss(model, pixels, labels, patch):
    count, size = pixels.shape[:2]
    grid = size // patch
    patches = pixels.view(count, grid, patch, grid, patch * 3).transpose(2, 3).reshape(count, grid * grid, -1)
    p = model.parameters
    tokens = patches @ p["vision/patchEmbedding/kernel"] + p["vision/patchEmbedding/bias"]
    states, _ = model.run(tokens + p["vision/positionEmbedding"], causal=False)
    logits = states.mean(dim=1) @ p["vision/head/classify/kernel"] + p["vision/head/classify/bias"]
    return F.cross_entropy(logits, labels)


def open_model(folder):
    description, tensors, batches = read_model(folder, tensor_of)
    stack = description["model"]["config"]["stack"]
    model = Transformer if stack.get("kind") == "transformer" else TokenFormer
    return description, model(stack, description["model"]["kind"], tensors), batches


def prepare_pattention(workload):
    def normal(rows):
        return torch.randn(rows, workload["width"])

    n = workload["numParamTokens"]
    inputs = [normal(rows).requires_grad_() for rows in (workload["tokens"], n, n)]
    d_output = normal(workload["tokens"])
    forward = compiled(pattention)

    def run():
        torch.autograd.grad(forward(*inputs), inputs, d_output)
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
    fused = {"fused": True} if MODERN else {}
    optimizer = torch.optim.AdamW(groups, lr=training["learningRate"], betas=betas, eps=training["adamEpsilon"], **fused)
    num_batches = sum(name.startswith("labels/") for name in batches)
    state = {"step": 0}
    inputs = "tokenIds" if language else "pixelValues"

    @compiled
    def loss_of(given, labels):
        if language:
            return language_loss(model, given, labels)
        return vision_loss(model, given, labels, config["patchSize"])

    def run():
        index = state["step"] % num_batches
        state["step"] += 1
        optimizer.zero_grad(set_to_none=True)
        given = batches[f"{inputs}/{index}"]
        loss = loss_of(given.long() if language else given, batches[f"labels/{index}"].long())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, training["clipNorm"])
        optimizer.step()
        return {"losses": [loss.item()]}

    return run


def likeliest(model, hidden):
    """log p of the likeliest next token, and the token, each [batch, 1]"""
    return F.log_softmax(language_logits(model, hidden[:, -1]), dim=-1).max(dim=-1, keepdim=True)


def prepare_decode(workload):
    _, model, batches = open_model(workload["folder"])
    prompt = batches["tokenIds/0"].view(-1)[: workload["promptLen"]].long().view(1, -1)
    step = decoder_of(model, workload) if COMPILED else None

    @torch.inference_mode()
    def run():
        token_ids, caches, log_prob, stop_id = prompt, None, 0.0, -1
        for index in range(workload["newTokens"]):
            if step is None:
                hidden, caches = language_states(model, token_ids, caches)
                best, token_ids = likeliest(model, hidden)
            else:
                best, token_ids = step(token_ids, 0 if index == 0 else workload["promptLen"] + index - 1)
            log_prob += best
            if token_ids.item() == stop_id:
                break
        return {"logProb": log_prob.item()}

    return run


def decoder_of(model, workload):
    """A compiled function that reads tokens from a position on; weights are constants of it, which the compiler may pack."""
    import torch._inductor.config

    torch._inductor.config.freezing = True
    heads, layers = model.stack["numHeads"], model.stack["numLayers"]
    length = workload["promptLen"] + workload["newTokens"]
    shape = (1, heads, length, model.stack["dModel"] // heads)
    caches = [(torch.zeros(shape), torch.zeros(shape)) for _ in range(layers)]
    for parameter in model.parameters.values():
        parameter.requires_grad_(False)
    module = DecodeStep(model, model.cos_and_sin(0, length), length)
    positions = torch.arange(length)
    forward = torch.compile(module, dynamic=False)
    return lambda token_ids, start: forward(token_ids, positions[start : start + token_ids.shape[1]], caches)


class DecodeStep(torch.nn.Module):
    """A module, because only parameters of modules become constants of compiled code."""

    def __init__(self, model, angles, length):
        super().__init__()
        self.model, self.length = model, length
        self.register_buffer("cos", angles[0])
        self.register_buffer("sin", angles[1])
        self.names = {name: name.replace("/", "_") for name in model.parameters}
        for name, flat in self.names.items():
            self.register_parameter(flat, torch.nn.Parameter(model.parameters[name], requires_grad=False))
        self.eval()

    def forward(self, token_ids, at, caches):
        self.model.parameters = {name: getattr(self, flat) for name, flat in self.names.items()}
        angles = (self.cos[at], self.sin[at])
        visible = torch.arange(self.length).view(1, -1) <= at.view(-1, 1)
        layers = [StaticCache(keys, values, at, angles, visible) for keys, values in caches]
        hidden, _ = language_states(self.model, token_ids, layers)
        return likeliest(self.model, hidden)


serve(versions(), {"pattention": prepare_pattention, "step": prepare_step, "decode": prepare_decode})
