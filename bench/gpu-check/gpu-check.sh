#!/usr/bin/env bash
# In a clone, on a machine with a GPU: bash bench/gpu-check/gpu-check.sh FOLDER [OPTION…]
#
# FOLDER has the archives of `npm run gpu-check -- --pack FOLDER`; the options are those of
# `npm run gpu-check`. Node.js and a network are not needed here. What is needed: python3, or the
# Python in $PYTHON, with a CUDA build of torch; cmake, a C++20 compiler, make or ninja. The addon
# is built against that torch, or against the libtorch in $LIBTORCH. $WORK, a folder, keeps the
# build for another run.
set -euo pipefail

seconds=480
folder=$(cd "${1:?the folder with node.xz and rest.tar.xz}" && pwd)
shift
clone=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
python=${PYTHON:-python3}
work=${WORK:-$(mktemp -d)}
mkdir -p "$work"
[[ -n ${WORK:-} ]] || trap 'rm -rf "$work"' EXIT

# The machine may have neither xz nor a tar that knows it.
"$python" - "$folder" "$work" <<'PYTHON'
import lzma, os, shutil, sys, tarfile

folder, work = sys.argv[1:]
node = os.path.join(work, "node")
with lzma.open(os.path.join(folder, "node.xz")) as source, open(node, "wb") as target:
    shutil.copyfileobj(source, target, 1 << 20)
os.chmod(node, 0o755)
with tarfile.open(os.path.join(folder, "rest.tar.xz"), "r:xz") as archive:
    archive.extractall(work)
PYTHON

# Node.js finds modules by the real paths of files, so that code is copied and data is linked.
rm -rf "$work/bench" && mkdir -p "$work/bench" "$work/test"
cp -r "$clone/bench/gpu-check" "$clone/bench/pytorch_evaluator.py" "$work/bench"
ln -sfn "$clone/checkpoints" "$work/checkpoints"
ln -sfn "$clone/test/golden" "$work/test/golden"

if [[ -z ${LIBTORCH:-} ]]; then
  find='import importlib.util as u; print(u.find_spec("torch").submodule_search_locations[0])'
  LIBTORCH=$("$python" -c "$find")
fi
export LIBTORCH
generator='Unix Makefiles'
! command -v ninja >/dev/null || generator=Ninja
modules=$work/node_modules
echo "building the addon against $LIBTORCH with $generator"
log=$work/build.log
if ! { cmake -G "$generator" -S "$clone/native" -B "$work/build/addon" \
  -DCMAKE_BUILD_TYPE=Release -DLIBTORCH="$LIBTORCH" \
  -DNODE_API_HEADERS="$modules/node-api-headers/include" \
  -DNODE_ADDON_API="$modules/node-addon-api" &&
  cmake --build "$work/build/addon" --parallel "$(nproc)"; } >"$log" 2>&1; then
  grep -m 10 -iE 'error|No such' "$log" || tail -n 10 "$log"
  echo 'FAILED: the addon could not be built'
  exit 1
fi
echo "built after $SECONDS s"

export SAE_EVAL_ADDON=$work/build/addon/sae_eval.node
"$work/node" "$work/bench/gpu-check/main.mjs" --python "$python" \
  --seconds $((seconds - SECONDS)) "$@"
