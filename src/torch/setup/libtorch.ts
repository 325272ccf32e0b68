/**
 * Finds libtorch: in `LIBTORCH`, then in a Python that has torch, then in the project's cache;
 * fetch.ts fetches one otherwise. Libraries are tried in processes of their own, since two
 * libtorches cannot live in one.
 */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { SaeEvalError } from '../../errors.js';
import { cacheFolder } from './paths.js';
import { hasNvidiaDriver, platformTag } from './platform.js';
import { findProgram, runProgram } from './program.js';
import type { SetupLog } from './log.js';

export interface Libtorch {
  /** Folder with `lib/` and `include/`. */
  folder: string;
  /** Version in its own words: `2.13.0+cpu`. */
  version: string;
  /** Whether it was built for CUDA; such a build computes on CPUs too. */
  cuda: boolean;
  source: 'LIBTORCH' | 'python' | 'cache' | 'fetched';
}

/** Oldest release that the addon is tested with; an older one is used only if the user names it. */
const oldestVersion = [2, 13] as const;

/**
 * The libtorch of this machine, or null if it has none.
 * @throws SaeEvalError `setup-missing` if the one that the user named (`LIBTORCH`,
 *   `LIBTORCH_USE_PYTORCH=1`) does not exist or does not load.
 */
export async function findLibtorch({ log }: { log: SetupLog }): Promise<Libtorch | null> {
  const named = process.env['LIBTORCH'];
  if (named !== undefined && named !== '') return namedLibtorch(resolve(named), log);
  return (await pythonLibtorch(log)) ?? (await cachedLibtorch());
}

async function namedLibtorch(folder: string, log: SetupLog): Promise<Libtorch> {
  const found = await describeLibtorch(folder, 'LIBTORCH');
  if (found === null) {
    throw new SaeEvalError(
      'setup-missing',
      `LIBTORCH is ${folder}, but ${join(folder, 'lib', 'libtorch.so')} or ` +
        `${join(folder, 'include')} does not exist: set it to the folder that holds ` +
        "libtorch's lib and include.",
    );
  }
  const trouble = await loadTrouble(found);
  if (trouble !== null)
    throw new SaeEvalError(
      'setup-missing',
      `LIBTORCH is ${folder}, but it does not load on this machine (${trouble}): install ` +
        'what it needs or name another libtorch.',
    );
  if (!isRecent(found.version))
    log(
      `libtorch ${found.version} is older than ${oldestVersion.join('.')}, with which the ` +
        'addon is tested; trying it because LIBTORCH names it',
      'line',
    );
  return found;
}

async function pythonLibtorch(log: SetupLog): Promise<Libtorch | null> {
  const required = process.env['LIBTORCH_USE_PYTORCH'] === '1';
  const python = findProgram('python3', 'python');
  // Finds torch without importing it, which would take seconds.
  const look =
    'import importlib.util as u; s = u.find_spec("torch"); ' +
    'print(s.submodule_search_locations[0] if s and s.submodule_search_locations else "")';
  const folder = python === null ? '' : (await runProgram(python, ['-c', look])).stdout.trim();
  const found = folder === '' ? null : await describeLibtorch(folder, 'python');
  if (required && found === null) {
    throw new SaeEvalError(
      'setup-missing',
      `LIBTORCH_USE_PYTORCH is 1, but ${python ?? 'python3'} ` +
        `${python === null ? 'is not on the PATH' : 'has no torch'}: install torch for it, ` +
        'or unset the variable.',
    );
  }
  if (found === null) return null;
  const trouble = await loadTrouble(found);
  if (trouble === null && (required || isRecent(found.version))) return found;
  const reason =
    trouble === null
      ? `it is older than ${oldestVersion.join('.')}`
      : `its library does not load: ${trouble}`;
  if (required)
    throw new SaeEvalError(
      'setup-missing',
      `LIBTORCH_USE_PYTORCH is 1, but torch ${found.version} in ${folder} cannot be used ` +
        `(${reason}): reinstall it, or unset the variable.`,
    );
  log(`not using torch ${found.version} of ${python ?? 'python3'}: ${reason}`, 'line');
  return null;
}

/**
 * The best libtorch in the cache: the newest CUDA build if there is an NVIDIA driver, else the
 * newest CPU build; null if there is none.
 */
export async function cachedLibtorch(): Promise<Libtorch | null> {
  const names = await readdir(cacheFolder()).catch(() => [] as string[]);
  const folders = names.filter(
    (name) => name.startsWith('libtorch-') && name.endsWith(`-${platformTag()}`),
  );
  const wanted = process.env['SAE_EVAL_TORCH_VERSION'];
  const found: Libtorch[] = [];
  for (const name of folders) {
    const entry = await describeLibtorch(join(cacheFolder(), name, 'torch'), 'cache');
    if (
      entry !== null &&
      (wanted === undefined || wanted === '' || release(entry.version) === release(wanted))
    )
      found.push(entry);
  }
  const driver = hasNvidiaDriver();
  found.sort(
    (a, b) =>
      Number(b.cuda === driver) - Number(a.cuda === driver) ||
      compareVersions(b.version, a.version),
  );
  return found[0] ?? null;
}

/** Describes the libtorch in a folder; null if there is none with headers. */
export async function describeLibtorch(
  folder: string,
  source: Libtorch['source'],
): Promise<Libtorch | null> {
  const needed = ['lib/libtorch.so', 'lib/libtorch_cpu.so', 'lib/libc10.so', 'include/ATen/ATen.h'];
  if (!needed.every((file) => existsSync(join(folder, file)))) return null;
  return {
    folder,
    version: await readVersion(folder),
    cuda: existsSync(join(folder, 'lib', 'libtorch_cuda.so')),
    source,
  };
}

async function readVersion(folder: string): Promise<string> {
  const read = (file: string): Promise<string> =>
    readFile(join(folder, file), 'utf8').catch(() => '');
  const wheel = /^__version__ = '([^']+)'/m.exec(await read('version.py'))?.[1]; // as in a wheel
  // as in the official archive
  const archive = (await readFile(join(folder, 'build-version'), 'utf8').catch(() => '')).trim();
  const header = /define TORCH_VERSION\s*\\?\s*"([^"]+)"/.exec(
    await read('include/torch/headeronly/version.h'),
  )?.[1];
  return wheel ?? (archive !== '' ? archive : undefined) ?? header ?? 'unknown';
}

/**
 * The linker's message if it cannot load a libtorch, else null. The usual case is a CUDA build
 * without its `nvidia` libraries.
 */
export async function loadTrouble(libtorch: Pick<Libtorch, 'folder'>): Promise<string | null> {
  // Node opens the library, then fails because it is no addon: that failure shows that it loads.
  const script =
    'try { process.dlopen({ exports: {} }, process.argv[1]) } catch (e) { if ' +
    '(!/self-register/.test(e.message)) { console.log(e.message); process.exitCode = 3 } }';
  const result = await runProgram(process.execPath, [
    '-e',
    script,
    join(libtorch.folder, 'lib', 'libtorch.so'),
  ]);
  if (result.code === 0) return null;
  return result.output.trim().split('\n')[0] ?? `the test process ended with code ${result.code}`;
}

function isRecent(version: string): boolean {
  return compareVersions(version, oldestVersion.join('.')) >= 0;
}

/** `2.13.0+cpu` → `2.13.0` */
function release(version: string): string {
  return version.split('+')[0] ?? version;
}

function compareVersions(a: string, b: string): number {
  return release(a).localeCompare(release(b), 'en', { numeric: true });
}
