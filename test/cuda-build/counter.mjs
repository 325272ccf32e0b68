/** The counter of runtime calls that gpu-check uses, with the CUDA build's runtime. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findHeaders } from '#src/torch/setup/build-identity.js';
import { outputOf } from './compiled.mjs';

const counterSource = fileURLToPath(
  new URL('../../bench/gpu-check/count-runtime.c', import.meta.url),
);
const callerSource = fileURLToPath(new URL('runtime-caller.c', import.meta.url));

function findRuntime(libtorch) {
  const nvidia = join(dirname(libtorch.folder), 'nvidia');
  for (const part of readdirSync(nvidia)) {
    const folder = join(nvidia, part, 'lib');
    const names = existsSync(folder) ? readdirSync(folder) : [];
    const name = names.find((each) => /^libcudart\.so\.\d+$/.test(each));
    if (name !== undefined) return join(folder, name);
  }
  throw new Error('the CUDA build has no runtime');
}

/** The counts of a process that waits once for a stream and once for the device. */
export function countRuntimeCalls({ libtorch, compiler, work }) {
  const compile = (...args) => outputOf(compiler, ['-x', 'c', '-shared', '-fPIC', ...args]);
  const counter = join(work, 'count-runtime.so');
  compile('-o', counter, counterSource, '-ldl');
  const runtime = findRuntime(libtorch);
  const caller = join(work, 'runtime-caller.node');
  compile(
    ...['-DNAPI_VERSION=8', '-o', caller, callerSource, '-isystem', findHeaders().nodeApi],
    ...['-x', 'none', runtime, `-Wl,-rpath,${dirname(runtime)}`],
  );
  const file = join(work, 'runtime-calls.jsonl');
  outputOf(process.execPath, ['-e', 'require(process.argv[1]).synchronize()', caller], {
    env: { ...process.env, LD_PRELOAD: counter, COUNT_RUNTIME: file },
  });
  return JSON.parse(readFileSync(file, 'utf8').split('\n')[0]);
}
