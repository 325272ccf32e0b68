/**
 * Faults of a program on GPUs, planted one at a time in a copy of the build: the simulated device
 * must show each of them, by an error, by wrong numbers or by its counts.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addonPath, packageRoot } from '#src/torch/setup/paths.js';
import { buildSimulatedCuda } from './build.js';
import type { Counts } from './device.js';
import { full } from '../full.js';

interface Fault {
  what: string;
  /** File below dist/src. */
  file: string;
  from: string | RegExp;
  to: string;
  /** The complaint that shows it. */
  shown: RegExp;
}

const mixed = /Expected all tensors to be on the same device/;

const faults: Fault[] = [
  {
    what: 'rotary tables stay on the host',
    file: 'lm/rope.js',
    from: '.to({ dtype }).to({ device, nonBlocking: true })',
    to: '.to({ dtype })',
    shown: mixed,
  },
  {
    what: 'masks stay on the host',
    file: 'evaluation/engine/positions.js',
    from: '{ device: this.#options.device }',
    to: '{}',
    shown: mixed,
  },
  {
    what: 'token ids stay on the host',
    file: 'evaluation/engine/engine.js',
    from: '[samples.length, T], { device })',
    to: '[samples.length, T])',
    shown: mixed,
  },
  {
    what: 'offsets of bags stay on the host',
    file: 'sae/latents.js',
    from: "{ dtype: 'int64', device }",
    to: "{ dtype: 'int64' }",
    shown: mixed,
  },
  {
    what: 'rows of routed layers are on the first device',
    file: 'evaluation/engine/strategies/routed.js',
    from: "ops.arange(R, { dtype: 'int64', device })",
    to: "ops.arange(R, { dtype: 'int64', device: 'cuda:0' })",
    shown: /at least two devices, cuda:[01] and cuda:[01]/,
  },
  {
    what: 'weights go to the first device',
    file: 'checkpoint/tensors.js',
    from: 'mapped.to({ device })',
    to: "mapped.to({ device: 'cuda:0' })",
    shown: /at least two devices|memory of the other device/,
  },
  {
    what: 'bounds of segments are no int32',
    file: 'lm/batch-context.js',
    from: "ops.arange(copies, { dtype: 'int32', device",
    to: "ops.arange(copies, { dtype: 'int64', device",
    shown: /cumulative lengths must be contiguous int32/,
  },
  {
    what: "the CPU's kernel of attention runs on every device",
    file: 'lm/attention.js',
    from: "q.device === 'cpu' && ",
    to: '',
    shown: /Could not run 'sae_eval::attend'/,
  },
  {
    what: 'oneDNN multiplies on every device',
    file: 'torch/linear.js',
    from: /if \(x\.device !== 'cpu' \|\| .*\)\s+return false;/,
    to: '',
    shown: /mkldnn/,
  },
  {
    what: 'sums of the logits are not initialised',
    file: 'evaluation/engine/compare-logits.js',
    from: 'ops.zeros([lanes',
    to: 'ops.empty([lanes',
    shown: /NaN or infinite/,
  },
  {
    what: 'a stream set to zero is not initialised',
    file: 'evaluation/engine/zero-ablation.js',
    from: 'zeros([1, 1, model.width]',
    to: 'ops.empty([1, 1, model.width]',
    shown: /NaN or infinite/,
  },
  {
    what: 'a wait at every lane',
    file: 'evaluation/engine/lanes.js',
    from: 'view.copy_(edit(view));',
    to: 'view.copy_(edit(view)); view.sum().item();',
    shown: /\d+ waits/,
  },
  {
    what: 'uploads wait',
    file: 'torch/create.js',
    from: 'nonBlocking: true',
    to: 'nonBlocking: false',
    shown: /\d+ waits/,
  },
  {
    what: 'a value travels to the host and back',
    file: 'metrics/measurement.js',
    from: "rows.mul(rows).sum([-1], { dtype: 'float64' })",
    to: "rows.mul(rows).sum([-1], { dtype: 'float64' }).cpu().to(rows.device)",
    shown: /\d+ copies to the host/,
  },
  {
    what: 'weights are converted on the host',
    file: 'checkpoint/tensors.js',
    from: 'mapped.to({ device }).to({ dtype })',
    to: 'mapped.to({ device, dtype })',
    shown: /\d+ conversions by the host/,
  },
  {
    what: 'a number of the host is an operand',
    file: 'lm/rope.js',
    from: 'turned\n        .mul(',
    to: 'turned\n        .mul(tensor([1]).squeeze(0)).mul(',
    shown: /\d+ numbers of the host/,
  },
  {
    what: 'attention whose memory is quadratic',
    file: 'lm/attention.js',
    from: 'attendSegments(heads, context, own)',
    to: 'attendInBlocks(heads, context, own)',
    shown: /no attention of segments/,
  },
  {
    what: 'masks are never freed',
    file: 'evaluation/engine/positions.js',
    from: 'for (const mask of this.#masks.values())\n            mask.dispose();',
    to: '',
    shown: /\d+ bytes left/,
  },
  {
    what: 'sums are never freed',
    file: 'evaluation/engine/collector.js',
    from: /for \(const \{ sums \} of this\.#summed\)\s+sums\.dispose\(\);/,
    to: '',
    shown: /\d+ bytes left/,
  },
];

interface Outcome {
  status: string;
  values: { label: string; error: { message: string } | null }[];
  loading: Counts;
  running: Counts;
}

/** Each is a process: all of them where there is time, else every fourth. */
const tried = faults.filter((_, index) => full || index % 8 === 0);

const folder = join(packageRoot, 'build', 'planted-faults');
let device: string;
let sound: Outcome;

function evaluate(): { outcome: Outcome | null; stderr: string } {
  const script = join(packageRoot, 'test/simulated-cuda/planted-run.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, folder, device], {
    encoding: 'utf8',
    env: { ...process.env, OMP_NUM_THREADS: '1', SAE_EVAL_ADDON: addonPath() },
  });
  return { outcome: status === 0 ? (JSON.parse(stdout) as Outcome) : null, stderr };
}

/** Faults of a run, by the budgets and by the numbers of the sound build. */
function complaints({ outcome, stderr }: ReturnType<typeof evaluate>): string[] {
  if (outcome === null) return [stderr];
  const { loading, running, values } = outcome;
  const found: string[] = values.flatMap(({ error }) => (error === null ? [] : [error.message]));
  const most = (count: number, allowed: number, what: string): void => {
    if (count > allowed) found.push(`${count} ${what}`);
  };
  most(running.waits, 3, 'waits');
  most(running.copiesToHost, 2, 'copies to the host');
  most(running.operators, sound.running.operators, 'operators');
  most(loading.hostConversions + running.hostConversions, 0, 'conversions by the host');
  most(running.hostScalars, 0, 'numbers of the host');
  most(running.used[1]!, 0, 'bytes left');
  most(Math.max(loading.peak[0]!, running.peak[0]!), 0, 'bytes in memory of the other device');
  if ((running.attention['efficient'] ?? 0) === 0) found.push('no attention of segments');
  if (found.length === 0 && JSON.stringify(values) !== JSON.stringify(sound.values))
    found.push('other numbers');
  return found;
}

beforeAll(async () => {
  device = await buildSimulatedCuda();
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  cpSync(join(packageRoot, 'dist'), join(folder, 'dist'), { recursive: true });
  for (const name of ['checkpoints', 'package.json', 'node_modules'])
    symlinkSync(join(packageRoot, name), join(folder, name));
  const { outcome, stderr } = evaluate();
  expect(outcome, stderr).not.toBeNull();
  sound = outcome!;
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a fault', () => {
  it('is not found where there is none', () => {
    expect(complaints(evaluate())).toEqual([]);
  });

  it.each(tried)('is found: $what', ({ file, from, to, shown }) => {
    const path = join(folder, 'dist/src', file);
    const whole = readFileSync(path, 'utf8');
    const faulty = whole.replaceAll(
      from instanceof RegExp ? new RegExp(from.source, 'g') : from,
      () => to,
    );
    expect(faulty, 'the text to be replaced is there').not.toBe(whole);
    writeFileSync(path, faulty);
    try {
      expect(complaints(evaluate()).join('; ')).toMatch(shown);
    } finally {
      writeFileSync(path, whole);
    }
  });
});
