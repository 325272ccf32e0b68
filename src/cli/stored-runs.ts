/** The runs whose reports lie below a folder. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { asSaeEvalError, SaeEvalError } from '../errors.js';
import { missingPath } from '../missing-path.js';
import type { EvaluationResult } from '../schema/index.js';
import { readResult } from './stored-result.js';

/** A run in a few words and numbers. */
export interface StoredRun {
  /** Folder of its report. */
  path: string;
  id: string;
  name: string | null;
  tags: readonly string[];
  createdAt: string;
  model: string;
  dataset: string;
  status: EvaluationResult['status'];
  /** KL per token and L0 are those of `strict`, null if the run has none. */
  saes: { label: string; kind: string; klPerToken: number | null; l0: number | null }[];
}

/** Levels of folders that are looked through. */
const deepest = 5;

function summaryOf(path: string, result: EvaluationResult): StoredRun {
  const { id, createdAt, status, config, results } = result;
  return {
    path,
    id,
    name: config.name ?? null,
    tags: config.tags ?? [],
    createdAt,
    model: config.model,
    dataset: config.dataset.path,
    status,
    saes: results.map(({ label, kind, strict }) => ({
      label,
      kind,
      klPerToken: strict?.KLDivPerToken?.mean ?? null,
      l0: strict?.L0?.mean ?? null,
    })),
  };
}

/** Folders below one, itself included, that hold a `report.json`. */
async function foldersWithReports(folder: string, depth = 0): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(
    (thrown: NodeJS.ErrnoException) => {
      if (depth > 0) return []; // one that may not be read hides no other
      if (thrown.code === 'ENOTDIR')
        throw new SaeEvalError(
          'request-invalid',
          `${folder} is a file; expected a folder in which runs lie`,
        );
      throw thrown.code === 'ENOENT'
        ? missingPath(folder, { what: 'folder of runs' })
        : asSaeEvalError(thrown, folder);
    },
  );
  const own = entries.some((entry) => entry.name === 'report.json' && !entry.isDirectory());
  const inner = entries.filter(
    (entry) => entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'node_modules',
  );
  const below =
    depth === deepest
      ? []
      : await Promise.all(
          inner.map(({ name }) => foldersWithReports(join(folder, name), depth + 1)),
        );
  return [...(own ? [folder] : []), ...below.flat()];
}

/**
 * The runs below a folder, newest first, and why reports that cannot be read are left out.
 * @throws SaeEvalError `file-not-found`, `file-unreadable` for the folder itself.
 */
export async function listRuns(
  folder: string,
): Promise<{ runs: StoredRun[]; damaged: SaeEvalError[] }> {
  const runs: StoredRun[] = [];
  const damaged: SaeEvalError[] = [];
  for (const path of await foldersWithReports(folder)) {
    try {
      runs.push(summaryOf(path, await readResult(path)));
    } catch (thrown) {
      damaged.push(asSaeEvalError(thrown, path));
    }
  }
  return { runs: runs.sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1)), damaged };
}
