/**
 * Builds the addon with cmake and make. The stamp beside it is written last, after the addon has
 * been seen to load, and removed first; a build that was cut off is not continued but done anew,
 * since make would take a half-written object for a finished one.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, freemem } from 'node:os';
import { join } from 'node:path';
import { SaeEvalError } from '../../errors.js';
import { compilerVersion, findCompiler, findToolchain, type Toolchain } from './toolchain.js';
import { fingerprint, findHeaders, type Headers } from './fingerprint.js';
import type { Libtorch } from './libtorch.js';
import type { SetupLog } from './log.js';
import { buildFolder, packageRoot } from './paths.js';
import { runProgram } from './program.js';

interface Stamp {
  fingerprint: string;
  compiler: string;
}

const bytesPerCompiler = 1.5e9; // a unit that includes ATen takes about that much

/**
 * Builds the addon against a libtorch unless the one that is there is current. The caller holds the
 * build's lock. Returns its path.
 */
export async function buildAddon({
  libtorch,
  log,
  folder = buildFolder(),
}: {
  libtorch: Libtorch;
  log: SetupLog;
  folder?: string;
}): Promise<string> {
  const addon = join(folder, 'sae_eval.node');
  const headers = findHeaders();
  if (await isCurrent({ folder, addon, libtorch, headers })) return addon;

  const toolchain = await findToolchain();
  const started = performance.now();
  log(
    `building the native addon against libtorch ${libtorch.version} (${libtorch.folder})`,
    'line',
  );
  await prepare(folder);
  await configure({ folder, libtorch, headers, toolchain });
  await compile({ folder, toolchain, log });
  await requireLoads(addon);
  const stamp: Stamp = {
    fingerprint: await fingerprint({ libtorch, headers, compiler: toolchain.compilerVersion }),
    compiler: toolchain.compilerVersion,
  };
  await writeFile(join(folder, 'stamp.json.new'), JSON.stringify(stamp));
  await rename(join(folder, 'stamp.json.new'), join(folder, 'stamp.json'));
  await rm(unfinished(folder), { force: true });
  log(`built ${addon} in ${Math.round((performance.now() - started) / 1000)} s`, 'line');
  return addon;
}

async function isCurrent({
  folder,
  addon,
  libtorch,
  headers,
}: {
  folder: string;
  addon: string;
  libtorch: Libtorch;
  headers: Headers;
}): Promise<boolean> {
  if (!existsSync(addon) || existsSync(unfinished(folder))) return false;
  const stamp = await readStamp(folder);
  if (stamp === null) return false;
  // A machine that only runs what was built may have no compiler: then none can have changed.
  const found = findCompiler();
  const compiler = found === null ? stamp.compiler : await compilerVersion(found);
  return stamp.fingerprint === (await fingerprint({ libtorch, headers, compiler }));
}

async function readStamp(folder: string): Promise<Stamp | null> {
  try {
    return JSON.parse(await readFile(join(folder, 'stamp.json'), 'utf8')) as Stamp;
  } catch {
    return null;
  }
}

/** The mark of a build that has begun and not ended. */
function unfinished(folder: string): string {
  return join(folder, 'unfinished');
}

async function prepare(folder: string): Promise<void> {
  const cache = await readFile(join(folder, 'CMakeCache.txt'), 'utf8').catch(() => null);
  const moved =
    cache !== null &&
    !(
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
  await rm(join(folder, 'stamp.json'), { force: true });
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
        const step =
          /^\[\s*(\d+)%\] (?:Building CXX object \S*?\.dir\/(\S+?)(?:\.o|\.gch)?|(Linking) .*)$/.exec(
            line,
          );
        if (step !== null)
          log(
            `building the native addon: ${step[1]?.padStart(3) ?? ''} % ` +
              `${step[3] === undefined ? (step[2] ?? '') : 'linking'}`,
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

/** Loads the addon in a process of its own. */
async function requireLoads(addon: string): Promise<void> {
  const result = await runProgram(process.execPath, ['-e', 'require(process.argv[1])', addon]);
  if (result.code === 0) return;
  const reason =
    /Error: (.*)/.exec(result.output)?.[1] ?? `the test process ended with code ${result.code}`;
  throw new SaeEvalError(
    'setup-missing',
    `The native addon was built but does not load (${reason}): set LIBTORCH to another ` +
      'libtorch and run `npx sae-eval setup` again.',
  );
}
