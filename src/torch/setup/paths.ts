/** Paths of the package, the addon and the cache. */
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Root folder of the package, with a slash at the end. */
export const packageRoot = fileURLToPath(new URL('../../../../', import.meta.url));

const addonFile = 'sae_eval.node';

/**
 * Folder for files that outlive a clone, such as libtorch: `$XDG_CACHE_HOME/sae-eval`, else
 * `~/.cache/sae-eval`.
 */
export function cacheFolder(): string {
  const base = process.env['XDG_CACHE_HOME'];
  return join(base !== undefined && base !== '' ? base : join(homedir(), '.cache'), 'sae-eval');
}

/** Path of the addon, which need not exist; `SAE_EVAL_ADDON` overrides it. */
export function addonPath(): string {
  const given = process.env['SAE_EVAL_ADDON'];
  if (given !== undefined && given !== '') return given;
  const candidates = [packageBuildFolder(), cacheBuildFolder()].map((folder) =>
    join(folder, addonFile),
  );
  return candidates.find((path) => existsSync(path)) ?? join(buildFolder(), addonFile);
}

/** Folder in which set-up builds the addon: the package's, or the cache's if that is read-only. */
export function buildFolder(): string {
  return isWritable(packageRoot) ? packageBuildFolder() : cacheBuildFolder();
}

function packageBuildFolder(): string {
  return join(packageRoot, 'build', 'addon');
}

function cacheBuildFolder(): string {
  // Two installations must not load each other's addon, whatever their versions.
  const { version } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as {
    version: string;
  };
  const installation = createHash('sha256').update(packageRoot).digest('hex').slice(0, 12);
  return join(cacheFolder(), `addon-${version}-${installation}`);
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
