/**
 * The addon is built once, again when something it depends on changes, and never left half built.
 */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { full } from '../../full.js';
import { PackageCopy, writeLibtorch } from './package-copy.js';

describe('building the addon', () => {
  let copy: PackageCopy;
  let libtorch: Record<string, string>;
  beforeAll(() => {
    copy = new PackageCopy();
    libtorch = { LIBTORCH: writeLibtorch(join(copy.folder, 'libtorch')) };
  });
  afterAll(() => copy.remove());

  it('builds, shows progress, and then has nothing to do', async () => {
    const first = await copy.run({ ...libtorch, SAE_EVAL_KEEP_OBJECTS: '' });
    expect(first.stderr).toMatch(/building the native addon: +\d+ %/);
    expect(first).toMatchObject({ code: 0 });
    expect(copy.answer()).toBe('1');
    // Objects are not kept.
    expect(readdirSync(join(copy.package, 'build/addon'))).not.toContain('CMakeFiles');
    const built = statSync(copy.addon).mtimeMs;
    const second = await copy.run(libtorch);
    expect(second.stderr).not.toContain('building');
    expect(second.code).toBe(0);
    expect(statSync(copy.addon).mtimeMs).toBe(built);
  });

  it('is content with a current addon on a machine without a compiler', async () => {
    const folder = join(copy.folder, 'no-compiler');
    mkdirSync(folder);
    expect(await copy.run({ ...libtorch, PATH: folder })).toMatchObject({ code: 0 });
  });

  it('builds again when a source changes, and when libtorch does', async () => {
    copy.writeSource(2);
    expect(await copy.run(libtorch)).toMatchObject({ code: 0 });
    expect(copy.answer()).toBe('2');
    const other = writeLibtorch(join(copy.folder, 'other'), { version: '2.14.0' });
    expect((await copy.run({ LIBTORCH: other })).stderr).toContain('against libtorch 2.14.0');
  });

  it('does a build anew that was killed', async () => {
    copy.writeSource(3);
    // A compiler that leaves half an object file, as a killed one does, and does not end by itself
    // soon.
    const slow = join(copy.folder, 'slow-c++');
    writeFileSync(
      slow,
      `#!/bin/bash\nif [[ " $* " == *" -c "*addon.cc* ]]; then while [[ $1 != -o ]]; do ` +
        `shift; done; echo half > "$2"; sleep 5; exit 1; fi\nexec c++ "$@"\n`,
      { mode: 0o755 },
    );
    const { child, done } = copy.start({ ...libtorch, CXX: slow });
    const object = join(copy.package, 'build/addon/CMakeFiles/sae_eval.dir/src/addon.cc.o');
    await expect
      .poll(() => existsSync(object) && readFileSync(object, 'utf8') === 'half\n', {
        timeout: 20_000,
        interval: 20,
      })
      .toBe(true);
    child.kill('SIGKILL');
    await done;
    expect(await copy.run(libtorch)).toMatchObject({ code: 0 });
    expect(copy.answer()).toBe('3');
  });

  it.runIf(full)('builds once when several set-ups start together', async () => {
    copy.writeSource(4);
    const runs = await Promise.all([copy.run(libtorch), copy.run(libtorch), copy.run(libtorch)]);
    expect(runs.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(runs.filter(({ stderr }) => stderr.includes('built '))).toHaveLength(1);
    expect(copy.answer()).toBe('4');
  });

  it('takes over the lock of a set-up that died', async () => {
    // above the largest process id Linux gives
    const dead = { token: 'x', pid: 2 ** 30, host: hostname() };
    writeFileSync(join(copy.package, 'build/addon.lock'), JSON.stringify(dead));
    expect(await copy.run(libtorch)).toMatchObject({ code: 0 });
  });

  it(
    'says in one sentence what a compiler complains about, and keeps no addon that it did ' +
      'not finish',
    async () => {
      copy.writeSource('wrong');
      const failed = await copy.run(libtorch);
      expect(failed.code).toBe(1);
      expect(failed.stderr).toMatch(
        /could not be compiled \(.*error: .*wrong.*\): the whole output is in .*build\.log/,
      );
      copy.writeSource(5);
      expect(await copy.run(libtorch)).toMatchObject({ code: 0 });
      expect(copy.answer()).toBe('5');
    },
  );

  it.each([
    [
      'everything',
      [],
      /because cmake, make and g\+\+ are not installed: .*apt-get install cmake make g\+\+/,
    ],
    ['the compiler', ['cmake', 'make'], /because g\+\+ is not installed: .*apt-get install g\+\+/],
    ['cmake', ['make', 'c++'], /because cmake is not installed: /],
  ])('names what is missing: %s', async (_, present, message) => {
    const folder = join(copy.folder, `path-${present.join('-')}`);
    mkdirSync(folder);
    for (const name of present)
      symlinkSync(execFileSync('which', [name], { encoding: 'utf8' }).trim(), join(folder, name));
    copy.writeSource(6);
    const run = await copy.run({ ...libtorch, PATH: folder });
    expect(run.code).toBe(1);
    expect(run.stderr).toMatch(message);
    expect(run.stderr.trim().split('\n')).toHaveLength(1);
  });

  it('refuses a LIBTORCH that is none', async () => {
    const run = await copy.run({ LIBTORCH: copy.folder });
    expect(run.code).toBe(1);
    expect(run.stderr).toMatch(
      /LIBTORCH is .*lib\/libtorch\.so.* does not exist: set it to the folder/,
    );
  });

  it('refuses a LIBTORCH that does not load', async () => {
    const folder = writeLibtorch(join(copy.folder, 'broken'));
    rmSync(join(folder, 'lib', 'libtorch_cpu.so'));
    writeFileSync(join(folder, 'lib', 'libtorch_cpu.so'), '');
    const run = await copy.run({ LIBTORCH: folder });
    expect(run.code).toBe(1);
    expect(run.stderr).toMatch(
      /does not load on this machine \(.*libtorch_cpu\.so: file too short\)/,
    );
  });
});

describe('a prebuilt addon of the package', () => {
  const copy = new PackageCopy();
  const prebuilt = join(copy.package, 'prebuilt', 'linux-x64-libtorch-2.13.0-cpu');
  const libtorch = writeLibtorch(join(copy.folder, 'libtorch-of-the-packer'));
  const noCompiler = join(copy.folder, 'no-compiler');
  const user = { LIBTORCH: join(copy.folder, 'libtorch'), PATH: noCompiler };
  beforeAll(async () => {
    copy.writeSource(7);
    expect(await copy.prebuild({ LIBTORCH: libtorch })).toMatchObject({ code: 0 });
    rmSync(join(copy.package, 'build'), { recursive: true });
    // Somebody else's machine has libtorch elsewhere.
    renameSync(libtorch, user.LIBTORCH);
    mkdirSync(noCompiler);
  });
  afterAll(() => copy.remove());

  it('is taken without a compiler, linked to the libtorch that is there', async () => {
    const first = await copy.run(user);
    expect(first.stderr).toContain('took the prebuilt addon linux-x64-libtorch-2.13.0-cpu for');
    expect(first.code).toBe(0);
    expect(copy.answer()).toBe('7');
    expect((await copy.run(user)).stderr).toMatch(/^ready: .*\n$/);
    expect(readdirSync(join(copy.package, 'build/addon')).sort()).toEqual([
      'identity.json',
      'libtorch',
      'sae_eval.node',
    ]);
  });

  it.each<[string, () => void, RegExp]>([
    [
      'libtorch is of another release',
      () => writeFileSync(join(user.LIBTORCH, 'version.py'), "__version__ = '2.14.0+cpu'\n"),
      /no prebuilt addon fits \(linux-x64-libtorch-2\.13\.0-cpu: this libtorch is 2\.14\.0\+cpu\)/,
    ],
    [
      'the C library is older',
      () => change({ glibc: '99.1' }),
      /no prebuilt addon fits \(\S+: needs glibc 99\.1, this is \d+\.\d+\)/,
    ],
    [
      'the file is damaged',
      () => writeFileSync(join(prebuilt, 'sae_eval.node'), 'damaged'),
      /the prebuilt addon \S+ does not load \(.*(too short|invalid ELF).*\)/,
    ],
    [
      'the sources are others',
      () => copy.writeSource(8),
      /no prebuilt addon fits \(\S+: built of other sources\)/,
    ],
  ])('is not taken if %s: set-up says so and would compile', async (_, damage, message) => {
    const [manifest, addon] = ['prebuilt.json', 'sae_eval.node'].map((name) =>
      readFileSync(join(prebuilt, name)),
    );
    rmSync(join(copy.package, 'build'), { recursive: true, force: true });
    damage();
    const run = await copy.run(user);
    expect(run.stderr).toMatch(message);
    expect(run.stderr).toMatch(/cannot be built because cmake, make and g\+\+ are not installed/);
    writeFileSync(join(prebuilt, 'prebuilt.json'), manifest!);
    writeFileSync(join(prebuilt, 'sae_eval.node'), addon!);
    writeFileSync(join(user.LIBTORCH, 'version.py'), "__version__ = '2.13.0'\n");
  });

  function change(fields: Record<string, unknown>): void {
    const file = join(prebuilt, 'prebuilt.json');
    const before = JSON.parse(readFileSync(file, 'utf8')) as object;
    writeFileSync(file, JSON.stringify({ ...before, ...fields }));
  }
});
