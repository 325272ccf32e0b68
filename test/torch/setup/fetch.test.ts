/**
 * libtorch is fetched with pip, from wheels in a folder here, and appears in the cache only when it
 * is whole.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PackageCopy, writeLibtorch, writeWheel } from './package-copy.js';
import { full } from '../../full.js';

const hasPip = spawnSync('python3', ['-m', 'pip', '--version']).status === 0;

// A driver on this machine would ask for a CUDA build: a named version does not.
// The wheels are those of this test: no index is asked.
const version = { SAE_EVAL_TORCH_VERSION: '2.13.0', PIP_NO_INDEX: '1' };
const torchWheel = 'torch-2.13.0-py3-none-any.whl';

/** Cases that take ten seconds each, where there is time. */
const inFull = it.skipIf(!full);

describe.skipIf(!hasPip)('fetching libtorch', () => {
  let copy: PackageCopy;
  let wheels: string;
  beforeAll(() => {
    copy = new PackageCopy();
    wheels = join(copy.folder, 'wheels');
    const content = join(copy.folder, 'content');
    writeLibtorch(join(content, 'torch'));
    writeFileSync(join(content, 'torch', 'nn.py'), '');
    writeWheel(wheels, content, { name: 'torch', version: '2.13.0' });
  });
  afterAll(() => copy.remove());

  const cached = (): string[] =>
    readdirSync(join(copy.cache, 'sae-eval')).filter((name) => !name.endsWith('.lock'));

  it('says what to do when there is none to be had', async () => {
    const run = await copy.run({ ...version, PIP_FIND_LINKS: copy.folder });
    expect(run.code).toBe(1);
    expect(run.stderr).toMatch(/libtorch could not be fetched \(No matching distribution.*\): /);
    expect(run.stderr).toMatch(/set SAE_EVAL_TORCH_INDEX .*, install torch .*, or set LIBTORCH/);
    expect(cached()).toEqual([]);
  });

  it('says that pip is missing', async () => {
    const folder = join(copy.folder, 'nothing');
    mkdirSync(folder);
    const run = await copy.run({ ...version, PATH: folder });
    expect(run.stderr).toMatch(/no pip to fetch it with: install pip/);
  });

  inFull('takes no damaged wheel', async () => {
    const broken = join(copy.folder, 'broken');
    mkdirSync(broken);
    cpSync(join(wheels, torchWheel), join(broken, torchWheel));
    truncateSync(join(broken, torchWheel), 4000);
    const run = await copy.run({ ...version, PIP_FIND_LINKS: broken });
    expect(run.code).toBe(1);
    expect(cached()).toEqual([]);
  });

  it('unpacks only libraries and headers, and removes what a killed set-up left', async () => {
    mkdirSync(join(copy.cache, 'sae-eval', '.partial-old', 'tree'), { recursive: true });
    const run = await copy.run({ ...version, PIP_FIND_LINKS: wheels });
    expect(run.stderr).toContain('ready: ');
    expect(cached()).toEqual([`libtorch-2.13.0-linux-${process.arch}`]);
    const torch = join(copy.cache, 'sae-eval', `libtorch-2.13.0-linux-${process.arch}`, 'torch');
    expect(readdirSync(torch).sort()).toEqual(['include', 'lib', 'version.py']);
    expect(copy.answer()).toBe('1');
  });

  it('finds it in the cache the next time, without pip', async () => {
    renameSync(wheels, `${wheels}-gone`);
    const run = await copy.run({ ...version, PIP_FIND_LINKS: wheels });
    renameSync(`${wheels}-gone`, wheels);
    expect(run).toMatchObject({ code: 0 });
    expect(run.stderr).not.toContain('fetching');
  });

  inFull('fetches once when two set-ups start together', async () => {
    const env = {
      ...version,
      PIP_FIND_LINKS: wheels,
      XDG_CACHE_HOME: join(copy.folder, 'cache-2'),
    };
    const runs = await Promise.all([copy.run(env), copy.run(env)]);
    expect(runs.map(({ code }) => code)).toEqual([0, 0]);
    expect(runs.filter(({ stderr }) => stderr.includes('fetching libtorch'))).toHaveLength(1);
  });

  inFull('puts the NVIDIA libraries beside a CUDA build', async () => {
    const content = join(copy.folder, 'cuda-content');
    const libraries = join(copy.folder, 'cuda-libraries');
    const runtime = join(libraries, 'nvidia', 'runtime', 'lib');
    // the wheel calls itself 2.14.0
    writeLibtorch(join(content, 'torch'), { version: '2.14.0+cu130', cuda: true });
    mkdirSync(runtime, { recursive: true });
    renameSync(
      join(content, 'torch', 'lib', 'libruntime_of_test.so'),
      join(runtime, 'libruntime_of_test.so'),
    );
    const cudaWheels = join(copy.folder, 'cuda-wheels');
    writeWheel(cudaWheels, content, {
      name: 'torch',
      version: '2.14.0',
      requires: ['nvidia-runtime; platform_system == "Linux"', 'a-python-package-nobody-has'],
    });
    const env = { SAE_EVAL_TORCH_VERSION: '2.14.0', PIP_FIND_LINKS: cudaWheels };
    const without = await copy.run(env);
    expect(without.stderr).toMatch(/libtorch could not be fetched \(.*nvidia-runtime/);
    writeWheel(cudaWheels, libraries, { name: 'nvidia_runtime', version: '1.0' });
    const run = await copy.run(env);
    expect(run.stderr).toContain('is a CUDA build: fetching its NVIDIA libraries too');
    expect(run).toMatchObject({ code: 0 });
    const folder = join(copy.cache, 'sae-eval', `libtorch-2.14.0+cu130-linux-${process.arch}`);
    expect(existsSync(join(folder, 'nvidia', 'runtime', 'lib', 'libruntime_of_test.so'))).toBe(
      true,
    );
  });

  inFull('prefers a Python that has torch, and leaves one alone that is too old', async () => {
    const site = join(copy.folder, 'site');
    writeLibtorch(join(site, 'torch'), { version: '2.15.0' });
    writeFileSync(join(site, 'torch', '__init__.py'), '');
    const env = { ...version, PYTHONPATH: site, PIP_FIND_LINKS: wheels };
    expect((await copy.run(env)).stderr).toContain('against libtorch 2.15.0');
    writeFileSync(join(site, 'torch', 'version.py'), "__version__ = '2.4.0'\n");
    const old = await copy.run(env);
    expect(old.stderr).toMatch(/not using torch 2\.4\.0 of .*: it is older than 2\.13/);
    expect(old).toMatchObject({ code: 0 });
  });

  it('LIBTORCH_USE_PYTORCH=1 without torch is an error that says so', async () => {
    const folder = join(copy.folder, 'no-python');
    mkdirSync(folder);
    const run = await copy.run({ LIBTORCH_USE_PYTORCH: '1', PATH: folder });
    expect(run.code).toBe(1);
    expect(run.stderr).toMatch(
      /LIBTORCH_USE_PYTORCH is 1, but python3 is not on the PATH: install torch/,
    );
  });
});
