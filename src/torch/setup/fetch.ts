/**
 * Fetches libtorch: pip downloads PyTorch's wheel for this platform, whose libraries and headers
 * are unpacked into the cache. Nothing is installed into any Python. The folder gets its final name
 * only when it is complete and a test has loaded the library.
 */
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, statfs } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { SaeEvalError } from '../../errors.js';
import { describeLibtorch, loadTrouble, type Libtorch } from './libtorch.js';
import type { SetupLog } from './log.js';
import { cacheFolder } from './paths.js';
import { hasNvidiaDriver, platformTag } from './platform.js';
import { findProgram, runProgram } from './program.js';
import { unpackWheel } from './wheel.js';

/** Release for machines without an NVIDIA driver; the golden numbers come from it. */
const cpuRelease = '2.13.0';
/** Releases for machines with a driver: pip takes the newest one that has a CUDA build. */
const cudaRelease = '>=2.13,<2.15';

const gigabyte = 1e9;
const partialPrefix = '.partial-';

/**
 * Downloads and unpacks libtorch into the cache. The caller must hold the cache's lock.
 * @throws SaeEvalError `setup-missing`.
 */
export async function fetchLibtorch({ log }: { log: SetupLog }): Promise<Libtorch> {
  const pip = await findPip();
  await mkdir(cacheFolder(), { recursive: true });
  await removePartials();
  const partial = await mkdtemp(join(cacheFolder(), partialPrefix));
  try {
    const wheels = await download(pip, partial, log);
    return await unpack(wheels, partial, log);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

/**
 * Requirements to try with pip, in order. With a driver it is a CUDA build. Without one, the CPU
 * build comes first, under the version that only some indexes list.
 */
function wantedTorch({
  driver,
  version,
  index,
}: {
  driver: boolean;
  version: string | undefined;
  index: string | undefined;
}): string[] {
  const plain = `torch==${version ?? cpuRelease}`;
  if (index !== undefined) return [plain];
  if (driver) return [version === undefined ? `torch${cudaRelease}` : plain];
  return plain.includes('+') ? [plain] : [`${plain}+cpu`, plain];
}

async function download(pip: string[], partial: string, log: SetupLog): Promise<string[]> {
  const index = setting('SAE_EVAL_TORCH_INDEX');
  const outputs: string[] = [];
  for (const requirement of wantedTorch({
    driver: hasNvidiaDriver(),
    version: setting('SAE_EVAL_TORCH_VERSION'),
    index,
  })) {
    await requireSpace(1 * gigabyte);
    log(`fetching libtorch with pip (${requirement})`, 'line');
    const result = await pipDownload(pip, partial, {
      requirements: [requirement],
      dependencies: false,
      index,
      log,
    });
    outputs.push(result.output);
    if (result.wheels.length > 0) return result.wheels;
  }
  throw downloadError(outputs.join('\n'), index);
}

async function pipDownload(
  pip: readonly string[],
  partial: string,
  {
    requirements,
    dependencies,
    index,
    log,
  }: {
    requirements: readonly string[];
    dependencies: boolean;
    index: string | undefined;
    log: SetupLog;
  },
): Promise<{ wheels: string[]; output: string }> {
  const folder = await mkdtemp(join(partial, 'wheels-'));
  const temporary = await mkdtemp(join(partial, 'pip-'));
  const args = [
    ...pip.slice(1),
    'download',
    '--disable-pip-version-check',
    '--no-cache-dir',
    '--only-binary=:all:',
    '--progress-bar=off',
    '--dest',
    folder,
  ];
  if (!dependencies) args.push('--no-deps');
  if (index !== undefined) args.push('--index-url', index);
  // Pip writes to TMPDIR until a file is complete: the size of that folder is the progress.
  const watch = setInterval(
    () =>
      void folderBytes(partial).then((bytes) =>
        log(`fetching libtorch: ${Math.round(bytes / 1e6)} MB`, 'progress'),
      ),
    process.stderr.isTTY ? 500 : 10_000,
  );
  try {
    const run = (extra: readonly string[]) =>
      runProgram(pip[0] ?? 'pip', [...args, ...extra, ...requirements], {
        env: { TMPDIR: temporary },
      });
    let result = await run([]);
    // The libraries are the same for every Python: if PyTorch has no wheel for this one, the wheel
    // of another will do.
    if (result.code !== 0 && /No matching distribution/.test(result.output))
      result = await run(foreignPython());
    const wheels =
      result.code === 0
        ? (await readdir(folder))
            .filter((name) => name.endsWith('.whl'))
            .map((name) => join(folder, name))
        : [];
    return { wheels, output: result.output };
  } finally {
    clearInterval(watch);
    await rm(temporary, { recursive: true, force: true });
  }
}

function foreignPython(): string[] {
  const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  return [
    '--python-version',
    '3.12',
    '--implementation',
    'cp',
    '--abi',
    'cp312',
    '--platform',
    `manylinux_2_28_${machine}`,
  ];
}

async function unpack(
  wheels: readonly string[],
  partial: string,
  log: SetupLog,
): Promise<Libtorch> {
  const wheel = wheels.find((path) => /\/torch-[^/]*\.whl$/.test(path));
  if (wheel === undefined)
    throw new SaeEvalError('setup-missing', `pip downloaded no torch wheel: ${otherWays}.`);
  const tree = await mkdtemp(join(partial, 'tree-'));
  await unpackTorch(wheel, tree, log);
  let found = await describeLibtorch(join(tree, 'torch'), 'fetched');
  if (found === null)
    throw new SaeEvalError(
      'setup-missing',
      'The wheel that pip downloaded holds no libtorch: set LIBTORCH to a folder that does.',
    );
  let trouble = await loadTrouble(found);
  if (trouble !== null && found.cuda) {
    await addNvidiaLibraries(tree, partial, log);
    trouble = await loadTrouble(found);
  }
  if (trouble !== null)
    throw new SaeEvalError(
      'setup-missing',
      `The libtorch that pip downloaded does not load on this machine (${trouble}): ${otherWays}.`,
    );
  const folder = join(cacheFolder(), `libtorch-${found.version}-${platformTag()}`);
  await rename(tree, folder).catch(async (error: unknown) => {
    // Another set-up, for instance in another container, may have been faster.
    if ((await describeLibtorch(join(folder, 'torch'), 'cache')) === null) throw error;
  });
  found = { ...found, folder: join(folder, 'torch') };
  log(`libtorch ${found.version} is in ${found.folder}`, 'line');
  return found;
}

async function unpackTorch(wheel: string, tree: string, log: SetupLog): Promise<void> {
  await unpackWheel(wheel, tree, {
    select: (name) =>
      /^torch\/(lib|include|share)\/|^torch\/version\.py$|^torch-[^/]*\.dist-info\/METADATA$/.test(
        name,
      ),
    onProgress: (fraction) =>
      log(`unpacking libtorch: ${Math.floor(fraction * 100)} %`, 'progress'),
  });
}

/**
 * Puts the `nvidia` libraries that a CUDA build is linked with beside it, where its run paths lead.
 */
async function addNvidiaLibraries(tree: string, partial: string, log: SetupLog): Promise<void> {
  await requireSpace(12 * gigabyte);
  const smaller = hasNvidiaDriver() ? '' : `; for a smaller CPU build ${indexHint}`;
  log(
    `this libtorch is a CUDA build: fetching its NVIDIA libraries too, several GB${smaller}`,
    'line',
  );
  const index = setting('SAE_EVAL_TORCH_INDEX');
  const result = await pipDownload(await findPip(), partial, {
    requirements: await nvidiaRequirements(tree),
    dependencies: true,
    index,
    log,
  });
  if (result.wheels.length === 0) throw downloadError(result.output, index);
  for (const path of result.wheels) {
    log(`unpacking ${basename(path)}`, 'progress');
    await unpackWheel(path, tree, {
      select: (name) => name.startsWith('nvidia/') && /\.so(\.|$)/.test(name),
    });
  }
}

/** The requirements of the torch wheel that are libraries, without those of its Python part. */
async function nvidiaRequirements(tree: string): Promise<string[]> {
  const info = (await readdir(tree)).find((name) => name.endsWith('.dist-info'));
  const metadata = info === undefined ? '' : await readFile(join(tree, info, 'METADATA'), 'utf8');
  return [...metadata.matchAll(/^Requires-Dist: ((?:nvidia-|cuda-toolkit).*)$/gm)]
    .map((match) => match[1] ?? '')
    .filter((requirement) => !requirement.includes('extra =='));
}

const indexHint =
  "set SAE_EVAL_TORCH_INDEX to the address of PyTorch's CPU wheel index (PyTorch's install " +
  'page gives it)';
const otherWays =
  `${indexHint}, install torch in the Python on the PATH, or set LIBTORCH to an unpacked ` +
  'libtorch';

function downloadError(output: string, index: string | undefined): SaeEvalError {
  const last =
    output
      .split('\n')
      .filter((line) => /^ERROR|No space/.test(line))
      .at(-1)
      ?.replace(/^ERROR: /, '') ?? 'pip said nothing';
  const where = index === undefined ? '' : ` from SAE_EVAL_TORCH_INDEX (${index})`;
  return new SaeEvalError(
    'setup-missing',
    `libtorch could not be fetched${where} (${last.trim()}): ` +
      (index === undefined ? otherWays : 'check that address, or unset the variable') +
      '.',
  );
}

async function findPip(): Promise<string[]> {
  const python = findProgram('python3', 'python');
  if (python !== null && (await runProgram(python, ['-m', 'pip', '--version'])).code === 0)
    return [python, '-m', 'pip'];
  const pip = findProgram('pip3', 'pip');
  if (pip !== null && (await runProgram(pip, ['--version'])).code === 0) return [pip];
  throw new SaeEvalError(
    'setup-missing',
    'There is no libtorch on this machine and no pip to fetch it with: install pip (on ' +
      'Debian and Ubuntu `apt-get install python3-pip`), or set LIBTORCH to an unpacked ' +
      'libtorch.',
  );
}

async function requireSpace(bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(cacheFolder());
  if (bavail * bsize >= bytes) return;
  throw new SaeEvalError(
    'setup-missing',
    `libtorch needs ${bytes / gigabyte} GB in ${cacheFolder()}, but only ` +
      `${((bavail * bsize) / gigabyte).toFixed(1)} GB are free: free some, or set ` +
      'XDG_CACHE_HOME to a folder on another disk.',
  );
}

/** Removes folders that killed set-ups have left. */
async function removePartials(): Promise<void> {
  const names = await readdir(cacheFolder());
  await Promise.all(
    names
      .filter((name) => name.startsWith(partialPrefix))
      .map((name) => rm(join(cacheFolder(), name), { recursive: true, force: true })),
  );
}

async function folderBytes(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const sizes = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map((entry) =>
        stat(join(entry.parentPath, entry.name)).then(
          (info) => info.size,
          () => 0,
        ),
      ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

function setting(name: string): string | undefined {
  const value = process.env[name];
  return value === '' ? undefined : value;
}
