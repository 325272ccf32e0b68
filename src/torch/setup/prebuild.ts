/**
 * Makes the prebuilt addon that the package brings, from the one that set-up has built here:
 * `npm pack` runs it (`prepack`), with `LIBTORCH` for another libtorch. The addon's run path, the
 * folder of libtorch on this machine, is overwritten with one beside the addon.
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { asSaeEvalError, SaeEvalError } from '../../errors.js';
import { readBuilt } from './build.js';
import { nativeSources } from './build-identity.js';
import { setup } from './index.js';
import { buildFolder } from './paths.js';
import { platformTag } from './platform.js';
import { isNewer, prebuiltFolder, prebuiltRunPath, type Prebuilt } from './prebuilt.js';

/** @throws SaeEvalError `setup-missing`. */
async function prebuild(): Promise<string> {
  const { addon, libtorch } = await setup({ compile: true });
  const built = await readBuilt(buildFolder());
  const content = await readFile(addon);
  replaceRunPath(content, join(libtorch.folder, 'lib'));
  const release = libtorch.version.split('+')[0]!;
  const name = `${platformTag()}-libtorch-${release}-${libtorch.cuda ? 'cuda' : 'cpu'}`;
  const folder = join(prebuiltFolder, name);
  await mkdir(folder, { recursive: true });
  await replaceFile(join(folder, 'sae_eval.node'), content);
  const prebuilt: Prebuilt = {
    platform: platformTag(),
    libtorch: release,
    cuda: libtorch.cuda,
    glibc: neededGlibc(content),
    sources: await nativeSources(),
    compiler: built?.compiler ?? 'unknown',
  };
  const text = `${JSON.stringify(prebuilt, null, 2)}\n`;
  await replaceFile(join(folder, 'prebuilt.json'), Buffer.from(text));
  return folder;
}

/** Writes a file in one step, unless it has this content: another `npm pack` may be reading it. */
async function replaceFile(path: string, content: Buffer): Promise<void> {
  if ((await readFile(path).catch(() => null))?.equals(content) === true) return;
  await writeFile(`${path}.new`, content);
  await rename(`${path}.new`, path);
}

/** Overwrites the run path in an addon's table of strings; the rest of its place becomes zeros. */
function replaceRunPath(content: Buffer, runPath: string): void {
  const place = content.indexOf(`\0${runPath}`) + 1;
  const end = content.indexOf(0, place);
  if (place === 0 || end - place < prebuiltRunPath.length)
    throw new SaeEvalError(
      'setup-missing',
      `The addon's run path cannot be replaced: it should begin with ${runPath} and be at least ` +
        `as long as ${prebuiltRunPath}; use a libtorch in a folder with a longer path.`,
    );
  content.fill(0, place, end).write(prebuiltRunPath, place, 'latin1');
}

/** The newest version of glibc whose symbols the addon uses. */
function neededGlibc(content: Buffer): string {
  const versions = [...content.toString('latin1').matchAll(/GLIBC_(\d+\.\d+)[.\d]*\0/g)];
  return versions.map(([, version]) => version!).reduce((a, b) => (isNewer(b, a) ? b : a), '0');
}

try {
  process.stderr.write(`prebuilt: ${await prebuild()}\n`);
} catch (thrown) {
  process.stderr.write(`sae-eval: ${asSaeEvalError(thrown, 'Prebuilding').message}\n`);
  process.exitCode = 1;
}
