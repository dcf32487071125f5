"""What the sides in Python share: requests on stdin, answers on stdout, one JSON object a line, as bench/workload.ts has them."""

import json
import os
import sys
import time


def leave_out(problem):
    """Says why this side cannot take part."""
    print(json.dumps({"problem": problem}), flush=True)
    sys.exit()


def number_of_threads():
    return int(os.environ["OMP_NUM_THREADS"])


def settings(*names):
    """Variables of the environment that decide the speed, as they are set."""
    return {name: os.environ[name] for name in names if name in os.environ}


def read_safetensors(path, tensor_of):
    """{name: tensor_of(buffer, dtype, shape)} of a file; dtypes are F32 and I32."""
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
        data = memoryview(bytearray(file.read()))
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            start, end = entry["data_offsets"]
            tensors[name] = tensor_of(data[start:end], entry["dtype"], entry["shape"])
    return tensors


def read_model(folder, tensor_of):
    """model.json, the weights and the batches of a folder that `writeBenchModel` wrote."""
    with open(os.path.join(folder, "model.json")) as file:
        description = json.load(file)
    weights, batches = (read_safetensors(os.path.join(folder, f"{name}.safetensors"), tensor_of) for name in ("model", "batches"))
    return description, weights, batches


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


def serve(versions, prepare):
    """Answers requests; `prepare` has a function for each kind of workload, whose result does it once."""
    print(json.dumps({"versions": versions}), flush=True)
    prepared = {}
    for line in sys.stdin:
        request = json.loads(line)
        workload = request["workload"]
        key = json.dumps(workload)
        if key not in prepared:
            prepared[key] = prepare[workload["kind"]](workload)
        print(json.dumps(measure(prepared[key], request["minSeconds"])), flush=True)
