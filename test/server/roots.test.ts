/** Paths of requests stay below the roots, whatever they are made of. */
import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Roots } from '#server/roots.js';
import { temporaryFolder } from './harness.js';

const folder = temporaryFolder();
const base = realpathSync(folder.path);
const [first, second, outside, hub] = ['first', 'second', 'outside', 'hub'].map((name) =>
  join(base, name),
) as [string, string, string, string];
const roots = new Roots([first, second], { hub });

beforeAll(() => {
  for (const path of [
    first,
    second,
    outside,
    join(second, 'model'),
    join(second, 'texts'),
    join(hub, 'models--org--name', 'refs'),
    join(hub, 'models--org--name', 'snapshots', 'abc'),
  ])
    mkdirSync(path, { recursive: true });
  writeFileSync(join(first, 'both.pt'), '1');
  writeFileSync(join(second, 'both.pt'), '2');
  writeFileSync(join(second, 'only.pt'), '2');
  writeFileSync(join(outside, 'secret.pt'), 's');
  writeFileSync(join(hub, 'models--org--name', 'refs', 'main'), 'abc\n');
  const snapshot = join(hub, 'models--org--name', 'snapshots', 'abc');
  mkdirSync(join(hub, 'models--org--name', 'blobs'));
  writeFileSync(join(hub, 'models--org--name', 'blobs', 'b1'), 'b');
  mkdirSync(join(snapshot, 'bad'));
  symlinkSync('../../blobs/b1', join(snapshot, 'sae.pt'));
  symlinkSync(join(outside, 'secret.pt'), join(snapshot, 'bad', 'secret.pt'));
  symlinkSync(join(outside, 'secret.pt'), join(first, 'link.pt'));
  symlinkSync(outside, join(first, 'folder'));
  symlinkSync(join(second, 'only.pt'), join(first, 'inner.pt'));
  symlinkSync(join(base, 'nothing'), join(first, 'dangling.pt'));
  symlinkSync('nothing.pt', join(first, 'dangling-inside.pt'));
  symlinkSync(join(outside, 'secret.pt'), join(second, 'texts', 'a.jsonl'));
});
afterAll(() => folder.remove());

describe('Roots', () => {
  it('takes the first root that has a path', async () => {
    expect(await roots.resolve('both.pt')).toBe(join(first, 'both.pt'));
    expect(await roots.resolve('only.pt')).toBe(join(second, 'only.pt'));
    expect(await roots.resolve('./x/../only.pt')).toBe(join(second, 'only.pt'));
    expect(await roots.resolve(join(second, 'only.pt'))).toBe(join(second, 'only.pt'));
    expect(await roots.resolve('inner.pt')).toBe(join(second, 'only.pt'));
  });

  it.each([
    '../outside/secret.pt',
    '..',
    '/etc/passwd',
    '/etc/no-such-file',
    join('x', '..', '..', 'outside'),
    'link.pt',
    'dangling.pt',
    'folder/secret.pt',
    'a\0b',
    '',
    '//etc/passwd',
    'first/../../../etc/passwd',
  ])('refuses %j', async (path) => {
    await expect(roots.resolve(path)).rejects.toMatchObject({ code: 'path-outside-roots' });
  });

  it.each(['nothing.pt', 'dangling-inside.pt', 'both.pt/inside', '~/x', 'a'.repeat(300)])(
    'does not find %j',
    async (path) => {
      await expect(roots.resolve(path)).rejects.toMatchObject({ code: 'file-not-found' });
    },
  );

  it('names what was probably meant, and the command for what may be on the hub', async () => {
    const message = async (found: Promise<string>): Promise<string> =>
      found.then(String, (error: Error) => error.message);
    expect(await message(roots.resolve('onyl.pt'))).toMatch(
      /root folders; did you mean 'only.pt'\?$/,
    );
    expect(await message(roots.resolve('model/../texst'))).toContain("'texts'?");
    expect(await message(roots.resolve('folder/secrt.pt'))).not.toContain('secret.pt');
    expect(await message(roots.resolveModel('some-org/a-model'))).toMatch(
      /root folders\. Nothing is downloaded: .*`hf download some-org\/a-model`/,
    );
    const request = {
      model: 'model',
      dataset: { path: 'an-org/words' },
      saes: [{ checkpoint: 'an-org/saes' }, { checkpoint: 'onyl.pt' }],
    } as never;
    const told = (await roots.table(request)).map((one) =>
      'error' in one ? one.error.message : '',
    );
    expect(told[0]).toContain('`hf download an-org/saes`');
    expect(told[1]).toContain("did you mean 'only.pt'?");
    expect(told[2]).toContain('`hf download an-org/words --repo-type dataset`');
  });

  it('finds SAEs in the cache, whose links lead to their blobs and nowhere else', async () => {
    const snapshot = join(hub, 'models--org--name', 'snapshots', 'abc');
    expect(await roots.resolveCheckpoint('org/name:sae.pt')).toBe(join(snapshot, 'sae.pt'));
    expect(await roots.resolveStart('org/name')).toEqual({
      real: snapshot,
      within: [join(hub, 'models--org--name')],
    });
    for (const path of ['org/name:bad', 'org/name:bad/secret.pt'])
      await expect(roots.resolveCheckpoint(path)).rejects.toMatchObject({
        code: 'path-outside-roots',
      });
    for (const path of ['org/name:../../blobs/b1', 'org/name@../x', 'org/name:nothing.pt'])
      await expect(roots.resolveCheckpoint(path)).rejects.toMatchObject({ code: 'file-not-found' });
    await expect(roots.resolveDataset('org/name')).rejects.toMatchObject({
      code: 'file-not-found',
    });
    expect(await roots.resolveStart('./')).toEqual({ real: first, within: [first, second] });
  });

  it('refuses a folder whose files lead outside', async () => {
    await expect(roots.resolve('texts', { contents: true })).rejects.toMatchObject({
      code: 'path-outside-roots',
    });
  });

  it('refuses a checkpoint whose configuration or weights lead outside', async () => {
    const published = join(first, 'published');
    mkdirSync(join(published, 'checkpoints'), { recursive: true });
    writeFileSync(join(published, 'checkpoints', 'final.safetensors'), '');
    expect(await roots.resolveCheckpoint('published')).toBe(published);
    symlinkSync(join(outside, 'secret.pt'), join(published, 'hyperparams.json'));
    for (const path of ['published', 'published/checkpoints/final.safetensors'])
      await expect(roots.resolveCheckpoint(path)).rejects.toMatchObject({
        code: 'path-outside-roots',
      });
    const deep = join(first, 'deep');
    mkdirSync(join(deep, 'checkpoints'), { recursive: true });
    symlinkSync(join(outside, 'secret.pt'), join(deep, 'checkpoints', 'final.safetensors'));
    await expect(roots.resolveCheckpoint('deep')).rejects.toMatchObject({
      code: 'path-outside-roots',
    });
    expect(await roots.resolveCheckpoint('only.pt')).toBe(join(second, 'only.pt'));
  });

  it('finds models of the Hugging Face cache by name', async () => {
    expect(await roots.resolveModel('org/name')).toBe(
      join(hub, 'models--org--name', 'snapshots', 'abc'),
    );
    expect(await roots.resolveModel('org/name@abc')).toBe(
      join(hub, 'models--org--name', 'snapshots', 'abc'),
    );
    for (const name of ['org/name@other', 'org/name@../refs', 'org/name@'])
      await expect(roots.resolveModel(name)).rejects.toMatchObject({ code: 'file-not-found' });
    expect(await roots.resolveModel('model')).toBe(join(second, 'model'));
    await expect(roots.resolveModel('org/other')).rejects.toMatchObject({ code: 'file-not-found' });
    await expect(roots.resolveModel('../../x')).rejects.toMatchObject({
      code: 'path-outside-roots',
    });
  });
});
