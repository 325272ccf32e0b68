/**
 * The SAEs that lie below a folder, found by what the folders and files are, from headers and
 * configurations alone.
 */
import { dirname, join } from 'node:path';
import { asSaeEvalError, SaeEvalError } from '../errors.js';
import { checkpointEnding, namesIn, sortOf, type SearchOptions } from './checkpoint-names.js';
import { isLanguageModel } from './formats/not-an-sae.js';
import { recognizeAll, type SaeFile } from './formats/recognize.js';

/** The SAEs at a path below the folder (several if a file holds several), or an error. */
export type SaeBelow = { path: string } & (
  { files: readonly [SaeFile, ...SaeFile[]] } | { error: SaeEvalError } | { isNoSae: true }
);

const deepest = 16;
const mostEntriesByDefault = 100_000;
/** The SAEs at a path; null for a folder that is no SAE by itself. */
async function lookAt(path: string, isFolder: boolean): Promise<SaeBelow | null> {
  try {
    const files = await recognizeAll(path);
    return files[0].candidates().length > 0 ? { path, files } : { path, isNoSae: true };
  } catch (thrown) {
    const error = asSaeEvalError(thrown, path);
    // A folder that is no SAE may hold some.
    return isFolder && error.code === 'checkpoint-format' ? null : { path, error };
  }
}

/** The SAEs that a file holds. */
export async function saeIn(file: string): Promise<SaeBelow> {
  return (await lookAt(file, false))!;
}

/** Weights of an SAE that is a folder, and the folders that hold them. */
function weightsOf(found: SaeBelow): Set<string> {
  const paths = 'files' in found ? found.files.map(({ checkpoint }) => checkpoint.path) : [];
  return new Set(paths.flatMap((path) => [path, dirname(path)]));
}

/**
 * The SAEs below a folder, the folder itself included, in natural order of their paths. A folder of
 * a published format is one SAE; other files in it are not looked at. Language models are passed
 * over.
 * @throws SaeEvalError `request-invalid` if there is too much to look at.
 */
export async function* saesBelow(
  folder: string,
  { mayRead = () => true, mostEntries = mostEntriesByDefault }: SearchOptions = {},
): AsyncGenerator<SaeBelow, void, undefined> {
  let entries = 0;
  async function* within(path: string, depth: number): AsyncGenerator<SaeBelow, void, undefined> {
    const names = namesIn(path);
    entries += names.length;
    if (entries > mostEntries)
      throw new SaeEvalError(
        'request-invalid',
        `${folder}: expected at most ${mostEntries} files and folders below it, found more: ` +
          'name a folder that lies deeper',
      );
    const sorts = new Map(
      names.map((name) => {
        const at = join(path, name);
        return [at, mayRead(at) ? sortOf(at) : 'other'] as const;
      }),
    );
    const files = [...sorts].filter(([, sort]) => sort === 'file').map(([at]) => at);
    const isModel = files.some((at) => at.endsWith('config.json')) && isLanguageModel(path);
    const itself = files.length === 0 || isModel ? null : await lookAt(path, true);
    const weights = itself === null ? new Set<string>() : weightsOf(itself);
    if (itself !== null) yield itself;
    for (const [at, sort] of sorts) {
      if (sort === 'folder' && depth < deepest && !weights.has(at)) yield* within(at, depth + 1);
      const isCandidate = sort === 'file' && itself === null && !isModel;
      const one = isCandidate && checkpointEnding.test(at) ? await lookAt(at, false) : null;
      if (one !== null) yield one;
    }
  }
  yield* within(folder, 0);
}
