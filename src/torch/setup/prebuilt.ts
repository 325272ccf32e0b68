/**
 * Addons that the package brings, one folder for each libtorch that they were built against:
 * `prebuilt/linux-x64-libtorch-2.13.0-cpu/`. `npm pack` makes them (prebuild.ts). One is taken if
 * it was built of the native sources of this package, against this release of libtorch, for a C
 * library that is not newer than this machine's, and if it loads.
 */
import { copyFile, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { nativeSources } from './build-identity.js';
import type { Libtorch } from './libtorch.js';
import { packageRoot } from './paths.js';
import { platformTag, thisPlatform } from './platform.js';

/** What `prebuilt.json` beside an addon says. */
export interface Prebuilt {
  /** `linux-x64` */
  platform: string;
  /** Release of the libtorch that it was built against, without what follows `+`: `2.13.0`. */
  libtorch: string;
  cuda: boolean;
  /** Version of glibc from which on it loads. */
  glibc: string;
  /** Hash of the native sources. */
  sources: string;
  /** First line of the compiler's `--version`. */
  compiler: string;
}

export const prebuiltFolder = join(packageRoot, 'prebuilt');
/** Run path of a prebuilt addon: a link beside it, which set-up makes. */
export const prebuiltRunPath = '$ORIGIN/libtorch/lib';

/** Folder of a prebuilt addon that fits, with what it says; else the reasons why none does. */
export async function findPrebuilt(
  libtorch: Libtorch,
): Promise<{ folder: string; prebuilt: Prebuilt } | { reasons: string[] }> {
  const names = await readdir(prebuiltFolder).catch(() => [] as string[]);
  const reasons: string[] = [];
  for (const name of names.sort()) {
    const folder = join(prebuiltFolder, name);
    try {
      const text = await readFile(join(folder, 'prebuilt.json'), 'utf8');
      const prebuilt = JSON.parse(text) as Prebuilt;
      const reason = await misfit(prebuilt, libtorch);
      if (reason === null) return { folder, prebuilt };
      reasons.push(`${name}: ${reason}`);
    } catch (error) {
      reasons.push(`${name}: ${(error as Error).message}`);
    }
  }
  return { reasons };
}

async function misfit(prebuilt: Prebuilt, libtorch: Libtorch): Promise<string | null> {
  const release = libtorch.version.split('+')[0];
  const { glibc } = thisPlatform();
  if (prebuilt.platform !== platformTag()) return `this is ${platformTag()}`;
  if (prebuilt.libtorch !== release) return `this libtorch is ${libtorch.version}`;
  if (prebuilt.cuda !== libtorch.cuda)
    return `this libtorch is a ${libtorch.cuda ? 'CUDA' : 'CPU'} build`;
  if (isNewer(prebuilt.glibc, glibc ?? '0'))
    return `needs glibc ${prebuilt.glibc}, this is ${glibc ?? 'none'}`;
  if (prebuilt.sources !== (await nativeSources())) return 'built of other sources';
  return null;
}

export function isNewer(version: string, than: string): boolean {
  return version.localeCompare(than, 'en', { numeric: true }) > 0;
}

/** Puts a prebuilt addon into the build folder, linked to a libtorch. Returns its path. */
export async function placePrebuilt(
  from: string,
  { folder, libtorch }: { folder: string; libtorch: Libtorch },
): Promise<string> {
  const addon = join(folder, 'sae_eval.node');
  await copyFile(join(from, 'sae_eval.node'), addon);
  const link = join(folder, 'libtorch');
  await rm(link, { force: true });
  await symlink(libtorch.folder, link);
  return addon;
}
