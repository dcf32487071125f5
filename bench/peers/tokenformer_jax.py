"""JAX as a side of the comparison: the same models as tokenformer.py, each workload one compiled function.

A training step (forward, backward, clipping, AdamW) is one call whose weights and moments are updated in place; decoding is
one call a text, with caches of the full length.
"""

import math
import os
import sys
from functools import partial

from serve import leave_out, number_of_threads, read_model, serve, settings

# XLA takes as many threads as the process may use cores.
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: number_of_threads()])
os.environ.setdefault("JAX_PLATFORMS", "cpu")

try:
    import jax
    import jax.numpy as jnp
    import jaxlib
    import numpy as np
except ImportError as error:
    leave_out(str(error))


def versions():
    found = {"jax": jax.__version__, "jaxlib": jaxlib.__version__, "python": sys.version.split()[0]}
    return {**found, **settings("XLA_FLAGS", "GLIBC_TUNABLES"), "cores": str(len(os.sched_getaffinity(0)))}


def array_of(buffer, dtype, shape):
    return jnp.array(np.frombuffer(buffer, {"F32": np.float32, "I32": np.int32}[dtype]).reshape(shape))


def pattention(x, keys, values):
    scores = x @ keys.T
    scores = scores / jnp.linalg.norm(scores, axis=-1, keepdims=True) * math.sqrt(keys.shape[0])
    return jax.nn.gelu(scores, approximate=False) @ values


def layer_norm(x, scale=None, bias=None):
    centred = x - x.mean(axis=-1, keepdims=True)
    normed = centred * jax.lax.rsqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
    return normed if scale is None else normed * scale + bias


class TokenFormer:
    """The stack that both models share; `parameters` is a dictionary with this project's names."""

    def __init__(self, stack, group):
        self.stack, self.group = stack, group
        self.head_dim = stack["dModel"] // stack["numHeads"]
        self.rotary_dims = int(self.head_dim * stack["rotaryShare"]) // 2 * 2

    def layer(self, p, x, path):
        path = f"{path}/{self.group}"
        return pattention(x, p[f"{path}/keyParamTokens"], p[f"{path}/valueParamTokens"])

    def rotate(self, x, start):
        """x [batch, heads, length, headDim]"""
        dims = self.rotary_dims
        if dims == 0:
            return x
        frequencies = 1.0 / (self.stack["rotaryBase"] ** (jnp.arange(0, dims, 2) / dims))
        angles = jnp.outer(start + jnp.arange(x.shape[2]), frequencies)
        angles = jnp.concatenate((angles, angles), axis=-1)
        turned, rest = x[..., :dims], x[..., dims:]
        a, b = turned[..., : dims // 2], turned[..., dims // 2 :]
        other = jnp.concatenate((-b, a), axis=-1)
        return jnp.concatenate((turned * jnp.cos(angles) + other * jnp.sin(angles), rest), axis=-1)

    def attention(self, p, h, path, causal, cache, start):
        batch, length, width = h.shape
        heads = self.stack["numHeads"]

        def split(x):
            return x.reshape(batch, length, heads, width // heads).transpose(0, 2, 1, 3)

        query, key, value = (split(self.layer(p, h, f"{path}/{name}")) for name in ("query", "key", "value"))
        query, key = self.rotate(query, start), self.rotate(key, start)
        if cache is not None:
            key, value = (jax.lax.dynamic_update_slice_in_dim(old, new, start, axis=2) for old, new in zip(cache, (key, value)))
        scores = jnp.einsum("bhqd,bhkd->bhqk", query, key) / math.sqrt(width // heads)
        if causal:
            visible = jnp.arange(key.shape[2])[None, :] <= start + jnp.arange(length)[:, None]
            scores = jnp.where(visible, scores, -10000.0)
        context = jnp.einsum("bhqk,bhkd->bhqd", jax.nn.softmax(scores, axis=-1), value)
        context = context.transpose(0, 2, 1, 3).reshape(batch, length, width)
        return self.layer(p, context, f"{path}/output"), (key, value)

    def run(self, p, x, causal, caches=None, start=0):
        new_caches = []
        for index in range(self.stack["numLayers"]):
            path = f"block{index}"
            cache = None if caches is None else caches[index]
            attended, cache = self.attention(p, layer_norm(x), f"{path}/attention", causal, cache, start)
            new_caches.append(cache)
            x = x + attended
            x = x + self.layer(p, layer_norm(x), f"{path}/ffn")
        norm = f"{self.group}/finalNorm"
        return layer_norm(x, p[f"{norm}/scale"], p[f"{norm}/bias"]), new_caches


def cross_entropy(logits, labels):
    return -jnp.take_along_axis(jax.nn.log_softmax(logits, axis=-1), labels[..., None], axis=-1).mean()


def language_loss(model, p, token_ids, labels):
    embedding = p["language/tokenEmbedding"]
    hidden, _ = model.run(p, embedding[token_ids], causal=True)
    return cross_entropy(hidden @ embedding.T, labels)


def vision_loss(model, p, pixels, labels, patch):
    count, size = pixels.shape[:2]
    grid = size // patch
    patches = pixels.reshape(count, grid, patch, grid, patch * 3).transpose(0, 1, 3, 2, 4).reshape(count, grid * grid, -1)
    tokens = patches @ p["vision/patchEmbedding/kernel"] + p["vision/patchEmbedding/bias"]
    states, _ = model.run(p, tokens + p["vision/positionEmbedding"], causal=False)
    logits = states.mean(axis=1) @ p["vision/head/classify/kernel"] + p["vision/head/classify/bias"]
    return cross_entropy(logits, labels)


def open_model(folder):
    description, tensors, batches = read_model(folder, array_of)
    model = description["model"]
    parameters = {name: tensor for name, tensor in tensors.items() if not name.endswith("/tau")}
    return description, TokenFormer(model["config"]["stack"], model["kind"]), parameters, batches


def prepare_pattention(workload):
    n, tokens = workload["numParamTokens"], workload["tokens"]
    random = np.random.default_rng(0)
    *inputs, d_output = (
        jnp.array(random.standard_normal((rows, workload["width"]), dtype=np.float32)) for rows in (tokens, n, n, tokens)
    )

    @jax.jit
    def gradients(inputs, d_output):
        output, backward = jax.vjp(pattention, *inputs)
        return output, backward(d_output)

    def run():
        jax.block_until_ready(gradients(inputs, d_output))
        return {}

    return run


def prepare_step(workload):
    description, model, parameters, batches = open_model(workload["folder"])
    training, config = description["training"], description["model"]["config"]
    language = description["model"]["kind"] == "language"
    decay = {name: training["weightDecay"] if name in set(description["decayed"]) else 0.0 for name in parameters}
    rate, beta1, beta2 = training["learningRate"], training["beta1"], training["beta2"]
    num_batches = sum(name.startswith("labels/") for name in batches)
    inputs = "tokenIds" if language else "pixelValues"

    def loss_of(p, given, labels):
        return language_loss(model, p, given, labels) if language else vision_loss(model, p, given, labels, config["patchSize"])

    @partial(jax.jit, donate_argnums=(0, 1, 2))
    def step(p, means, squares, count, given, labels):
        loss, gradients = jax.value_and_grad(loss_of)(p, given, labels)
        norm = jnp.sqrt(sum((g**2).sum() for g in gradients.values()))
        scale = jnp.minimum(1.0, training["clipNorm"] / (norm + 1e-6))
        new = ({}, {}, {})
        for name, gradient in gradients.items():
            gradient = gradient * scale
            mean = beta1 * means[name] + (1 - beta1) * gradient
            square = beta2 * squares[name] + (1 - beta2) * gradient**2
            root = jnp.sqrt(square / (1 - beta2**count)) + training["adamEpsilon"]
            new[0][name] = p[name] * (1 - rate * decay[name]) - rate * (mean / (1 - beta1**count)) / root
            new[1][name], new[2][name] = mean, square
        return loss, *new

    zeros = {name: jnp.zeros_like(p) for name, p in parameters.items()}
    state = {"count": 0, "of": (parameters, zeros, {name: jnp.zeros_like(p) for name, p in parameters.items()})}

    def run():
        index = state["count"] % num_batches
        state["count"] += 1
        given, labels = batches[f"{inputs}/{index}"], batches[f"labels/{index}"]
        loss, *state["of"] = step(*state["of"], float(state["count"]), given, labels)
        return {"losses": [float(loss)]}

    return run


def prepare_decode(workload):
    _, model, parameters, batches = open_model(workload["folder"])
    prompt_len, new_tokens = workload["promptLen"], workload["newTokens"]
    prompt = batches["tokenIds/0"].reshape(-1)[:prompt_len].reshape(1, -1)
    shape = (1, model.stack["numHeads"], prompt_len + new_tokens, model.head_dim)

    @jax.jit
    def generate(p, prompt):
        embedding = p["language/tokenEmbedding"]

        def read(token_ids, caches, start):
            """log p of the likeliest next token, and the token"""
            hidden, caches = model.run(p, embedding[token_ids], causal=True, caches=caches, start=start)
            log_probs = jax.nn.log_softmax(hidden[:, -1] @ embedding.T, axis=-1)
            return log_probs.max(), log_probs.argmax(axis=-1)[:, None], caches

        def goes_on(state):
            index, token_ids, _, _ = state
            return (index < new_tokens) & (token_ids[0, 0] != -1)

        def write(state):
            index, token_ids, caches, log_prob = state
            best, token_ids, caches = read(token_ids, caches, prompt_len + index - 1)
            return index + 1, token_ids, caches, log_prob + best

        caches = [(jnp.zeros(shape), jnp.zeros(shape)) for _ in range(model.stack["numLayers"])]
        best, token_ids, caches = read(prompt, caches, 0)
        return jax.lax.while_loop(goes_on, write, (1, token_ids, caches, best))[3]

    return lambda: {"logProb": float(generate(parameters, prompt))}


serve(versions(), {"pattention": prepare_pattention, "step": prepare_step, "decode": prepare_decode})
