/**
 * Time per call of the binding beside C++ on the same libtorch and PyTorch's Python, in one run.
 * The three programs take turns and the best of their rounds counts, so that a busy moment of the
 * machine does not hurt one of them alone.
 *
 *     npm run bench:binding              # prints the table
 *     npm run bench:binding -- --write   # and writes docs/internals/bench-binding.md
 *
 * Compiles binding.cc with g++ against the libtorch that the addon is linked to. SAE_EVAL_PYTHON is
 * the path of a Python with torch; without it, the column of Python stays empty.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { addonPath } from '#src/torch/setup/paths.js';
import { versions } from '#src/torch/index.js';

const rounds = 3;
const threads = Number(process.env.SAE_EVAL_BENCH_THREADS ?? availableParallelism());
const rows = [
  { name: 'add', calls: 20_000, what: 'a + b of 4 elements' },
  { name: 'addInScope', calls: 20_000, what: 'the same as `scope(() => a.add(b))`', beside: 'add' },
  { name: 'chain', calls: 200, what: '100 operators on [16, 16] (add, mul, relu, sub)' },
  { name: 'matmul', calls: 2, what: '[2048, 2048] × [2048, 2048], float32' },
  { name: 'matmulBf16', calls: 5, what: 'the same in bfloat16' },
];

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'sae-eval-bench-'));

function compile() {
  const libtorch = /^LIBTORCH:PATH=(.+)$/m.exec(
    readFileSync(join(addonPath(), '..', 'CMakeCache.txt'), 'utf8'),
  )[1];
  const program = join(folder, 'binding');
  const libraries = [
    'torch',
    'torch_cpu',
    'c10',
    ...(existsSync(join(libtorch, 'lib/libtorch_cuda.so')) ? ['torch_cuda', 'c10_cuda'] : []),
  ];
  execFileSync(
    process.env.CXX ?? 'g++',
    [
      '-O2',
      '-std=c++20',
      '-isystem',
      join(libtorch, 'include'),
      here('binding.cc'),
      '-o',
      program,
      `-L${join(libtorch, 'lib')}`,
      `-Wl,-rpath,${join(libtorch, 'lib')}`,
      '-Wl,--no-as-needed',
      ...libraries.map((name) => `-l${name}`),
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  return program;
}

/** A Python with torch, and torch's version; null where there is none. */
function findPython() {
  for (const python of [process.env.SAE_EVAL_PYTHON, 'python3']) {
    if (python === undefined) continue;
    try {
      return {
        python,
        version: execFileSync(python, ['-c', 'import torch; print(torch.__version__)'], {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'ignore'],
        }).trim(),
      };
    } catch {
      // the next one
    }
  }
  return null;
}

function run(command, args, only = rows) {
  return JSON.parse(
    execFileSync(
      command,
      [...args, String(threads), ...only.map(({ name, calls }) => `${name}=${calls}`)],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
    ),
  );
}

function time(seconds) {
  if (seconds === undefined) return '–';
  return seconds < 1e-3
    ? `${(seconds * 1e6).toFixed(seconds < 1e-5 ? 2 : 0)} µs`
    : `${(seconds * 1e3).toFixed(1)} ms`;
}

const ratio = (a, b) => (a === undefined || b === undefined ? '–' : `${(a / b).toFixed(2)}×`);

try {
  const program = compile();
  const found = findPython();
  const everywhere = rows.filter(({ beside }) => beside === undefined);
  const best = { cpp: {}, node: {}, python: {} };
  const keep = (side, times) => {
    for (const [name, seconds] of Object.entries(times))
      best[side][name] = Math.min(best[side][name] ?? Infinity, seconds);
  };
  for (let round = 0; round < rounds; round++) {
    keep('cpp', run(program, [], everywhere));
    keep('node', run(process.execPath, [here('binding-node.mjs')]));
    if (found !== null) keep('python', run(found.python, [here('binding.py')], everywhere));
  }
  const lines = rows.map(({ name, what, beside = name }) => {
    const [cpp, node, python] = [best.cpp[beside], best.node[name], best.python[beside]];
    return (
      `| ${what} | ${time(cpp)} | ${time(node)} | ${time(python)} | ${ratio(node, cpp)} | ` +
      `${ratio(node, python)} |`
    );
  });
  const table =
    '| | C++ | this binding | Python | to C++ | to Python ' +
    `|\n|---|---|---|---|---|---|\n${lines.join('\n')}\n`;
  console.log(table);
  if (process.argv.includes('--write')) {
    const load = loadavg()[0].toFixed(1);
    const machine = `${cpus()[0].model}, ${threads} threads, load ${load} at the end`;
    writeFileSync(
      here('../docs/internals/bench-binding.md'),
      `# The binding beside C++ and Python

Time per call, in one run of \`npm run bench:binding -- --write\`: the three programs
(\`bench/binding.cc\`, \`binding-node.mjs\`, \`binding.py\`) take turns ${rounds} times. Each
time they measure the median of five batches; the best round counts. Results are freed at once: by
C++ and Python themselves, here by \`dispose()\` or a scope. Ratios above 1 mean that this binding
takes longer.

${table}
libtorch ${versions().libtorch} (${versions().cpu}), Node.js ${process.version},
PyTorch ${found?.version ?? 'not found'}; ${machine}.
`,
    );
  }
} finally {
  rmSync(folder, { recursive: true });
}
