/**
 * Files that change between the check of a request and its run, and links beside listed files: the
 * processes that read open nothing outside the roots, wait for nothing, and tell nothing of it.
 */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Catalogue } from '#server/catalogue.js';
import { Roots } from '#server/roots.js';
import { ComputeProcess } from '#src/compute/host.js';
import { SaeEvalError } from '#src/errors.js';
import { inspectRequest } from '#src/inspect/inspect.js';
import { resolvedRequestSchema, type ResolvedRequest } from '#src/schema/index.js';
import { packageRoot, temporaryFolder } from './harness.js';

const folder = temporaryFolder();
const base = realpathSync(folder.path);
const root = join(base, 'root');
const outside = join(base, 'outside');
const shipped = (name: string): string => join(packageRoot, 'checkpoints', name);
const roots = new Roots([root], { hub: join(base, 'hub') });
const compute = new ComputeProcess();
const request = resolvedRequestSchema.parse({
  model: 'model',
  dataset: { path: 'texts', maxSamples: 4, seqLen: 16 },
  batchSize: 4,
  device: 'cpu',
  metrics: ['NormMSE'],
  protocol: ['strict'],
  saes: [{ kind: 'TopK', checkpoint: 'saes/TopK_tiny.pt', layer: 16, k: 16 }],
});

const texts = Array.from({ length: 8 }, (_, at) =>
  JSON.stringify({ text: `a text ${at} `.repeat(20) }),
);

beforeAll(() => {
  for (const place of [root, outside]) {
    mkdirSync(join(place, 'texts'), { recursive: true });
    mkdirSync(join(place, 'saes'));
    cpSync(shipped('tiny-llama'), join(place, 'model'), { recursive: true });
    cpSync(shipped('TopK_tiny.pt'), join(place, 'saes', 'TopK_tiny.pt'));
    writeFileSync(join(place, 'texts', 'b.jsonl'), texts.join('\n'));
  }
  writeFileSync(join(outside, 'secret.json'), 'TOPSECRET {');
});
afterAll(async () => {
  await compute.close();
  folder.remove();
});

let checked: ResolvedRequest | null = null;

/** The error of a run whose files change after the check; null if it succeeds. */
async function runAfter(change: () => void): Promise<SaeEvalError | null> {
  const paths = await roots.table(request);
  checked ??= await inspectRequest(request, paths);
  change();
  try {
    await compute.run(checked, { paths });
    return null;
  } catch (thrown) {
    if (!(thrown instanceof SaeEvalError)) throw thrown;
    return thrown;
  }
}

/** Puts something in the place of a file or folder of the root, until the next test. */
const moved: { from: string; to: string }[] = [];
function replace(name: string, put: (path: string) => void): void {
  const from = join(root, name);
  const to = join(base, `moved-${moved.length}`);
  renameSync(from, to);
  moved.push({ from, to });
  put(from);
}
beforeEach(() => {
  for (const { from, to } of moved.splice(0)) {
    rmSync(from, { recursive: true, force: true });
    renameSync(to, from);
  }
  rmSync(join(root, 'texts', 'a.jsonl'), { force: true });
});

const pipe = (path: string): void => void execFileSync('mkfifo', [path]);
const linkTo =
  (...way: string[]) =>
  (path: string): void =>
    symlinkSync(join(outside, ...way), path);

function tellsNothing(text: string): void {
  expect(text).not.toContain(base);
  expect(text).not.toMatch(/SECRET/);
}

describe('a run', () => {
  it('succeeds if nothing changes, and if a file becomes a link that stays inside', async () => {
    expect(await runAfter(() => {})).toBeNull();
    const error = await runAfter(() =>
      replace('saes/TopK_tiny.pt', (path) => {
        cpSync(shipped('TopK_tiny.pt'), join(root, 'saes', 'other.pt'));
        symlinkSync('other.pt', path);
      }),
    );
    expect(error).toBeNull();
    rmSync(join(root, 'saes', 'other.pt'));
  });

  it.each([
    ['checkpoint', () => replace('saes/TopK_tiny.pt', linkTo('saes', 'TopK_tiny.pt'))],
    ['folder of a checkpoint', () => replace('saes', linkTo('saes'))],
    ['model folder', () => replace('model', linkTo('model'))],
    ['configuration', () => replace('model/config.json', linkTo('secret.json'))],
    ['tokenizer', () => replace('model/tokenizer.json', linkTo('secret.json'))],
    ['weights of the model', () => replace('model/model.safetensors', linkTo('secret.json'))],
    ['file of text', () => replace('texts/b.jsonl', linkTo('texts', 'b.jsonl'))],
    ['folder of text', () => replace('texts', linkTo('texts'))],
    ['nothing: a configuration', () => replace('model/config.json', linkTo('none'))],
  ])('refuses a link out of the roots in place of a %s', async (_, change) => {
    const error = await runAfter(change);
    expect(error?.code).toBe('path-outside-roots');
    tellsNothing(JSON.stringify(error));
  });

  it('refuses a link out of the roots that was added to a folder of text', async () => {
    const error = await runAfter(() => linkTo('texts', 'b.jsonl')(join(root, 'texts', 'a.jsonl')));
    expect(error?.code).toBe('path-outside-roots');
    tellsNothing(JSON.stringify(error));
  });

  it.each(['saes/TopK_tiny.pt', 'model/config.json', 'model/model.safetensors', 'texts/b.jsonl'])(
    'does not wait for a pipe in place of %s',
    async (name) => {
      const error = await runAfter(() => replace(name, pipe));
      expect(error).not.toBeNull();
      expect(error!.message).toMatch(/found a pipe|no config/);
      tellsNothing(error!.message);
    },
    10_000,
  );

  it('names files as the request does, and quotes nothing that is not JSON', async () => {
    const error = await runAfter(() =>
      replace('model/config.json', (path) => writeFileSync(path, 'TOPSECRET of another user')),
    );
    expect(error?.code).toBe('model-invalid');
    expect(error?.message).toContain('model/config.json: expected JSON, found something else');
    tellsNothing(JSON.stringify(error));
  });
});

describe('a check of a request', () => {
  it('says the same of a link to something outside and to nothing', async () => {
    mkdirSync(join(root, 'links'), { recursive: true });
    linkTo('model')(join(root, 'links', 'there'));
    linkTo('none')(join(root, 'links', 'none'));
    const errorOf = async (path: string): Promise<SaeEvalError> =>
      roots.resolveModel(path).then(
        () => {
          throw new Error('it was resolved');
        },
        (thrown: unknown) => thrown as SaeEvalError,
      );
    for (const behind of ['', '/config.json', '/none']) {
      const [there, none] = await Promise.all([
        errorOf(`links/there${behind}`),
        errorOf(`links/none${behind}`),
      ]);
      expect(there.code).toBe('path-outside-roots');
      expect(none.message.replace('none', 'there')).toBe(there.message);
    }
    rmSync(join(root, 'links'), { recursive: true });
  });
});

describe('the lists', () => {
  it('follow no link beside a listed file out of the roots, and hide where these lie', async () => {
    for (const [name, weights] of [
      ['pub', 'ae.pt'],
      ['pub2', 'sae_weights.safetensors'],
    ] as const) {
      mkdirSync(join(root, name));
      cpSync(shipped('TopK_tiny.pt'), join(root, name, weights));
    }
    writeFileSync(join(outside, 'config.json'), '{"trainer":{"dict_class":"SECRET-VALUE"}}');
    writeFileSync(
      join(outside, 'manifest.json'),
      '{"format":"sae-eval-torchscript","version":"SECRET-VERSION"}',
    );
    linkTo('config.json')(join(root, 'pub', 'config.json'));
    linkTo('config.json')(join(root, 'pub2', 'cfg.json'));
    linkTo('manifest.json')(join(root, 'model', 'manifest.json'));
    const catalogue = new Catalogue(roots, {});
    const { signal } = new AbortController();
    const [checkpoints, models] = [
      await catalogue.checkpoints(signal),
      await catalogue.models(signal),
    ];
    const errors = [...checkpoints.items, ...models.items].flatMap(({ path, error }) =>
      error === null ? [] : [`${path} ${error.code}`],
    );
    expect(errors).toContain('pub/ae.pt path-outside-roots');
    expect(errors).toContain('model path-outside-roots');
    tellsNothing(JSON.stringify([checkpoints, models]));
    rmSync(join(root, 'model', 'manifest.json'));
    for (const name of ['pub', 'pub2']) rmSync(join(root, name), { recursive: true });
  });

  it('say that a root has vanished, and not where it lay', async () => {
    const gone = new Catalogue(new Roots([join(base, 'gone')], { hub: join(base, 'hub') }), {});
    const error = await gone.datasets().then(
      () => null,
      (thrown: unknown) => thrown as SaeEvalError,
    );
    expect(error?.code).toBe('unavailable');
    tellsNothing(error!.message);
  });
});
