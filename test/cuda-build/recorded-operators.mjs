/** The operators that the simulated device was asked for, in the dispatcher of the CUDA build. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findHeaders } from '#src/torch/setup/build-identity.js';
import { outputOf } from './compiled.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const program = fileURLToPath(new URL('dispatcher.cc', import.meta.url));

/** Names of the operators, recorded with the addon that is built for the CPU. */
function recordOperators(work) {
  const file = join(work, 'operators.json');
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  outputOf(process.execPath, [vitest, 'run', 'test/simulated-cuda/recorded-operators.test.ts'], {
    cwd: root,
    env: { ...process.env, SAE_EVAL_RECORDED_OPERATORS: file },
  });
  return JSON.parse(readFileSync(file, 'utf8'));
}

function buildDispatcher({ libtorch, compiler, work }) {
  const addon = join(work, 'dispatcher.node');
  const libraries = join(libtorch.folder, 'lib');
  outputOf(compiler, [
    ...['-std=c++20', '-O1', '-shared', '-fPIC', '-DNAPI_VERSION=8', '-o', addon, program],
    ...['-isystem', findHeaders().nodeApi, '-isystem', join(libtorch.folder, 'include')],
    ...['libtorch_cuda.so', 'libtorch_cpu.so', 'libc10.so'].map((name) => join(libraries, name)),
    `-Wl,-rpath,${libraries}`,
  ]);
  return addon;
}

/**
 * Names of the recorded operators by what the dispatcher of the CUDA build has for them: `cuda`,
 * `composite`, `none` or `unknown`.
 */
export function findKernels({ addon, ...built }) {
  const names = recordOperators(built.work);
  const binding = JSON.stringify(join(root, 'dist/src/torch/index.js'));
  const ask = `import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { operatorSchemas } from ${binding};
operatorSchemas(); // loads the addon
const [, dispatcher] = process.argv;
const { kernelFor } = createRequire(dispatcher)(dispatcher);
const names = JSON.parse(readFileSync(0, 'utf8'));
console.log(JSON.stringify(names.map((name) => [name, kernelFor(name)])));`;
  const answers = JSON.parse(
    outputOf(process.execPath, ['--input-type=module', '-e', ask, buildDispatcher(built)], {
      env: { ...process.env, SAE_EVAL_ADDON: addon },
      input: JSON.stringify(names),
    }),
  );
  const found = { cuda: [], composite: [], none: [], unknown: [] };
  for (const [name, kind] of answers) found[kind].push(name);
  return found;
}
