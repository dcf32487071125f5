#!/usr/bin/env bash
# Makes a virtual environment with the newest peers of `npm run bench`: PyTorch, JAX and oneDNN for the processor, and pycocoevalcap
# with the models that SPICE needs. Nothing else needs it. About 8 GB where only the build of PyTorch for CUDA can be had, 4 GB otherwise.
#
#   bash bench/peers/setup.sh [folder]        # default bench/peers/.venv; another one is named to the bench by PEERS=folder
#
# PYTHON selects the interpreter (3.11 or later). METEOR also needs java on the PATH, SPICE one of Java 8 to 14.
set -euo pipefail
folder=${1:-$(dirname "$0")/.venv}
"${PYTHON:-python3}" -m venv "$folder"
pip() { "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --upgrade "$@"; }

pip pip setuptools wheel
# PyPI's own build of x86-64 is the one for CUDA: it computes the same on the processor, and is ten times as large.
pip --index-url https://download.pytorch.org/whl/cpu --retries 0 torch 2>/dev/null || pip torch
pip jax numpy
pip onednn onednn-devel
pip pycocoevalcap

# SPICE parses with CoreNLP 3.6.0, which pycocoevalcap's own script takes from a site; Maven Central has the same files.
jars=$("$folder/bin/python" -c 'import pycocoevalcap, os; print(os.path.join(pycocoevalcap.__path__[0], "spice", "lib"))')
for artifact in stanford-corenlp:3.6.0 stanford-corenlp:3.6.0:jar:models; do
  if command -v mvn >/dev/null; then
    mvn --quiet org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy \
      -Dartifact="edu.stanford.nlp:$artifact" -DoutputDirectory="$jars" || echo "SPICE is left out: no edu.stanford.nlp:$artifact"
  else
    echo "SPICE is left out: apt-get install maven, and run this again"
    break
  fi
done
"$folder/bin/python" -m pip list --format freeze | grep -E '^(torch|jax|jaxlib|onednn|pycocoevalcap)='
