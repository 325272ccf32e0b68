/**
 * A run that was stopped and continues: on the same files with the same bits, on changed ones, or
 * with a damaged journal, from the beginning, which it says.
 */
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serialize } from 'node:v8';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InputFiles } from '#src/evaluation/run/input-files.js';
import { Journal } from '#src/evaluation/run/journal.js';
import { run } from '#src/evaluation/run/run.js';
import type { EvaluationRequest, EvaluationResult } from '#src/schema/index.js';
import { shipped } from '../../golden/load.js';

let folder: string;
let journal: string;
let request: EvaluationRequest;
const at = (name: string): string => join(folder, name);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sae-eval-journal-'));
  journal = at('journal');
  cpSync(shipped('tiny-llama'), at('model'), { recursive: true });
  cpSync(shipped('eval'), at('text'), { recursive: true });
  cpSync(shipped('TopK_tiny.pt'), at('sae.pt'));
  request = {
    model: at('model'),
    dataset: { path: at('text'), seqLen: 8, maxSamples: 12 },
    saes: [{ kind: 'TopK', checkpoint: at('sae.pt'), layer: 16, k: 16, label: 'TopK' }],
    batchSize: 2,
    // no splices: what is tested is which files are read
    metrics: ['NormMSE', 'ExplainedVariance'],
    protocol: ['strict'],
  };
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs until `batches` are done, as a signal would end it. */
async function stopped(batches = 3): Promise<void> {
  const controller = new AbortController();
  await expect(
    run(request, {
      journal,
      signal: controller.signal,
      onBatch: (samples) => {
        if (samples === 2 * batches) controller.abort();
      },
    }),
  ).rejects.toMatchObject({ code: 'cancelled' });
  expect(existsSync(journal)).toBe(true);
}

/** The result, and how many batches it took. */
async function continued(): Promise<{ result: EvaluationResult; batches: number }> {
  let batches = 0;
  const result = await run(request, { journal, onBatch: () => (batches += 1) });
  return { result, batches };
}

const warnings = ({ data }: EvaluationResult): string =>
  data.warnings.map(({ en }) => en).join(' ');

/** Overwrites bytes of a file in place; size and time of modification stay. */
function edit(path: string, change: (bytes: Buffer) => void): void {
  const { atime, mtime, size } = statSync(path);
  const bytes = readFileSync(path);
  change(bytes);
  writeFileSync(path, bytes, { flag: 'r+' });
  utimesSync(path, atime, mtime);
  expect([statSync(path).size, statSync(path).mtime]).toEqual([size, mtime]);
}

describe('a run that was stopped', () => {
  it('continues under another name with the same bits, also after files were touched', async () => {
    const whole = await run(request);
    await stopped();
    for (const name of [
      'text/eval.jsonl',
      'sae.pt',
      'model/model.safetensors',
      'model/config.json',
    ])
      utimesSync(at(name), new Date(), new Date());
    const annotations = {
      name: 'step 13000',
      tags: ['sweep', '第一'],
      notes: 'again\n',
      metadata: { commit: '1c9e0f' },
    };
    request = { ...request, ...annotations };
    const { result, batches } = await continued();
    expect(batches).toBe(3);
    expect(warnings(result)).toBe('');
    expect(result.results).toEqual(whole.results);
    expect(result.data).toEqual(whole.data);
    expect(result.config).toMatchObject(annotations);
  });

  it.each([
    ['text', 'text/eval.jsonl', (bytes: Buffer) => bytes.fill('a', 12, 40)],
    [
      'a tokenizer',
      'model/tokenizer.json',
      (bytes: Buffer) => {
        // Two tokens of one letter change places.
        const text = bytes.toString('latin1');
        bytes.write('o', text.indexOf('"e": ') + 1);
        bytes.write('e', text.indexOf('"o": ') + 1);
      },
    ],
    [
      'a configuration',
      'model/config.json',
      (bytes: Buffer) => {
        const digit = bytes.toString().search(/"rms_norm_eps": \d/) + 16;
        bytes.write(bytes.toString('latin1', digit, digit + 1) === '1' ? '2' : '1', digit);
      },
    ],
    [
      'weights of the model',
      'model/model.safetensors',
      (bytes: Buffer) => {
        // the low bytes of the last tensor's numbers
        for (let i = bytes.length - 4096; i < bytes.length; i += 4) bytes[i + 1]! ^= 0x10;
      },
    ],
    ['weights of an SAE', 'sae.pt', (bytes: Buffer) => void (bytes[200_001]! ^= 0x40)],
  ])('begins again if %s was edited in place, and says so', async (_, name, change) => {
    await stopped();
    edit(at(name), change);
    const afresh = await run(request);
    const { result, batches } = await continued();
    expect(batches).toBe(6);
    expect(result.results).toEqual(afresh.results);
    expect(warnings(result)).toMatch(
      /^The journal .* not used: .* has changed\. The run began again/,
    );
    expect(warnings(result)).toContain(at(name));
  });

  it('begins again after a file was added to the text, or the request changed', async () => {
    await stopped();
    writeFileSync(at('text/another.jsonl'), '{"text": "one more"}\n');
    expect(warnings((await continued()).result)).toContain('another.jsonl has changed');
    request = { ...request, saes: [{ ...request.saes[0]!, k: 8 }] };
    const { result, batches } = await continued();
    expect(batches).toBe(6);
    expect(warnings(result)).toContain('it belongs to another request');
  });

  it('keeps the warning when it is stopped once more', async () => {
    await stopped();
    edit(at('text/eval.jsonl'), (bytes) => bytes.fill('a', 12, 40));
    await stopped(4);
    const { result, batches } = await continued();
    expect(batches).toBe(2);
    expect(warnings(result)).toContain('eval.jsonl has changed');
  });
});

describe('a journal', () => {
  it('is used only if every byte is the one that was written', async () => {
    await stopped();
    const whole = await run(request);
    const written = readFileSync(journal);
    const places = Array.from({ length: 24 }, (_, i) => Math.floor((written.length * i) / 24));
    const damaged: [string, Buffer][] = [
      ...places.map((place): [string, Buffer] => {
        const bytes = Buffer.from(written);
        bytes[place]! ^= 1 << (place % 8);
        return [`bit at ${place}`, bytes];
      }),
      ['cut in half', written.subarray(0, written.length / 2)],
      ['one byte short', written.subarray(0, -1)],
      ['empty', Buffer.alloc(0)],
      ['zeros', Buffer.alloc(written.length)],
      ['null', serialize(null)],
      ['of 0.1.0', serialize({ version: 3, identity: 'x', state: null })],
    ];
    const told = (): string | undefined =>
      new Journal(journal, { request: null, machine: null }, new InputFiles()).recover().refused
        ?.en;
    expect(told()).toContain('it belongs to another request');
    for (const [what, bytes] of damaged) {
      writeFileSync(journal, bytes);
      expect(told(), what).toContain('it is damaged');
    }
    const { result, batches } = await continued();
    expect(batches).toBe(6);
    expect(warnings(result)).toContain('it is damaged');
    expect(result.results).toEqual(whole.results);
  });

  it('that cannot be written does not stop the run, which says so', async () => {
    const notices: string[] = [];
    const result = await run(request, {
      journal: at('no/such/folder/journal'),
      onNotice: ({ en }) => notices.push(en),
    });
    expect(result.status).toBe('succeeded');
    expect(warnings(result)).toMatch(/^The journal could not be written .* went on without it\.$/);
    expect(notices).toEqual([warnings(result)]);
  });
});

describe('a file that changes while a run reads it', () => {
  const during = (change: () => void, { device }: { device?: string } = {}) =>
    run(
      { ...request, ...(device === undefined ? {} : { device }) },
      {
        journal,
        onBatch: (samples) => {
          if (samples === 6) change();
        },
      },
    );

  it.each([
    ['the SAE', 'sae.pt'],
    ['the model', 'model/model.safetensors'],
    ['the text', 'text/eval.jsonl'],
  ])('fails the run if %s is written in place', async (_, name) => {
    // A device has copies of the weights: the CPU reads the files.
    await expect(
      during(() => edit(at(name), (bytes) => void (bytes[bytes.length - 5_000]! ^= 0x10)), {
        device: 'cpu',
      }),
    ).rejects.toMatchObject({
      code: 'input-changed',
      message: expect.stringContaining(at(name)) as string,
    });
  });

  it('fails the run if the text becomes shorter', async () => {
    await expect(during(() => truncateSync(at('text/eval.jsonl'), 1000))).rejects.toMatchObject({
      code: 'input-changed',
    });
  });

  it('does not matter if it is touched, renamed over or no longer needed', async () => {
    const whole = await run(request);
    const result = await during(() => {
      utimesSync(at('text/eval.jsonl'), new Date(), new Date());
      rmSync(at('sae.pt'));
      cpSync(shipped('Vanilla_tiny.pt'), at('sae.pt'));
      edit(at('model/config.json'), (bytes) => bytes.fill(' ', 0, 1));
    });
    expect(result.results).toEqual(whole.results);
  });
});
