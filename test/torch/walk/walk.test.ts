/**
 * Walks the dispatcher's list: a sample of ATen's overloads (in full mode all), each called with arguments drawn from its
 * schema, in child processes, so that a call on which libtorch ends the process is seen and named. Every call answers or
 * throws a TorchError. In full mode, with SAE_EVAL_WRITE_LOG=1, docs/dispatcher-walk.md is written anew from the counts.
 */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { operator, operatorSchemas, ops, refusedCalls, TorchError, versions } from '#src/torch/index.js';
import { hash } from './draw.mjs';
import { parseSchema } from './schema.mjs';

const full = process.env['SAE_EVAL_TEST_FULL'] !== undefined;
const seed = 1;
const sample = full ? Infinity : 1000;
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
    const process_ = spawn(process.execPath, [child, entry, String(seed), String(draws)], { stdio: ['pipe', 'ignore', 'ignore', 'pipe'] });
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
      resolve({ ended, fatal: open === null && code === 0 ? null : `${open ?? 'after the last call'} (${signal ?? `exit ${code}`})` });
    });
  });
}

const names = operatorSchemas().filter((schema) => schema.startsWith('aten::')).map((schema) => parseSchema(schema).name).sort();
const chosen = names.length <= sample ? names : [...names].sort((a, b) => hash(`${seed} ${a}`) - hash(`${seed} ${b}`)).slice(0, sample).sort();

function report(ended: readonly Ended[]): string {
  const answered = new Set(ended.filter(({ outcome }) => outcome === 'answered').map(({ name }) => name));
  const refused = ended.filter(({ code }) => code === 'torch-refused');
  const silentOnes = chosen.filter((name) => !answered.has(name));
  const codes = [...new Set(ended.filter(({ outcome }) => outcome === 'error').map(({ code }) => code!))].sort();
  return `# The dispatcher walk

\`SAE_EVAL_TEST_FULL=1 SAE_EVAL_WRITE_LOG=1 npx vitest run test/torch/walk\` calls every ATen overload that libtorch's dispatcher lists with arguments drawn from its schema
(small tensors of several shapes and dtypes, small numbers; seed ${seed}), in child processes, and writes this page. libtorch ${versions().libtorch}, CPU.

| | |
|---|---|
| overloads called | ${chosen.length} of ${names.length}, ${draws} times each |
| calls | ${ended.length} |
| overloads that answered at least once | ${answered.size} |
| overloads that threw a typed error every time | ${silentOnes.length} |
| calls refused (\`torch-refused\`) since libtorch would end the process | ${refused.length}, of ${new Set(refused.map(({ name }) => name)).size} overloads |
| errors that were not \`TorchError\`s | ${ended.filter(({ outcome }) => outcome === 'untyped').length} |
| processes that died | 0 |

Codes of the errors: ${codes.map((code) => `\`${code}\` ${ended.filter((one) => one.code === code).length}`).join(', ')}. Overloads that never answered are those whose arguments chance
does not hit (quantized and packed weights, matching shapes of several tensors), those of devices that are not there, and those of types
that JavaScript has no value for.

## Refused calls

libtorch does not check the arguments of these operators, most of them internal, and would read or write outside memory or divide by zero. Python ends in
the same way where we tried (batch norm, LSTM, range, transforms). The binding refuses such arguments; others pass. The table is \`native/src/refused.cc\`.

| operator | reason |
|---|---|
${refusedCalls().map(({ operator: name, reason }) => `| \`${name.replace('aten::', '')}\` | ${reason} |`).join('\n')}
`;
}

describe('the dispatcher walk', () => {
  it(`calls ${chosen.length} overloads ${draws} times each: all answer or throw a typed error`, async () => {
    const ended: Ended[] = [];
    const fatal: string[] = [];
    for (let rest = chosen; rest.length > 0; ) {
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
    const answered = new Set(ended.filter(({ outcome }) => outcome === 'answered').map(({ name }) => name)).size;
    console.log(`dispatcher walk: ${chosen.length} overloads called, ${answered} answered, ${chosen.length - answered} threw a typed error each time`);
    expect(answered).toBeGreaterThan(chosen.length / 2);
    if (full && process.env['SAE_EVAL_WRITE_LOG'] !== undefined) writeFileSync(new URL('../../../docs/dispatcher-walk.md', import.meta.url), report(ended));
  }, 1_200_000);

  it('refuses what would end the process, and says why', () => {
    const call = (): unknown => operator('native_batch_norm')(ops.ones([2, 3]), null, null, null, null, false, 0.1, 1e-5);
    expect(call).toThrow(TorchError);
    expect(call).toThrow(/native_batch_norm.*refused, libtorch would end the process: without training it reads the running statistics/);
    const trained = operator('native_batch_norm')(ops.ones([2, 3]), null, null, null, null, true, 0.1, 1e-5) as unknown[];
    expect(trained).toHaveLength(3);
  });

  it('has a row in the documentation for each refusal, of operators that exist', () => {
    const page = readFileSync(new URL('../../../docs/dispatcher-walk.md', import.meta.url), 'utf8');
    const known = new Set(names.map((name) => name.split('.')[0]));
    for (const { operator: name, reason } of refusedCalls()) {
      expect(page).toContain(`| \`${name.replace('aten::', '')}\` | ${reason} |`);
      expect(known).toContain(name.split('.')[0]);
    }
  });
});
