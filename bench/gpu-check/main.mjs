/**
 * `npm run gpu-check`: what this machine's GPU shows about the project, as one table. Each row is
 * ok, FAILED or skipped; the exit status is 1 if one failed. docs/internals/cuda.md has the rest.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { secondsSince } from './checks.mjs';
import { parts } from './parts.mjs';
import { runPart } from './run-part.mjs';
import { line, summary } from './table.mjs';

const usage = `npm run gpu-check -- [--device cuda:0] [--parts ${parts.map(({ name }) => name)}]
  [--seconds 480] [--patience 1] [--python python3] [--out FOLDER]
npm run gpu-check -- --pack FOLDER

--seconds   for all parts together
--patience  factor on the seconds of each part
--out       folder for the rows (rows.json) and the results of large evaluations
--pack      makes archives for a machine without Node.js and network`;

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        device: { type: 'string', default: 'cuda:0' },
        parts: { type: 'string', default: parts.map(({ name }) => name).join() },
        seconds: { type: 'string', default: '480' },
        patience: { type: 'string', default: '1' },
        python: { type: 'string', default: 'python3' },
        out: { type: 'string' },
        pack: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
    const chosen = values.parts.split(',');
    const unknown = chosen.find((name) => !parts.some((part) => part.name === name));
    if (unknown !== undefined) throw new Error(`--parts: there is no part ${unknown}`);
    for (const name of ['seconds', 'patience'])
      if (!(Number(values[name]) > 0)) throw new Error(`--${name}: expected a positive number`);
    return { ...values, parts: chosen };
  } catch (error) {
    console.error(`${error.message}\n${usage}`);
    process.exit(2);
  }
}

/** Name of the device, asked in a process of its own: a lost GPU may end whoever asks. */
function nameOf(device) {
  const binding = new URL('../../dist/src/torch/index.js', import.meta.url).href;
  const ask = `import { cuda } from ${JSON.stringify(binding)};
    console.log(cuda.deviceName(${JSON.stringify(device)}));`;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', ask],
    { encoding: 'utf8' },
  );
  if (status === 0) return stdout.trim();
  const message = /Error: (.*)/.exec(stderr)?.[1] ?? stderr.trim().split('\n').at(-1);
  console.error(`gpu-check: ${device}: ${message}`);
  process.exit(1);
}

async function check({ device, parts: chosen, seconds, patience, python, out }) {
  const started = performance.now();
  const work = mkdtempSync(join(tmpdir(), 'sae-eval-gpu-check-'));
  const deviceName = nameOf(device);
  const settings = {
    device,
    deviceName,
    // The simulated device of the tests (test/simulated-cuda) has no speed and few rows of its own.
    simulated: deviceName.startsWith('Simulated'),
    root: fileURLToPath(new URL('../../', import.meta.url)),
    work,
    out: out ?? work,
    python,
  };
  mkdirSync(settings.out, { recursive: true });
  const rows = [];
  try {
    for (const part of parts.filter(({ name }) => chosen.includes(name))) {
      const left = Number(seconds) - secondsSince(started);
      const limit = Math.min(part.seconds * Number(patience), left);
      const onRow = (row) => console.log(line(row));
      rows.push(...(await runPart(part.name, { seconds: limit, settings, onRow })));
      writeFileSync(join(settings.out, 'rows.json'), `${JSON.stringify(rows, null, 2)}\n`);
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  console.log(summary(rows));
  process.exitCode = rows.some(({ outcome }) => outcome === 'FAILED') ? 1 : 0;
}

const options = readOptions();
if (options.help) console.log(usage);
else if (options.pack === undefined) await check(options);
else (await import('./pack.mjs')).pack(options.pack);
