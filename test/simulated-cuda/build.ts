/** Builds the simulated device against the libtorch of the addon, unless that is done. */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findHeaders } from '#src/torch/setup/build-identity.js';
import { withLock } from '#src/torch/setup/lock.js';
import { addonPath, packageRoot } from '#src/torch/setup/paths.js';
import { runProgram } from '#src/torch/setup/program.js';
import { findToolchain } from '#src/torch/setup/toolchain.js';

const sources = fileURLToPath(new URL('device', import.meta.url));
const folder = join(packageRoot, 'build', 'simulated-cuda');

/** The libtorch that the addon was built against. */
function libtorchOfAddon(): string {
  const link = join(dirname(addonPath()), 'libtorch'); // beside an addon that was not built here
  if (existsSync(link)) return realpathSync(link);
  const cache = readFileSync(join(dirname(addonPath()), 'CMakeCache.txt'), 'utf8');
  const [, found] = /^LIBTORCH:PATH=(.*)$/m.exec(cache) ?? [];
  if (found === undefined) throw new Error('the build of the addon does not name its libtorch');
  return found;
}

async function run(program: string, args: readonly string[]): Promise<void> {
  const { code, output } = await runProgram(program, args);
  if (code !== 0) throw new Error(`${program} ${args.join(' ')}: ${output}`);
}

/** Path of the addon `simulated_cuda.node`. Processes that want it at a time build it once. */
export function buildSimulatedCuda(): Promise<string> {
  return withLock(`${folder}.lock`, build);
}

async function build(): Promise<string> {
  const addon = join(folder, 'simulated_cuda.node');
  const libtorch = libtorchOfAddon();
  const hash = createHash('sha256').update(libtorch);
  for (const name of readdirSync(sources).sort()) hash.update(readFileSync(join(sources, name)));
  const identity = hash.digest('hex');
  const identityFile = join(folder, 'identity');
  if (existsSync(addon) && existsSync(identityFile))
    if (readFileSync(identityFile, 'utf8') === identity) return addon;
  mkdirSync(folder, { recursive: true });
  const { cmake, compiler, make } = await findToolchain();
  await run(cmake, [
    ...['-S', sources, '-B', folder, '-G', 'Unix Makefiles', '-DCMAKE_BUILD_TYPE=Release'],
    ...[`-DCMAKE_CXX_COMPILER=${compiler}`, `-DCMAKE_MAKE_PROGRAM=${make}`],
    ...[`-DLIBTORCH=${libtorch}`, `-DNODE_API_HEADERS=${findHeaders().nodeApi}`],
  ]);
  await run(cmake, ['--build', folder]);
  writeFileSync(identityFile, identity);
  return addon;
}
