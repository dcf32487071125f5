#!/usr/bin/env bash
# Checks engine cuda on a machine with a card, and compares it with PyTorch there. Needs no network and no Node: all is in the
# archive of `npm run bundle:gpu`. No stage ends the others; each has a line, its log is in the folder of --out.
#
#   bash bench/gpu/check.sh --out DIR [--bundle FILE] [--only doctor,parity,…] [--skip …] [--seconds N] [--models A,B,C,V,J]
#        [--settings fp32,tf32,bf16] [--pairs A:bf16-compile,…] [--case-seconds S] [--engines cuda,webgpu] [--tiny] [--profile]
#        [--kept inductor-cache.tar.xz of an earlier run] [--cubins DIR of kernels compiled before]
#
# Stages: doctor, warm (compiles the peer's graphs while the next ones run), parity, sanitizer, ours, peer, trouble,
# quickstart, table.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out= bundle= kept= cubins= only=doctor,warm,parity,sanitizer,ours,peer,trouble,table skip= seconds=480 case_seconds=1.5 engines=cuda tiny= profile=
models=C,A,B,V,J settings=bf16,tf32,fp32 extras=all python=${PYTHON:-}
pairs=C:bf16-compile,C:bf16-graphs,C:tf32-compile,C:tf32-graphs,C:fp32
pairs+=,A:bf16-compile,A:bf16-graphs,A:tf32-compile,A:tf32,A:fp32,A:bf16
pairs+=,B:bf16-compile,B:bf16-graphs,B:tf32-compile,B:tf32,B:fp32
pairs+=,V:bf16-compile,V:bf16-graphs,J:bf16-compile
while [ $# -gt 0 ]; do
  case $1 in
    --tiny) tiny=--tiny models=tiny,tinyV,tinyJ pairs=tiny:fp32,tinyV:fp32,tinyJ:fp32; shift; continue ;;
    --profile) profile=--profile; shift; continue ;;
    --out|--bundle|--kept|--cubins|--only|--skip|--seconds|--models|--settings|--pairs|--extras|--engines|--python) declare "${1#--}=$2" ;;
    --case-seconds) case_seconds=$2 ;;
    *) echo "check: unknown option $1"; exit 2 ;;
  esac
  shift 2
done
[ -n "$out" ] || { echo "check: expected --out with a folder for logs"; exit 2; }
mkdir -p "$out"
out=$(cd "$out" && pwd)
[ -n "$kept" ] && kept=$(realpath "$kept")
[ -n "$cubins" ] && cubins=$(realpath "$cubins")
[ -n "$bundle" ] && bundle=$(realpath "$bundle")
for path in "$bundle" "$here/../../dist-gpu/tokenfuse-gpu.tar" "$here/tokenfuse-gpu.tar" "$here/project.tar.xz"; do
  [ -z "$bundle" ] && [ -f "$path" ] && bundle=$path
done
[ -f "$bundle" ] || { echo "check: expected the archive of npm run bundle:gpu, looked for ${bundle:-dist-gpu/tokenfuse-gpu.tar}"; exit 2; }

work=${TOKENFUSE_CHECK_FOLDER:-$(mktemp -d /tmp/tokenfuse-check-XXXXXX)}
mkdir -p "$work"
left() { echo $((seconds - SECONDS)); }
wants() { [[ ,$only, == *,$1,* && ,$skip, != *,$1,* ]]; }

# stage NAME LIMIT COMMAND…: runs it with its output in NAME.log, and prints one line.
stage() {
  local name=$1 limit=$2 start=$SECONDS code
  shift 2
  [ "$(left)" -lt "$limit" ] && limit=$(left)
  if [ "$limit" -le 3 ]; then echo "== $name: not run, the ${seconds} s are spent"; return; fi
  timeout -k 5 "$limit" "$@" > "$out/$name.log" 2>&1
  code=$?
  case $code in
    0) echo "== $name: ok, $((SECONDS - start)) s" ;;
    124 | 137) echo "== $name: STOPPED after $limit s"; tail -n 4 "$out/$name.log" | cut -c1-300 ;;
    *) echo "== $name: FAILED with $code, $((SECONDS - start)) s"; tail -n 12 "$out/$name.log" | cut -c1-300 ;;
  esac
  return $code
}

unpack() {
  if [ ! -x "$work/node" ] || [ "$bundle" -nt "$work/unpacked" ]; then
    rm -rf "$work/tokenfuse" "$work/shared"
    if [[ $bundle == *.tar.xz ]]; then cp "$(dirname "$bundle")"/{node.xz,project.tar.xz} "$work"; else tar -xf "$bundle" -C "$work"; fi
    (xz -dc "$work/node.xz" > "$work/node.part" && chmod +x "$work/node.part" && mv "$work/node.part" "$work/node") &
    tar -xJf "$work/project.tar.xz" -C "$work"
    wait $!
    touch "$work/unpacked"
  fi
  "$work/node" --version > /dev/null
}
start=$SECONDS
if ! unpack; then echo "== unpack: FAILED"; exit 1; fi
echo "== unpack: ok, $((SECONDS - start)) s, Node $("$work/node" --version), $(date -u +%FT%TZ)"
cd "$work/tokenfuse" || exit 1
node=$work/node
export TOKENFUSE_SHARED=$work/shared
# One place for the peer's compiler, so that a later call on the same machine, or one that is given the folder back, need not compile.
export TORCHINDUCTOR_CACHE_DIR=${TORCHINDUCTOR_CACHE_DIR:-$work/inductor}
for kept in "$kept" "$out/inductor-cache.tar.xz"; do
  [ -f "$kept" ] && [ ! -d "$TORCHINDUCTOR_CACHE_DIR" ] && mkdir -p "$TORCHINDUCTOR_CACHE_DIR" && tar -xJf "$kept" -C "$TORCHINDUCTOR_CACHE_DIR"
done
# Kernels compiled before, for this card.
export TOKENFUSE_CUDA_CACHE=${TOKENFUSE_CUDA_CACHE:-$work/cubins}
mkdir -p "$TOKENFUSE_CUDA_CACHE"
[ -n "$cubins" ] && cp "$cubins"/*.cubin "$TOKENFUSE_CUDA_CACHE" 2> /dev/null
for path in "$python" python3 /opt/torch/.venv/bin/python /opt/*/bin/python /opt/*/.venv/bin/python; do
  command -v "$path" > /dev/null && "$path" -c 'import importlib.util as u, sys; sys.exit(u.find_spec("torch") is None)' 2> /dev/null && { python=$path; break; }
done

machine() {
  command -v nvidia-smi > /dev/null && nvidia-smi --query-gpu=name,driver_version,memory.total,memory.used,clocks.sm,clocks.max.sm,power.limit --format=csv,noheader
  nproc
  uname -srm
  head -n 2 /etc/os-release
  ls -d /usr/local/cuda* 2> /dev/null
  command -v nvcc compute-sanitizer ncu nsys cuobjdump nvdisasm
  for name in libcuda.so.1 libnvrtc.so.13 libnvrtc.so.12 libcublasLt.so.13 libcublasLt.so.12; do
    ldconfig -p | awk -v name="$name" '$1 == name { print "ldconfig:", $NF }'
  done
  "$python" -c 'import nvidia; print("python nvidia:", list(nvidia.__path__))' 2> /dev/null
  "$python" --version
}

# Links to the three libraries in one folder, for TOKENFUSE_CUDA, where the engine does not find them by itself.
link_libraries() {
  local name found
  mkdir -p "$work/libraries"
  for name in 'libcuda.so.1' 'libnvrtc.so.1[23]' 'libnvrtc-builtins.so.1*' 'libcublasLt.so.1[23]'; do
    found=$(find /usr/local/nvidia /usr/lib /usr/local /opt -name "$name" 2> /dev/null | sort -V | tail -n 1)
    [ -n "$found" ] && ln -sf "$found" "$work/libraries/$(basename "$found")"
  done
  ls -l "$work/libraries"
}

if wants doctor; then
  machine > "$out/machine.log" 2>&1
  command -v nvidia-smi > /dev/null && head -n 1 "$out/machine.log"
  stage doctor 60 "$node" dist/experiments/main.js doctor
  if [ -z "$tiny" ] && ! grep -Eq '^cuda +yes' "$out/doctor.log"; then
    link_libraries >> "$out/machine.log" 2>&1
    export TOKENFUSE_CUDA=$work/libraries
    stage doctor-linked 60 "$node" dist/experiments/main.js doctor
    if ! grep -Eq '^cuda +yes' "$out/doctor-linked.log"; then unset TOKENFUSE_CUDA; fi
  fi
  grep -hE '^(cuda|native|webgpu)|^ {2}' "$out"/doctor*.log | head -n 14 | cut -c1-160
fi

peer() { "$python" bench/gpu/peer.py --seconds "$case_seconds" "$@"; }
peer_extras=$extras
if wants warm && [ -n "$python" ]; then
  (peer --warm --only "$pairs" --extras decode,pattention > "$out/warm.log" 2>&1; echo "$SECONDS" > "$work/warmed") &
  warming=$!
fi

if [ -n "$tiny" ]; then engine=${TOKENFUSE_CHECK_ENGINE:-native}; else engine=cuda; fi
wants parity && stage parity 90 "$node" dist/bench/gpu/parity.js --engine "$engine"
[ -f "$out/parity.log" ] && grep -E 'worst|MISSED|passed' "$out/parity.log" | tail -n 12 | cut -c1-160
if wants sanitizer; then
  sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda*/bin/compute-sanitizer /usr/local/cuda*/compute-sanitizer/compute-sanitizer 2> /dev/null | head -n 1)
  if [ -n "$sanitizer" ]; then
    stage sanitizer 100 "$sanitizer" --tool memcheck --error-exitcode 9 --print-limit 20 "$node" dist/bench/gpu/parity.js --engine "$engine" --subset
    grep -E 'ERROR SUMMARY|passed' "$out/sanitizer.log" | tail -n 3
  else
    echo "== sanitizer: no compute-sanitizer here"
  fi
fi
if [ -n "${warming:-}" ]; then
  for _ in $(seq 1 240); do
    kill -0 "$warming" 2> /dev/null || break
    [ "$(left)" -gt 60 ] || { kill "$warming"; break; }
    sleep 0.5
  done
  echo "== warm: $(grep -c warmed "$out/warm.log") settings, $(grep -c error "$out/warm.log") errors, until second $SECONDS"
fi

for name in ${engines//,/ }; do
  [ -n "$tiny" ] && name=$engine
  wants ours && stage "ours-$name" 200 "$node" dist/bench/gpu/ours.js --engine "$name" $tiny --models "$models" --settings "$settings" \
    --extras "$extras" --seconds "$case_seconds"
  wants ours && [ -n "$profile" ] && stage "profile-$name" 60 "$node" dist/bench/gpu/ours.js --engine "$name" $tiny --profile --models "$models" \
    --settings bf16 --seconds 0.2
done
if wants peer; then
  if [ -n "$python" ]; then
    stage peer 300 "$python" bench/gpu/peer.py --only "$pairs" --extras "$peer_extras" --seconds "$case_seconds" \
      ${tiny:+--decode-model tiny --decode-settings fp32 --decode-tokens 8} --models "$models" --budget "$(($(left) - 5))"
  else
    echo "== peer: no Python with PyTorch here"
  fi
fi
wants trouble && stage trouble 60 "$node" dist/bench/gpu/trouble.js --engine "$engine"
[ -f "$out/trouble.log" ] && tail -n 6 "$out/trouble.log" | cut -c1-200
if wants quickstart; then
  stage quickstart 150 "$node" dist/experiments/main.js run experiments/quickstart/pipeline.yaml --engine "$engine" --root "$work/quickstart"
  tail -n 3 "$out/quickstart.log" | cut -c1-200
fi
if [ -d "$TORCHINDUCTOR_CACHE_DIR" ] && [ -n "${warming:-}" ] && [ "$(left)" -gt 25 ]; then
  timeout 20 tar -cJf "$out/inductor-cache.tar.xz" -C "$TORCHINDUCTOR_CACHE_DIR" . 2> /dev/null
  [ "$(stat -c %s "$out/inductor-cache.tar.xz" 2> /dev/null || echo 0)" -lt 15000000 ] || rm -f "$out/inductor-cache.tar.xz"
fi
# All logs in one file too, since only a few files come back from some machines.
(cd "$out" && tar -cJf all-logs.tar.xz --exclude='*.tar.xz' . 2> /dev/null)
if wants table; then
  "$node" dist/bench/gpu/table.js --logs "$out" --out "$out" 2>&1 | tee "$out/table.txt"
fi
echo "== check: $SECONDS s in all, logs in $out"
