/**
 * Brings the addon: one that the package has prebuilt, else one built with cmake and make. The
 * identity of the build lies beside the addon. It is removed first and written last, after a test
 * has loaded the addon. An interrupted build starts anew, since make would take a half-written
 * object for a finished one.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, freemem } from 'node:os';
import { basename, join } from 'node:path';
import { SaeEvalError } from '../../errors.js';
import { compilerVersion, findCompiler, findToolchain, type Toolchain } from './toolchain.js';
import { buildIdentity, findHeaders, type Headers } from './build-identity.js';
import type { Libtorch } from './libtorch.js';
import type { SetupLog } from './log.js';
import { buildFolder, packageRoot } from './paths.js';
import { findPrebuilt, placePrebuilt } from './prebuilt.js';
import { runProgram } from './program.js';

/** Content of `identity.json`, which tells whether a build is current. */
interface Built {
  identity: string;
  compiler: string;
  /** Whether the package brought it. */
  prebuilt: boolean;
}

/** Memory that the compiler takes for one unit, which includes ATen. */
const bytesPerCompiler = 1.5e9;

/**
 * Makes an addon for a libtorch, unless the one in `folder` is current. The caller must hold the
 * build's lock.
 * @param compile whether one that the package brought is not enough.
 * @returns the path of the addon.
 * @throws SaeEvalError `setup-missing`.
 */
export async function buildAddon({
  libtorch,
  log,
  folder = buildFolder(),
  compile: mustCompile = false,
}: {
  libtorch: Libtorch;
  log: SetupLog;
  folder?: string;
  compile?: boolean;
}): Promise<string> {
  const addon = join(folder, 'sae_eval.node');
  const headers = findHeaders();
  if (await isCurrent({ folder, addon, libtorch, headers, mustCompile })) return addon;
  if (!mustCompile && (await takePrebuilt({ folder, libtorch, headers, log }))) return addon;

  const toolchain = await findToolchain();
  const started = performance.now();
  log(
    `building the native addon against libtorch ${libtorch.version} (${libtorch.folder})`,
    'line',
  );
  await prepare(folder);
  await configure({ folder, libtorch, headers, toolchain });
  await compile({ folder, toolchain, log });
  const trouble = await addonTrouble(addon);
  if (trouble !== null)
    throw new SaeEvalError(
      'setup-missing',
      `The native addon was built but does not load (${trouble}): set LIBTORCH to another ` +
        'libtorch and run `npx sae-eval setup` again.',
    );
  if (process.env['SAE_EVAL_KEEP_OBJECTS'] !== '1')
    await rm(join(folder, 'CMakeFiles'), { recursive: true, force: true });
  const compiler = toolchain.compilerVersion;
  await finish(folder, {
    identity: await buildIdentity({ libtorch, headers, compiler }),
    compiler,
    prebuilt: false,
  });
  log(`built ${addon} in ${Math.round((performance.now() - started) / 1000)} s`, 'line');
  return addon;
}

/** Writes the identity of a build that is complete. */
async function finish(folder: string, built: Built): Promise<void> {
  const draft = join(folder, 'identity.json.new');
  await writeFile(draft, JSON.stringify(built));
  await rename(draft, join(folder, 'identity.json'));
  await rm(unfinished(folder), { force: true });
}

/** Takes an addon that the package brings, if one fits and loads. Says which, or why none. */
async function takePrebuilt({
  folder,
  libtorch,
  headers,
  log,
}: {
  folder: string;
  libtorch: Libtorch;
  headers: Headers;
  log: SetupLog;
}): Promise<boolean> {
  const found = await findPrebuilt(libtorch);
  if ('reasons' in found) {
    if (found.reasons.length > 0)
      log(`no prebuilt addon fits (${found.reasons.join('; ')})`, 'line');
    return false;
  }
  await rm(folder, { recursive: true, force: true });
  await prepare(folder);
  const name = basename(found.folder);
  const addon = await placePrebuilt(found.folder, { folder, libtorch });
  const trouble = await addonTrouble(addon);
  if (trouble !== null) {
    log(`the prebuilt addon ${name} does not load (${trouble})`, 'line');
    return false;
  }
  const { compiler } = found.prebuilt;
  const identity = await buildIdentity({ libtorch, headers, compiler });
  await finish(folder, { identity, compiler, prebuilt: true });
  log(`took the prebuilt addon ${name} for libtorch ${libtorch.version}`, 'line');
  return true;
}

async function isCurrent({
  folder,
  addon,
  libtorch,
  headers,
  mustCompile,
}: {
  folder: string;
  addon: string;
  libtorch: Libtorch;
  headers: Headers;
  mustCompile: boolean;
}): Promise<boolean> {
  if (!existsSync(addon) || existsSync(unfinished(folder))) return false;
  const built = await readBuilt(folder);
  if (built === null || (built.prebuilt && mustCompile)) return false;
  // A machine without a compiler runs what another one built: the compiler cannot have changed.
  const found = built.prebuilt ? null : findCompiler();
  const compiler = found === null ? built.compiler : await compilerVersion(found);
  return built.identity === (await buildIdentity({ libtorch, headers, compiler }));
}

export async function readBuilt(folder: string): Promise<Built | null> {
  try {
    return JSON.parse(await readFile(join(folder, 'identity.json'), 'utf8')) as Built;
  } catch {
    return null;
  }
}

/** Path of a file that exists while a build runs, and after one that was interrupted. */
function unfinished(folder: string): string {
  return join(folder, 'unfinished');
}

async function prepare(folder: string): Promise<void> {
  const cache = await readFile(join(folder, 'CMakeCache.txt'), 'utf8').catch(() => null);
  const moved =
    cache !== null &&
    !(
      existsSync(join(folder, 'CMakeFiles')) &&
      cache.includes(`CMAKE_HOME_DIRECTORY:INTERNAL=${join(packageRoot, 'native')}\n`) &&
      cache.includes('CMAKE_GENERATOR:INTERNAL=Unix Makefiles\n')
    );
  if (moved || existsSync(unfinished(folder))) await rm(folder, { recursive: true, force: true });
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(unfinished(folder), '');
  } catch (error) {
    throw new SaeEvalError(
      'setup-missing',
      `The folder ${folder} cannot be written to (${(error as Error).message}): make it ` +
        'writable, or free some space.',
      { cause: error },
    );
  }
  await rm(join(folder, 'identity.json'), { force: true });
}

async function configure({
  folder,
  libtorch,
  headers,
  toolchain,
}: {
  folder: string;
  libtorch: Libtorch;
  headers: Headers;
  toolchain: Toolchain;
}): Promise<void> {
  const result = await runProgram(toolchain.cmake, [
    '-S',
    join(packageRoot, 'native'),
    '-B',
    folder,
    '-G',
    'Unix Makefiles',
    '-DCMAKE_BUILD_TYPE=Release',
    `-DCMAKE_CXX_COMPILER=${toolchain.compiler}`,
    `-DCMAKE_MAKE_PROGRAM=${toolchain.make}`,
    `-DLIBTORCH=${libtorch.folder}`,
    `-DNODE_API_HEADERS=${headers.nodeApi}`,
    `-DNODE_ADDON_API=${headers.nodeAddonApi}`,
  ]);
  if (result.code !== 0)
    throw await buildError(
      folder,
      result.output,
      `${toolchain.cmake} could not configure the native addon`,
    );
}

async function compile({
  folder,
  toolchain,
  log,
}: {
  folder: string;
  toolchain: Toolchain;
  log: SetupLog;
}): Promise<void> {
  const jobs = Math.max(
    1,
    Math.min(availableParallelism(), Math.floor(freemem() / bytesPerCompiler)),
  );
  const result = await runProgram(
    toolchain.cmake,
    ['--build', folder, '--parallel', String(jobs)],
    {
      onLine: (line) => {
        const step = /^\[\s*(\d+)%\] (?:Building CXX \S+ \S*?(\w+)\.dir\/\S+|(Linking) .*)$/;
        const found = step.exec(line);
        if (found !== null)
          log(
            `building the native addon: ${found[1]?.padStart(3) ?? ''} % ` +
              `${found[3] === undefined ? (found[2] ?? '') : 'linking'}`,
            'progress',
          );
      },
    },
  );
  if (result.code !== 0)
    throw await buildError(folder, result.output, 'The native addon could not be compiled');
}

async function buildError(folder: string, output: string, what: string): Promise<SaeEvalError> {
  const file = join(folder, 'build.log');
  await writeFile(file, output).catch(() => undefined);
  const lines = output.split('\n');
  const first =
    lines.find((line) => /No space left/.test(line)) ??
    lines.find((line) => /(fatal )?error:|CMake Error|Killed/i.test(line)) ??
    lines.at(-1) ??
    '';
  return new SaeEvalError(
    'setup-missing',
    `${what} (${first.trim()}): the whole output is in ${file}; a C++20 compiler (g++ 11 ` +
      'or later), cmake and make are needed.',
  );
}

/** Why the addon does not load in a process of its own; null if it does. */
async function addonTrouble(addon: string): Promise<string | null> {
  const result = await runProgram(process.execPath, ['-e', 'require(process.argv[1])', addon]);
  if (result.code === 0) return null;
  return (
    /Error: (.*)/.exec(result.output)?.[1] ?? `the test process ended with code ${result.code}`
  );
}
