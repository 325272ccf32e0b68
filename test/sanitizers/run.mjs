/**
 * `npm run test:sanitizers [-- FILE…]`: builds the addon with AddressSanitizer and
 * UndefinedBehaviorSanitizer, and runs the tests of the binding and of untrusted files on it, or
 * the given test files. The log is bench/results/sanitizers.log. A report on the addon's own code
 * fails the run; one on libtorch or Node.js is listed.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findHeaders } from '#src/torch/setup/build-identity.js';
import { findLibtorch } from '#src/torch/setup/libtorch.js';
import { findToolchain } from '#src/torch/setup/toolchain.js';
import { readReports } from './reports.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = join(root, 'build/sanitized');
const reportsFolder = join(folder, 'reports');
const tests = process.argv.length > 2 ? process.argv.slice(2) : ['test/torch', 'test/checkpoint'];
// libtorch hides the type information that checks of objects' types (vptr) need.
const flags = [
  '-g1',
  '-fno-omit-frame-pointer',
  '-fsanitize=address,undefined',
  '-fno-sanitize=vptr',
  '-fsanitize-recover=address',
];

const lines = [];
function log(line) {
  lines.push(line);
  console.log(line);
}
function end(code) {
  log(code === 0 ? 'passed' : 'FAILED');
  writeFileSync(join(root, 'bench/results/sanitizers.log'), `${lines.join('\n')}\n`);
  process.exit(code);
}

const { cmake, compiler, compilerVersion } = await findToolchain();
const libtorch = await findLibtorch({ log: () => undefined });
const { nodeApi, nodeAddonApi } = findHeaders();
const build = (...args) => execFileSync(cmake, args, { stdio: ['ignore', 'inherit', 'inherit'] });
build(
  ...['-S', join(root, 'native'), '-B', folder, '-DCMAKE_BUILD_TYPE=Release'],
  ...[`-DCMAKE_CXX_COMPILER=${compiler}`, `-DCMAKE_CXX_FLAGS=${flags.join(' ')}`],
  ...['-DCMAKE_CXX_FLAGS_RELEASE=-O1', `-DLIBTORCH=${libtorch.folder}`],
  ...[`-DNODE_API_HEADERS=${nodeApi}`, `-DNODE_ADDON_API=${nodeAddonApi}`],
);
build('--build', folder, '--parallel', '2');
log(`${compilerVersion}; libtorch ${libtorch.version}; Node.js ${process.version}`);
log(`flags: ${flags.join(' ')}`);

// Node.js itself is not instrumented, so the runtimes must be there before it.
const runtimes = ['libasan.so', 'libubsan.so'].map((name) =>
  execFileSync(compiler, [`-print-file-name=${name}`], { encoding: 'utf8' }).trim(),
);
rmSync(reportsFolder, { recursive: true, force: true });
mkdirSync(reportsFolder, { recursive: true });
const counts = join(folder, 'tests.json');
rmSync(counts, { force: true });
spawnSync(
  process.execPath,
  [
    ...[join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...tests],
    ...['--testTimeout', '600000', '--maxWorkers', '2'],
  ],
  {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {
      ...process.env,
      SAE_EVAL_ADDON: join(folder, 'sae_eval.node'),
      SAE_EVAL_TEST_REPORT: counts,
      LD_PRELOAD: runtimes.join(' '),
      // V8 and libtorch free nothing when a process ends, so leaks of the addon cannot be told. A
      // test asks for more memory than there can be.
      ASAN_OPTIONS:
        'detect_leaks=0:halt_on_error=0:allocator_may_return_null=1:' +
        `log_path=${join(reportsFolder, 'address')}`,
      UBSAN_OPTIONS: `print_stacktrace=1:log_path=${join(reportsFolder, 'undefined')}`,
    },
  },
);
const { numPassedTests, numFailedTests, numPendingTests, testResults } = JSON.parse(
  readFileSync(counts, 'utf8'),
);
log(
  `${tests.join(' ')}: ${numPassedTests} passed, ${numFailedTests} failed, ` +
    `${numPendingTests} skipped`,
);
// Measures of memory, time and last bits do not hold under sanitizers; the names tell.
const failed = testResults.flatMap(({ assertionResults }) =>
  assertionResults.filter(({ status }) => status === 'failed'),
);
for (const { fullName } of failed) log(`failed here: ${fullName}`);
const crashed = testResults.filter(
  ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
);
for (const { name } of crashed) log(`ended early: ${relative(root, name)}`);
const found = readReports(reportsFolder);
for (const { count, own, text } of found)
  log(`${own ? 'the addon' : 'others'}, ${count} times: ${text}`);
if (found.length === 0) log('no reports');
end(crashed.length === 0 && found.every(({ own }) => !own) ? 0 : 1);
