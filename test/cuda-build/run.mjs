/**
 * `npm run test:cuda-build`: builds the addon against the CUDA build of libtorch, without a CUDA
 * toolkit, loads it, asks it for what an evaluation on a GPU needs, and runs the binding's tests on
 * it. Without a CUDA device, tests that need one are skipped. The log is
 * bench/results/cuda-build.log.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildAddon } from '#src/torch/setup/build.js';
import { describeLibtorch, loadTrouble } from '#src/torch/setup/libtorch.js';
import { findToolchain } from '#src/torch/setup/toolchain.js';
import { countRuntimeCalls } from './counter.mjs';
import { fetchCudaBuild, release } from './fetch.mjs';
import { compileLogitParts } from './nvrtc.mjs';
import { findKernels } from './recorded-operators.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const lines = [];
function log(line) {
  lines.push(line);
  console.log(line);
}
function end(code) {
  log(code === 0 ? 'passed' : 'FAILED');
  writeFileSync(join(root, 'bench/results/cuda-build.log'), `${lines.join('\n')}\n`);
  process.exit(code);
}

log(
  `CUDA build of libtorch ${release}, ${process.platform} ${process.arch}, Node.js ` +
    `${process.version}`,
);
const folder = await fetchCudaBuild((wheel) => log(`unpacked ${wheel}`));
const libtorch = await describeLibtorch(join(folder, 'torch'), 'LIBTORCH');
log(
  `libtorch ${libtorch.version}; CUDA: ${libtorch.cuda}; loads: ` +
    `${(await loadTrouble(libtorch)) ?? 'yes'}`,
);
const toolkit = spawnSync('nvcc', ['--version']);
log(`CUDA toolkit: ${toolkit.status !== 0 ? 'none' : 'present, not used'}`);

const addon = await buildAddon({
  libtorch,
  folder: join(folder, 'addon'),
  log: (line, kind) => kind === 'line' && console.log(line),
});
log('built the addon');

const env = { ...process.env, SAE_EVAL_ADDON: addon };
const binding = JSON.stringify(join(root, 'dist/src/torch/index.js'));
const probe = `import { cuda, devices, ops, versions } from ${binding};
let zerosOnCuda = 'answered';
try { ops.zeros([2], { device: 'cuda:0' }); } catch (error) { zerosOnCuda = error.code; }
const [available, tf32] = [cuda.isAvailable(), cuda.allowsTf32()];
const found = { ...versions(), available, devices: devices(), tf32, zerosOnCuda };
console.log(JSON.stringify(found));`;
const loaded = spawnSync(process.execPath, ['--input-type=module', '-e', probe], {
  env,
  encoding: 'utf8',
});
log(`loaded: ${loaded.stdout.trim() || loaded.stderr.trim().split('\n').at(-1)}`);
if (loaded.status !== 0) end(1);
const found = JSON.parse(loaded.stdout);
if (
  !found.cudaBuild ||
  found.tf32 ||
  (!found.available && found.zerosOnCuda !== 'device-unavailable')
)
  end(1);
log(
  found.available
    ? `devices: ${found.devices.join(', ')}`
    : 'no CUDA device on this machine: tests that need one are skipped',
);

const { compiler } = await findToolchain();
const work = join(folder, 'asked');
mkdirSync(work, { recursive: true });
try {
  for (const line of compileLogitParts({ libtorch, compiler, work })) log(`NVRTC: ${line}`);
  const { waits } = countRuntimeCalls({ libtorch, compiler, work });
  log(`counter of runtime calls: ${waits} of 2 waits`);
  const { cuda, composite, none, unknown } = findKernels({ addon, libtorch, compiler, work });
  log(
    `operators of evaluations on the simulated device: ${cuda.length} with a CUDA kernel, ` +
      `${composite.length} composed of others`,
  );
  for (const name of [...none, ...unknown]) log(`no kernel for CUDA: ${name}`);
  if (waits !== 2 || none.length + unknown.length > 0 || cuda.length === 0) end(1);
} catch (error) {
  log(error.message);
  end(1);
}

const tests = spawnSync(
  process.execPath,
  [
    join(root, 'node_modules/vitest/vitest.mjs'),
    'run',
    '--no-color',
    'test/torch',
    '--exclude',
    'test/torch/walk/**',
  ],
  { cwd: root, env, encoding: 'utf8', maxBuffer: 2 ** 28 },
);
const report = tests.stdout.split('\n').map((line) => line.trim());
for (const line of report.filter((each) =>
  /^(✓|❯|×|↓) test\/|^(FAIL|AssertionError|TorchError)|^Test Files|^Tests/.test(each),
))
  log(line.replace(/\s+\d+ms$/, ''));
end(tests.status ?? 1);
