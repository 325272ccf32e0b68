/**
 * Set-up: finds or fetches libtorch and builds the native addon against it. It keeps parts that are
 * current and repeats those that were interrupted. Two set-ups at once wait for each other.
 */
import { join } from 'node:path';
import { SaeEvalError } from '../../errors.js';
import { buildAddon } from './build.js';
import { fetchLibtorch } from './fetch.js';
import { cachedLibtorch, findLibtorch, type Libtorch } from './libtorch.js';
import { withLock } from './lock.js';
import { streamLog, type SetupLog } from './log.js';
import { buildFolder, cacheFolder } from './paths.js';
import { hasNvidiaDriver, requireSupportedPlatform } from './platform.js';

export { addonPath } from './paths.js';
export { streamLog, type SetupLog } from './log.js';
export type { Libtorch } from './libtorch.js';

export interface SetupResult {
  /** Path of the addon. */
  addon: string;
  libtorch: Libtorch;
}

/**
 * Makes the native addon ready to be loaded. This takes seconds if the addon is current or the
 * package brings one that fits, else minutes, and the download if this machine has no libtorch.
 * @param compile whether one that the package brought is not enough.
 * @throws SaeEvalError `setup-missing` or `platform-unsupported`, with what to install.
 */
export async function setup({
  log = streamLog(),
  compile = false,
}: { log?: SetupLog; compile?: boolean } = {}): Promise<SetupResult> {
  requireSupportedPlatform();
  const libtorch = (await findLibtorch({ log })) ?? (await fetchOnce(log));
  if (!libtorch.cuda && hasNvidiaDriver()) {
    log(
      `libtorch ${libtorch.version} is a CPU build although this machine has an NVIDIA ` +
        `driver: for CUDA set LIBTORCH to a CUDA build, or delete ${libtorch.folder} and run ` +
        'set-up again',
      'line',
    );
  }
  const folder = buildFolder();
  const addon = await locked(`${folder}.lock`, log, () => buildAddon({ libtorch, log, compile }));
  return { addon, libtorch };
}

function fetchOnce(log: SetupLog): Promise<Libtorch> {
  return locked(
    join(cacheFolder(), 'libtorch.lock'),
    log,
    async () => (await cachedLibtorch()) ?? (await fetchLibtorch({ log })),
  );
}

async function locked<T>(path: string, log: SetupLog, work: () => Promise<T>): Promise<T> {
  try {
    return await withLock(path, work, {
      onWait: () => log('waiting for another set-up to finish', 'line'),
    });
  } catch (error) {
    if (error instanceof SaeEvalError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new SaeEvalError(
      'setup-missing',
      `Set-up failed (${reason}): check that ${cacheFolder()} and ${buildFolder()} can be ` +
        'written to and have space, then run it again.',
      { cause: error },
    );
  }
}
