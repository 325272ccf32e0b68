/**
 * Fetches the CUDA build of libtorch, 4 GB, into a folder of the cache: PyTorch's wheel and the
 * NVIDIA wheels that it requires, unpacked as the siblings `torch` and `nvidia` to which the
 * libraries' run paths lead. Each wheel is removed after it is unpacked.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from '#src/torch/setup/paths.js';
import { findProgram, runProgram } from '#src/torch/setup/program.js';
import { unpackWheel } from '#src/torch/setup/wheel.js';

export const release = process.env.SAE_EVAL_CUDA_TORCH_VERSION ?? '2.14.1';

/** Path of the folder with `torch` and `nvidia`, which is fetched if it does not exist. */
export async function fetchCudaBuild(log) {
  const folder = join(cacheFolder(), `cuda-build-${release}`);
  if (existsSync(join(folder, 'torch', 'lib', 'libtorch_cuda.so'))) return folder;
  await mkdir(cacheFolder(), { recursive: true });
  const partial = await mkdtemp(join(cacheFolder(), '.partial-cuda-'));
  try {
    const tree = join(partial, 'tree');
    const unpack = async (requirement, select) => {
      const wheel = await download(requirement, partial);
      log(`${wheel.split('/').at(-1)}`);
      await unpackWheel(wheel, tree, { select });
      await rm(wheel);
    };
    await unpack(`torch==${release}`, (name) =>
      /^torch\/(lib|include|share)\/|^torch\/version\.py$|^torch-[^/]*\.dist-info\/METADATA$/.test(
        name,
      ),
    );
    for (const requirement of await requirements(tree, unpack))
      await unpack(requirement, (name) => name.startsWith('nvidia/') && /\.so(\.|$)/.test(name));
    await rename(tree, folder);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  return folder;
}

async function download(requirement, partial) {
  const folder = await mkdtemp(join(partial, 'wheel-'));
  const python = findProgram('python3', 'python');
  if (python === null) throw new Error('python3 with pip is needed to fetch the wheels');
  const args = [
    '-m',
    'pip',
    'download',
    '--disable-pip-version-check',
    '--no-cache-dir',
    '--no-deps',
    '--only-binary=:all:',
    '--progress-bar=off',
    '--dest',
    folder,
    requirement,
  ];
  const { code, output } = await runProgram(python, args, { env: { TMPDIR: partial } });
  const wheel = readdirSync(folder).find((name) => name.endsWith('.whl'));
  if (code !== 0 || wheel === undefined)
    throw new Error(`pip could not download ${requirement}: ${output.trim().split('\n').at(-1)}`);
  return join(folder, wheel);
}

const requires = /^Requires-Dist: ([\w.-]+)(?:\[([\w,]+)\])?([^;\n]*)(;.*)?$/gm;

function metadata(tree, name) {
  const info = readdirSync(tree).find(
    (entry) => entry.startsWith(`${name}-`) && entry.endsWith('.dist-info'),
  );
  return [...readFileSync(join(tree, info, 'METADATA'), 'utf8').matchAll(requires)].map(
    ([, package_, extras = '', versions, marker = '']) => ({
      name: package_,
      extras: extras.split(','),
      versions: versions.trim(),
      extra: /extra == ['"](\w+)['"]/.exec(marker)?.[1],
    }),
  );
}

/**
 * NVIDIA wheels that the torch wheel requires, directly or as parts of `cuda-toolkit`, a wheel that
 * only lists others.
 */
async function requirements(tree, unpack) {
  const torch = metadata(tree, 'torch').filter(({ extra }) => extra === undefined);
  const found = new Set(
    torch
      .filter(({ name }) => name.startsWith('nvidia-'))
      .map(({ name, versions }) => name + versions),
  );
  for (const { name, extras, versions } of torch.filter((each) => each.name === 'cuda-toolkit')) {
    await unpack(name + versions, (entry) => /\.dist-info\/METADATA$/.test(entry));
    for (const part of metadata(tree, 'cuda_toolkit'))
      if (extras.includes(part.extra)) found.add(part.name + part.versions);
  }
  return found;
}
