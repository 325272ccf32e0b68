/** `saes[].checkpoints`: patterns and folders, what they find, how it is labeled; hub names. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { evaluate } from '#src/index.js';
import { differencesOf } from '#src/evaluation/request/checkpoints/differences.js';
import { findCheckpoints } from '#src/evaluation/request/checkpoints/find.js';
import { splitPattern } from '#src/evaluation/request/checkpoints/pattern.js';
import { validateRequest } from '#src/evaluation/request/resolve.js';
import { listSaes } from '#src/inspect/list-saes.js';
import type { SaeSpec } from '#src/schema/index.js';
import { root } from '../../golden/load.js';

const folder = mkdtempSync(join(tmpdir(), 'sae-eval-checkpoints-'));
const fixtures = join(root, 'test/sae/formats/fixtures');
const topK = join(root, 'checkpoints/TopK_tiny.pt');
const hubBefore = process.env['HF_HUB_CACHE'];

/** A repository of the Hugging Face cache as huggingface_hub lays it out: files are links. */
function cached(name: string, files: Record<string, string>): void {
  const repository = join(folder, 'hub', name);
  mkdirSync(join(repository, 'refs'), { recursive: true });
  mkdirSync(join(repository, 'blobs'), { recursive: true });
  for (const ref of ['main', 'v1']) writeFileSync(join(repository, 'refs', ref), 'abc123');
  let blobs = 0;
  for (const [path, source] of Object.entries(files)) {
    const blob = join(repository, 'blobs', `blob${blobs++}`);
    cpSync(source, blob);
    const file = join(repository, 'snapshots/abc123', path);
    mkdirSync(resolve(file, '..'), { recursive: true });
    symlinkSync(blob, file);
  }
}

beforeAll(() => {
  process.env['HF_HUB_CACHE'] = join(folder, 'hub');
  for (const step of [1, 2, 10]) {
    mkdirSync(join(folder, `runs/step_${step}`), { recursive: true });
    cpSync(topK, join(folder, `runs/step_${step}/ae.pt`));
    writeFileSync(join(folder, `runs/step_${step}/log.txt`), 'loss');
  }
  mkdirSync(join(folder, 'runs/logs'));
  mkdirSync(join(folder, 'mixed'));
  writeFileSync(join(folder, 'mixed/damaged.pt'), 'no checkpoint');
  cpSync(join(fixtures, 'saelens-topk'), join(folder, 'mixed/lens'), { recursive: true });
  cpSync(
    join(fixtures, 'dictionary_learning-AutoEncoder'),
    join(folder, 'mixed/resid_post_layer_4/trainer_0'),
    { recursive: true },
  );
  cpSync(join(root, 'checkpoints/tiny-llama'), join(folder, 'mixed/model'), { recursive: true });
  const params = 'gemma-scope-2b-pt-res/layer_20/width_16k/average_l0_71/params.npz';
  cached('models--google--scope', {
    'layer_20/width_16k/average_l0_71/params.npz': join(fixtures, params),
    'layer_21/width_16k/average_l0_72/params.npz': join(fixtures, params),
    'tiny/a.pt': topK,
    'tiny/b.pt': topK,
  });
  cached('datasets--org--words', {
    'data/eval.jsonl': join(root, 'checkpoints/eval/eval.jsonl'),
  });
});
afterAll(() => {
  if (hubBefore === undefined) delete process.env['HF_HUB_CACHE'];
  else process.env['HF_HUB_CACHE'] = hubBefore;
  rmSync(folder, { recursive: true, force: true });
});

const request = (...saes: SaeSpec[]) => ({
  model: join(root, 'checkpoints/tiny-llama'),
  dataset: { path: join(root, 'checkpoints/eval'), maxSamples: 2, seqLen: 8 },
  saes,
  protocol: ['strict' as const],
});
const tiny = { kind: 'TopK', layer: 16, k: 16 } as const;

async function labelsOf(...saes: SaeSpec[]): Promise<(string | undefined)[]> {
  return (await validateRequest(request(...saes))).request.saes.map(({ label }) => label);
}

async function faultOf(...saes: SaeSpec[]) {
  return validateRequest(request(...saes)).then(
    () => expect.unreachable(),
    (error: { code: string; fields: { path: string; message: string }[] }) => error,
  );
}

it.each([
  ['runs/*/ae.pt', { base: 'runs', rest: ['*', 'ae.pt'] }],
  ['/a/b*.pt', { base: '/a', rest: ['b*.pt'] }],
  ['*.pt', { base: '.', rest: ['*.pt'] }],
  ['/*', { base: '/', rest: ['*'] }],
  ['org/name@v1:*/x.npz', { base: 'org/name@v1', rest: ['*', 'x.npz'] }],
  ['org/name:a/*.npz', { base: 'org/name:a', rest: ['*.npz'] }],
  ['runs/', { base: 'runs', rest: [] }],
])('the pattern %s begins in a folder', (pattern, expected) => {
  expect(splitPattern(pattern)).toEqual(expected);
});

it.each([
  [
    ['r/a/ae.pt', 'r/b/ae.pt'],
    ['a', 'b'],
  ],
  [
    ['r/step_1.pt', 'r/step_2.pt'],
    ['step_1', 'step_2'],
  ],
  [
    ['r/a.pt', 'r/a.npz'],
    ['a.pt', 'a.npz'],
  ],
  [
    ['r/l1/x/t0/ae.pt', 'r/l2/x/t1/ae.pt'],
    ['l1/t0', 'l2/t1'],
  ],
  [
    ['r/a/ae.pt', 'r/b/last/ae.pt'],
    ['a', 'b/last'],
  ],
  [
    ['r/ae.pt', 'r/b/ae.pt'],
    ['ae', 'b/ae'],
  ],
  [['r/only.pt'], ['only']],
])('what differs in %j is %j', (paths, expected) => {
  expect(differencesOf(paths)).toEqual(expected);
});

describe('a pattern', () => {
  it('names each file that it matches, in the order of their numbers', async () => {
    const pattern = join(folder, 'runs/*/ae.pt');
    expect(await findCheckpoints(pattern, join(folder, 'runs'))).toEqual(
      [1, 2, 10].map((step) => join(folder, `runs/step_${step}/ae.pt`)),
    );
    const { request: known } = await validateRequest(request({ checkpoints: pattern, ...tiny }));
    expect(known.saes[2]).toEqual({
      ...{ ...tiny, label: 'step_10' },
      checkpoint: join(folder, 'runs/step_10/ae.pt'),
    });
  });

  it('knows ranges, alternatives and folders of any depth', async () => {
    const found = async (rest: string): Promise<number> =>
      (await findCheckpoints(join(folder, rest), join(folder, 'runs'))).length;
    expect(await found('runs/step_?/ae.pt')).toBe(2);
    expect(await found('runs/step_[2-9]/*')).toBe(1);
    expect(await found('runs/{step_1,step_10}/*.pt')).toBe(2);
    expect(await found('runs/**/*.pt')).toBe(3);
    expect(await found('runs/*')).toBe(3);
  });

  it('reads nothing that it may not', async () => {
    const options = { mayRead: (path: string) => !path.includes('step_2') };
    for (const pattern of ['runs/*/ae.pt', 'runs/**', 'runs/*'])
      expect(await findCheckpoints(join(folder, pattern), join(folder, 'runs'), options)).toEqual([
        join(folder, 'runs/step_1/ae.pt'),
        join(folder, 'runs/step_10/ae.pt'),
      ]);
    await expect(
      findCheckpoints(`${folder}/runs/*/../../mixed`, join(folder, 'runs')),
    ).rejects.toMatchObject({ code: 'request-invalid' });
  });

  it('that finds nothing says what was looked at', async () => {
    const { code, fields } = await faultOf(
      { checkpoints: join(folder, 'runs/*/sae.pt'), ...tiny },
      { checkpoints: join(folder, 'runs/*/log.txt'), ...tiny },
      { checkpoints: join(folder, 'rums/*'), ...tiny },
    );
    expect(code).toBe('file-not-found');
    expect(fields.map(({ path }) => path)).toEqual(
      [0, 1, 2].map((at) => `saes[${at}].checkpoints`),
    );
    expect(fields[0]!.message).toContain('runs matches */sae.pt');
    expect(fields[1]!.message).toMatch(
      /3 matched, none of them an SAE \(3 files looked at; no SAE/,
    );
    expect(fields[2]!.message).toContain('did you mean');
  });
});

describe('a folder', () => {
  it('gives the SAEs that lie in it and passes over models and files that are none', async () => {
    expect(await labelsOf({ checkpoints: join(folder, 'runs'), ...tiny })).toEqual([
      'step_1',
      'step_2',
      'step_10',
    ]);
    expect(await findCheckpoints(join(folder, 'mixed'), join(folder, 'mixed'))).toEqual([
      join(folder, 'mixed/lens'),
      join(folder, 'mixed/resid_post_layer_4/trainer_0'),
    ]);
  });

  it('without an SAE says what was looked at', async () => {
    const { fields } = await faultOf({ checkpoints: join(folder, 'runs/logs'), ...tiny });
    expect(fields[0]!.message).toContain('no SAE lies below this folder (0 files looked at)');
  });
});

describe('the SAEs of a request', () => {
  const runs = () => join(folder, 'runs/*/ae.pt');

  it('have labels of their own, even if two fields find the same names', async () => {
    expect(
      await labelsOf({ checkpoints: runs(), ...tiny, label: 'new' }, { checkpoint: topK, ...tiny }),
    ).toEqual(['new step_1', 'new step_2', 'new step_10', 'TopK']);
    expect(
      await labelsOf({ checkpoints: runs(), ...tiny }, { checkpoints: runs(), ...tiny, k: 8 }),
    ).toEqual(['step_1', 'step_2', 'step_10', 'step_1 2', 'step_2 2', 'step_10 2']);
  });

  it('are told of by the field that named them, once for all that it found', async () => {
    const { fields } = await faultOf(
      { checkpoint: topK, ...tiny },
      { checkpoints: runs(), kind: 'TopK', layer: 16 },
    );
    expect(fields).toEqual([
      {
        path: 'saes[1].k',
        message: expect.stringMatching(/step_1\/ae\.pt and 2 more: /) as string,
      },
    ]);
  });

  it('are named by one of the two fields', async () => {
    expect((await faultOf({ checkpoint: topK, checkpoints: runs(), ...tiny })).fields).toEqual([
      {
        path: 'saes[0].checkpoints',
        message: expect.stringContaining('exclude each other') as string,
      },
    ]);
    expect((await faultOf({ ...tiny })).fields[0]).toMatchObject({ path: 'saes[0].checkpoint' });
  });

  it('are as many as a request may have', async () => {
    mkdirSync(join(folder, 'many'));
    for (let at = 0; at < 257; at++) symlinkSync(topK, join(folder, `many/${at}.pt`));
    const { code, fields } = await faultOf({ checkpoints: join(folder, 'many/*.pt'), ...tiny });
    expect([code, fields[0]!.message]).toEqual([
      'request-invalid',
      expect.stringContaining('at most 256 SAEs'),
    ]);
  });
});

describe('names of the hub', () => {
  it('lead to SAEs and texts in the local cache, links and revisions followed', async () => {
    const result = await evaluate({
      ...request({ checkpoints: 'google/scope@v1:tiny/*.pt', ...tiny }),
      dataset: { path: 'org/words:data', maxSamples: 2, seqLen: 8 },
    });
    expect(result.config.saes.map(({ checkpoint }) => checkpoint)).toEqual([
      'google/scope@v1:tiny/a.pt',
      'google/scope@v1:tiny/b.pt',
    ]);
    expect(result.results.map(({ label, error }) => [label, error])).toEqual([
      ['a', null],
      ['b', null],
    ]);
    expect(result.config.files!.map(({ path }) => path)).toContain('org/words:data/eval.jsonl');
  });

  it('list the SAEs of a repository', async () => {
    const { saes } = await listSaes('google/scope');
    expect(
      saes.map(({ path, format, hook, d, m, publishedL0 }) => ({
        ...{ path, format, hook, d, m, publishedL0 },
      }))[0],
    ).toEqual({
      path: 'google/scope:layer_20/width_16k/average_l0_71',
      format: 'gemma-scope',
      hook: 'blocks.20.hook_resid_post',
      d: expect.any(Number) as number,
      m: expect.any(Number) as number,
      publishedL0: 71,
    });
    expect(saes.map(({ path }) => path)).toHaveLength(4);
  });

  it('that are not there are told with the command that fetches them', async () => {
    const { fields } = await faultOf(
      { checkpoint: 'google/scope:layer_99/params.npz' },
      { checkpoint: 'google/other@v2' },
    );
    expect(fields.map(({ message }) => /`(hf .*)`/.exec(message)?.[1])).toEqual([
      'hf download google/scope layer_99/params.npz',
      'hf download google/other --revision v2',
    ]);
    const wild = await faultOf({ checkpoints: 'google/other:layer_3/*' });
    expect(wild.fields[0]!.message).toContain("`hf download google/other --include 'layer_3/*'`");
    const texts = validateRequest({
      ...request({ checkpoint: topK, ...tiny }),
      dataset: { path: 'org/texts' },
    });
    await expect(texts).rejects.toThrow('`hf download org/texts --repo-type dataset`');
  });
});

it('a list of SAEs has what could not be read, and counts the rest', async () => {
  const { saes, damaged, others } = await listSaes(join(folder, 'mixed'));
  expect(saes.map(({ path, kind, hook, k }) => [path, kind, hook, k])).toEqual([
    [join(folder, 'mixed/lens'), 'TopK', expect.any(String), expect.any(Number)],
    [join(folder, 'mixed/resid_post_layer_4/trainer_0'), 'Vanilla', expect.any(String), null],
  ]);
  expect(damaged.map(({ message }) => message)).toEqual([expect.stringContaining('damaged.pt')]);
  expect(others).toBe(0);
});
