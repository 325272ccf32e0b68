/**
 * Walks the dispatcher's list: a sample of ATen's overloads (in full mode all), each called with
 * arguments drawn from its schema, in child processes, so that a call on which libtorch ends the
 * process is seen and named. Every call answers or throws a TorchError. In full mode, with
 * SAE_EVAL_WRITE_LOG=1, docs/internals/dispatcher-walk.md is written anew from the counts.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import {
  operator,
  operatorSchemas,
  ops,
  refusedCalls,
  scope,
  tensor,
  TorchError,
  versions,
  type Tensor,
} from '#src/torch/index.js';
import { hash } from './draw.mjs';
import { parseSchema } from './schema.mjs';
import { full } from '../../full.js';

/** Folder in which the children run: some operators write files by name. */
const folder = mkdtempSync(join(tmpdir(), 'sae-eval-walk-'));
afterAll(() => rmSync(folder, { recursive: true }));
const seed = 1;
const sample = full ? Infinity : 400;
const draws = full ? 25 : 5;
const child = fileURLToPath(new URL('child.mjs', import.meta.url));
const entry = import.meta.resolve('#src/torch/index.js');
const silent = 60_000;

interface Ended {
  name: string;
  draw: number;
  outcome: 'answered' | 'error' | 'untyped';
  code?: string;
  message?: string;
}

type Line = Ended | { begin: string; draw: number } | { done: true };

/** Calls operators in one process; where it dies, `fatal` says in which call. */
function callIn(names: readonly string[]): Promise<{ ended: Ended[]; fatal: string | null }> {
  return new Promise((resolve, reject) => {
    const process_ = spawn(process.execPath, [child, entry, String(seed), String(draws)], {
      stdio: ['pipe', 'ignore', 'ignore', 'pipe'],
      cwd: folder,
    });
    const ended: Ended[] = [];
    let open: string | null = 'before the first call';
    let text = '';
    let timer = setTimeout(() => process_.kill('SIGKILL'), silent);
    (process_.stdio[3] as NodeJS.ReadableStream).setEncoding('utf8').on('data', (chunk: string) => {
      clearTimeout(timer);
      timer = setTimeout(() => process_.kill('SIGKILL'), silent);
      const lines = (text + chunk).split('\n');
      text = lines.pop()!;
      for (const line of lines.map((json) => JSON.parse(json) as Line)) {
        if ('begin' in line) open = `${line.begin}, draw ${line.draw}`;
        else if ('done' in line) open = null;
        else ended.push(line);
      }
    });
    process_.stdin!.on('error', () => undefined).end(names.join('\n'));
    process_.on('error', reject).on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({
        ended,
        fatal:
          open === null && code === 0
            ? null
            : `${open ?? 'after the last call'} (${signal ?? `exit ${code}`})`,
      });
    });
  });
}

const names = operatorSchemas()
  .filter((schema) => schema.startsWith('aten::'))
  .map((schema) => parseSchema(schema).name)
  .sort();
const chosen =
  names.length <= sample
    ? names
    : [...names]
        .sort((a, b) => hash(`${seed} ${a}`) - hash(`${seed} ${b}`))
        .slice(0, sample)
        .sort();

function report(ended: readonly Ended[]): string {
  const answered = new Set(
    ended.filter(({ outcome }) => outcome === 'answered').map(({ name }) => name),
  );
  const refused = ended.filter(({ code }) => code === 'torch-refused');
  const refusedOverloads = new Set(refused.map(({ name }) => name)).size;
  const refusedCount = `${refused.length}, of ${refusedOverloads} overloads`;
  const untyped = ended.filter(({ outcome }) => outcome === 'untyped');
  const silentOnes = chosen.filter((name) => !answered.has(name));
  const codes = [
    ...new Set(ended.filter(({ outcome }) => outcome === 'error').map(({ code }) => code!)),
  ]
    .sort()
    .map((code) => `\`${code}\` ${ended.filter((one) => one.code === code).length}`);
  return `# The dispatcher walk

\`SAE_EVAL_TEST_FULL=1 SAE_EVAL_WRITE_LOG=1 npx vitest run test/torch/walk\` calls every ATen
overload that libtorch's dispatcher lists, with arguments drawn from its schema (small tensors of
several shapes and dtypes, small numbers; seed ${seed}), in child processes, reads their answers,
and writes this page. libtorch ${versions().libtorch}, CPU.

| | |
|---|---|
| overloads called | ${chosen.length} of ${names.length}, ${draws} times each |
| calls | ${ended.length} |
| overloads that answered at least once | ${answered.size} |
| overloads that threw a typed error every time | ${silentOnes.length} |
| calls refused (\`torch-refused\`) since libtorch would end the process | ${refusedCount} |
| errors that were not \`TorchError\`s | ${untyped.length} |
| processes that died | 0 |

Codes of the errors: ${codes.join(', ')}.

An overload never answers if chance does not hit its arguments (quantized and packed weights,
matching shapes of several tensors), if it needs a device that is not there, or a type that
JavaScript has no value for. The walk finds nothing more under glibc's checking allocator
(\`LD_PRELOAD=libc_malloc_debug.so.0 MALLOC_CHECK_=3\`; seeds 1 and 2), which ends a process that
wrote outside its memory.

## Refused calls

libtorch does not check the arguments of these operators, most of them internal, and would read or
write outside memory or divide by zero. Python's process ended too in the cases we tried (batch
norm, LSTM, range, transforms). The binding refuses such arguments; others pass. The table is
\`native/src/refused.cc\`.

| operator | reason |
|---|---|
${refusedCalls()
  .map(({ operator: name, reason }) => `| \`${name.replace('aten::', '')}\` | ${reason} |`)
  .join('\n')}
`;
}

describe('the dispatcher walk', () => {
  it(`calls ${chosen.length} overloads ${draws} times each: none ends a process`, async () => {
    const ended: Ended[] = [];
    const fatal: string[] = [];
    for (let rest = chosen; rest.length > 0;) {
      const run = await callIn(rest);
      ended.push(...run.ended);
      if (run.fatal === null) break;
      fatal.push(run.fatal);
      rest = rest.slice(rest.indexOf(run.fatal.split(',')[0]!) + 1);
      if (fatal.length > 50) break;
    }
    expect(fatal).toEqual([]);
    expect(ended.filter(({ outcome }) => outcome === 'untyped')).toEqual([]);
    expect(ended).toHaveLength(chosen.length * draws);
    const answered = new Set(
      ended.filter(({ outcome }) => outcome === 'answered').map(({ name }) => name),
    ).size;
    console.log(
      `dispatcher walk: ${chosen.length} overloads called, ${answered} answered, ` +
        `${chosen.length - answered} threw a typed error each time`,
    );
    expect(answered).toBeGreaterThan(chosen.length / 2);
    if (full && process.env['SAE_EVAL_WRITE_LOG'] !== undefined)
      writeFileSync(
        new URL('../../../docs/internals/dispatcher-walk.md', import.meta.url),
        report(ended),
      );
  }, 1_200_000);

  it('refuses what would end the process, and says why', () => {
    const call = (): unknown =>
      operator('native_batch_norm')(ops.ones([2, 3]), null, null, null, null, false, 0.1, 1e-5);
    expect(call).toThrow(TorchError);
    expect(call).toThrow(/native_batch_norm.*refused, libtorch would end the process/);
    expect(call).toThrow(/it does not check that weight, bias and statistics/);
    const trained = operator('native_batch_norm')(
      ops.ones([2, 3]),
      null,
      null,
      null,
      null,
      true,
      0.1,
      1e-5,
    ) as unknown[];
    expect(trained).toHaveLength(3);
  });

  const long = (values: number[]): Tensor => tensor(values, { dtype: 'int64' });
  const x = ops.rand([4, 3]);
  const image = ops.rand([2, 3, 4, 4]);
  it.each<[string, () => unknown[]]>([
    [
      'native_batch_norm_backward',
      () => [
        x,
        x,
        null,
        null,
        null,
        ops.rand([3]),
        ops.rand([3]),
        true,
        1e-5,
        [true, false, false],
      ],
    ],
    [
      'native_batch_norm_backward',
      () => [
        image,
        image,
        ops.rand([3]),
        ops.rand([3]),
        ops.rand([3]),
        null,
        null,
        false,
        1e-5,
        [true, true, true],
      ],
    ],
    ['_cummax_helper', () => [x, ops.empty([4, 3]), ops.empty([4, 3], { dtype: 'int64' }), 1]],
    ['_cholesky_solve_helper', () => [ops.rand([3, 2]), ops.eye(3), false]],
    ['_convert_indices_from_csr_to_coo', () => [long([0, 2, 3]), long([0, 1, 1])]],
    ['_convert_indices_from_coo_to_csr', () => [long([0, 0, 1]), 2]],
    ['_fft_r2c', () => [x, [1], 0, true]],
    [
      '_foreach_copy',
      () => [
        [x, x],
        [x, x],
      ],
    ],
    [
      '_fused_sgd_',
      () => [
        [x.clone()],
        [x],
        [],
        {
          weight_decay: 0,
          momentum: 0,
          lr: 0.1,
          dampening: 0,
          nesterov: false,
          maximize: false,
          is_first_step: true,
        },
      ],
    ],
    ['_log_softmax_backward_data', () => [x, x, 1, 'float32']],
    ['_pad_packed_sequence', () => [x, long([2, 1, 1]), false, 0, 3]],
    ['_pdist_backward', () => [ops.rand([6]), x, 2, ops.pdist(x)]],
    ['_cdist_backward', () => [ops.rand([4, 4]), x, x, 2, ops.cdist(x, x)]],
    ['_reshape_alias', () => [x, [3, 4], [4, 1]]],
    ['_weight_norm_interface', () => [x, ops.rand([4, 1])]],
    ['segment_reduce', () => [ops.rand([4]), 'sum', { offsets: long([0, 1, 4]) }]],
    ['segment_reduce', () => [ops.rand([4]), 'max', { lengths: long([1, 3]) }]],
    [
      'slow_conv_transpose3d',
      () => [ops.rand([1, 2, 3, 3, 3]), ops.rand([2, 2, 2, 2, 2]), [2, 2, 2]],
    ],
    ['smooth_l1_loss_backward', () => [x, x, x, 1, 0.5]],
    ['range', () => [0, 4, 2, { dtype: 'int64' }]],
    ['range', () => [0, 1, 0.5]],
    ['replication_pad1d_backward', () => [ops.rand([3, 6]), ops.rand([3, 4]), [1, 1]]],
    ['unfold_backward', () => [ops.rand([3, 2]), [4], 0, 2, 1]],
    [
      'adaptive_max_pool2d_backward',
      () => [ops.rand([2, 3, 2, 2]), image, ops.adaptive_max_pool2d(image, 2)[1]],
    ],
    ['embedding_dense_backward', () => [ops.rand([2, 3]), long([0, 4]), 5, -1, false]],
    [
      'native_batch_norm',
      () => [image, ops.rand([3]), null, ops.rand([3]), ops.rand([3]), false, 0.1, 1e-5],
    ],
    ['_native_batch_norm_legit', () => [image, null, null, true, 0.1, 1e-5]],
    ['embedding_bag', () => [x, long([0, 1, 2]), long([0, 1, 3]), { include_last_offset: true }]],
    [
      'lstm',
      () => [
        ops.rand([5, 1, 3]),
        [ops.rand([2, 1, 4]), ops.rand([2, 1, 4])],
        [1, 2].flatMap(() => [
          ops.rand([16, 3]),
          ops.rand([16, 4]),
          ops.rand([16]),
          ops.rand([16]),
        ]),
        true,
        1,
        0,
        false,
        true,
        false,
      ],
    ],
    [
      'gru',
      () => [
        x,
        long([2, 1, 1]),
        ops.rand([1, 2, 4]),
        [ops.rand([12, 3]), ops.rand([12, 4])],
        false,
        1,
        0,
        false,
        false,
      ],
    ],
    ['rrelu_with_noise', () => [x, ops.rand([4, 3]), 0.1, 0.3, true, { out: ops.empty([4, 3]) }]],
  ])('lets right arguments through: %s', (name, given) => {
    expect(() => scope(() => void operator(name)(...given()))).not.toThrow();
  });

  it('has a row in the documentation for each refusal, of operators that exist', () => {
    const page = readFileSync(
      new URL('../../../docs/internals/dispatcher-walk.md', import.meta.url),
      'utf8',
    );
    const known = new Set(names.map((name) => name.split('.')[0]));
    for (const { operator: name, reason } of refusedCalls()) {
      expect(page).toContain(`| \`${name.replace('aten::', '')}\` | ${reason} |`);
      expect(known).toContain(name.split('.')[0]);
    }
  });
});
