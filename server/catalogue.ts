/**
 * Lists checkpoints, models and texts below the roots. Names are read here, files in an inspection
 * process; an answer is kept until its file changes.
 */
import { textExtensions } from '../src/data/data-file.js';
import { SaeEvalError } from '../src/errors.js';
import { hidePaths } from '../src/evaluation/request/path-table.js';
import { entriesLater } from '../src/files/index.js';
import { findInHubCache, modelOfCacheFolder } from '../src/hub-cache.js';
import {
  inspectCheckpoints,
  inspectModels,
  type Inspected,
  type InspectOptions,
  type ModelFacts,
} from '../src/inspect/inspect.js';
import type {
  CheckpointDescription,
  CheckpointEntry,
  DatasetEntry,
  ModelEntry,
} from '../src/schema/catalogue.js';
import type { RecordError } from '../src/schema/record.js';
import { FolderWalk, inOrder, type Folder, type Found } from './folder-walk.js';
import type { Roots } from './roots.js';

const mostFiles = 500;

function failure(
  answer: Inspected<unknown> | undefined,
  { file, name }: Found,
  within: string[],
): RecordError | null {
  if (answer === undefined || !('error' in answer)) return null;
  const { code, message } = hidePaths(SaeEvalError.fromJSON(answer.error), [
    { name, path: file, within },
  ]);
  return { code, message };
}

export class Catalogue {
  readonly #checkpoints = new Map<
    string,
    { stamp: string; answer: Inspected<CheckpointDescription> }
  >();
  readonly #models = new Map<string, { stamp: string; answer: Inspected<ModelFacts> }>();
  readonly #walk: FolderWalk;

  constructor(
    private readonly roots: Roots,
    private readonly inspectOptions: InspectOptions,
  ) {
    this.#walk = new FolderWalk(roots.folders);
  }

  async checkpoints(
    signal: AbortSignal,
  ): Promise<{ items: CheckpointEntry[]; truncated: boolean }> {
    const described = new Map(
      (await this.#modelFolders(signal)).map(({ file, answer }) => [file, answer]),
    );
    const isModel = (file: string): boolean => {
      const answer = described.get(file);
      return described.has(file) && (answer === undefined || 'ok' in answer);
    };
    // A folder that cannot be read as a language model may hold an SAE with a config.json.
    const all = (await this.#walk.folders())
      .filter(({ file }) => !isModel(file))
      .flatMap(({ file, files }) => files.map((found) => ({ ...found, folder: file })))
      .filter(({ name }) => /\.(pt|pth|safetensors|npz)$/.test(name));
    const listed = all.slice(0, mostFiles);
    const within = await this.roots.within();
    const answers = await this.#cached(this.#checkpoints, listed, (files) =>
      inspectCheckpoints(files, { ...this.inspectOptions, within, signal }),
    );
    return {
      truncated: all.length > listed.length,
      items: listed.flatMap((found, index): CheckpointEntry[] => {
        const { name, bytes, modified, folder } = found;
        const answer = answers[index];
        const description = answer !== undefined && 'ok' in answer ? answer.ok : null;
        const {
          format = null,
          candidates = [],
          d = null,
          m = null,
          routedLayers = null,
          kindKnown = false,
          prefixes = [],
          namedKind = null,
          obstacle = null,
          choices = [],
        } = description ?? {};
        // The weights of a model that is not supported are not a damaged SAE.
        if (described.has(folder) && candidates.length === 0) return [];
        return [
          {
            path: name,
            bytes,
            modifiedAt: new Date(modified).toISOString(),
            format,
            candidates,
            d,
            m,
            routedLayers,
            kindKnown,
            prefixes,
            namedKind,
            obstacle,
            choices,
            error: failure(answer, found, within),
          },
        ];
      }),
    };
  }

  async models(signal: AbortSignal): Promise<{ items: ModelEntry[]; truncated: boolean }> {
    const below = (await this.#modelFolders(signal)).map((found) => ({
      ...found,
      source: 'root' as const,
    }));
    const all = [...below, ...(await this.#cachedModels())];
    const listed = all.slice(0, mostFiles);
    const within = await this.roots.within();
    const answers = await this.#cached(this.#models, listed, (files) =>
      inspectModels(files, { ...this.inspectOptions, within, signal }),
    );
    return {
      truncated: all.length > listed.length,
      items: listed.map((found, index): ModelEntry => {
        const { name, source } = found;
        const answer = answers[index];
        const facts = answer !== undefined && 'ok' in answer ? answer.ok : null;
        const {
          family = null,
          layers = null,
          width = null,
          vocabulary = null,
          maxPositions = null,
        } = facts ?? {};
        return {
          path: name,
          source,
          family,
          layers,
          width,
          vocabulary,
          maxPositions,
          error: failure(answer, found, within),
        };
      }),
    };
  }

  /**
   * Folders whose file names are those of a model, and those whose manifest describes one, with
   * what reading them gave. Folders beyond the first are not read.
   */
  async #modelFolders(
    signal: AbortSignal,
  ): Promise<(Found & { answer: Inspected<ModelFacts> | undefined })[]> {
    const folders = (await this.#walk.folders()).flatMap((folder) => describedBy(folder) ?? []);
    const within = await this.roots.within();
    const answers = await this.#cached(this.#models, folders.slice(0, mostFiles), (files) =>
      inspectModels(files, { ...this.inspectOptions, within, signal }),
    );
    // Other tools have manifests too. A program counts even if this server does not run programs.
    return folders
      .map((folder, index) => ({ ...folder, answer: answers[index] }))
      .filter(({ byName, answer }) => byName || isModelAnswer(answer));
  }

  /** Folders with text files, and the files that a request for the folder would read. */
  async datasets(): Promise<{ items: DatasetEntry[]; truncated: boolean }> {
    const items = (await this.#walk.folders()).flatMap(({ name, files }): DatasetEntry[] => {
      const texts = textExtensions
        .map((extensions) =>
          files.filter((entry) => extensions.some((extension) => entry.name.endsWith(extension))),
        )
        .find((found) => found.length > 0);
      if (texts === undefined) return [];
      const each = texts.map((entry) => ({ path: entry.name, files: 1, bytes: entry.bytes }));
      return [
        {
          path: name,
          files: texts.length,
          bytes: texts.reduce((sum, { bytes }) => sum + bytes, 0),
        },
        ...each,
      ];
    });
    return { items: items.slice(0, mostFiles), truncated: items.length > mostFiles };
  }

  /** Answers for files; those of unchanged files come from memory. */
  async #cached<T>(
    memory: Map<string, { stamp: string; answer: T }>,
    files: readonly Found[],
    read: (files: string[]) => Promise<T[]>,
  ): Promise<(T | undefined)[]> {
    const stampOf = ({ bytes, modified }: Found): string => `${bytes} ${modified}`;
    const missing = files.filter((file) => memory.get(file.file)?.stamp !== stampOf(file));
    if (missing.length > 0) {
      const answers = await read(missing.map(({ file }) => file));
      missing.forEach((file, index) =>
        memory.set(file.file, { stamp: stampOf(file), answer: answers[index]! }),
      );
    }
    return files.map(({ file }) => memory.get(file)?.answer);
  }

  async #cachedModels(): Promise<(Found & { source: 'hugging-face' })[]> {
    const found = await entriesLater(this.roots.hub, { within: null }).catch(() => []);
    const names = inOrder(found).map((entry) => modelOfCacheFolder(entry.name));
    return names.flatMap((name) => {
      const file = name === null ? null : findInHubCache(name, { hub: this.roots.hub });
      return name === null || file === null
        ? []
        : [{ name, file, bytes: 0, modified: 0, source: 'hugging-face' as const }];
    });
  }
}

/** The folder as a possible model, as new as the files that describe it; null if none does. */
function describedBy({ name, file, files }: Folder): (Found & { byName: boolean }) | null {
  // A folder of an OpenMOSS SAE has a config.json too.
  if (files.some((entry) => /\/sae_weights\.(safetensors|pt)$/.test(entry.file))) return null;
  const [config, manifest] = ['/config.json', '/manifest.json'].map((end) =>
    files.find((entry) => entry.file.endsWith(end)),
  );
  const byName =
    config !== undefined &&
    files.some((entry) => /(\.safetensors|\/pytorch_model\.bin)(\.index\.json)?$/.test(entry.file));
  if (!byName && manifest === undefined) return null;
  return {
    name,
    file,
    bytes: manifest?.bytes ?? 0,
    modified: Math.max(config?.modified ?? 0, manifest?.modified ?? 0),
    byName,
  };
}

function isModelAnswer(answer: Inspected<ModelFacts> | undefined): boolean {
  return answer !== undefined && ('ok' in answer || answer.error.code === 'model-unsupported');
}
