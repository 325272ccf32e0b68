/**
 * Lists checkpoints, models and texts below the roots. Names are read here, files one by one in
 * inspection processes. A list waits for them for a while, then says how many are left; what was
 * read is kept until its file changes.
 */
import { textExtensions } from '../src/data/data-file.js';
import { asSaeEvalError, SaeEvalError } from '../src/errors.js';
import { hidePaths } from '../src/evaluation/request/path-table.js';
import { entriesLater } from '../src/files/index.js';
import { findInHubCache, modelOfCacheFolder } from '../src/hub-cache.js';
import type { Inspected, ModelFacts } from '../src/inspect/inspect.js';
import { inspectEachCheckpoint, inspectEachModel } from '../src/inspect/inspect-each.js';
import type {
  CheckpointDescription,
  CheckpointEntry,
  DatasetEntry,
  ModelEntry,
} from '../src/schema/catalogue.js';
import type { RecordError } from '../src/schema/record.js';
import { FolderWalk, inOrder, type Folder, type Found } from './folder-walk.js';
import { GradualReader } from './gradual-reader.js';
import type { Roots } from './roots.js';

const mostFiles = 500;
/** Part of the time for one file that a list waits for all of them. */
const partOfTimeout = 2 / 3;

const unread = (answers: readonly unknown[]): number =>
  answers.filter((answer) => answer === undefined).length;

function failure(
  answer: Inspected<unknown> | undefined,
  { file, name }: Found,
  within: string[],
): RecordError | null {
  if (answer === undefined)
    return { code: 'unavailable', message: 'It has not been read yet; ask again in a moment.' };
  if (!('error' in answer)) return null;
  const { code, message } = hidePaths(SaeEvalError.fromJSON(answer.error), [
    { name, path: file, within },
  ]);
  return { code, message };
}

export class Catalogue {
  readonly #checkpoints: GradualReader<CheckpointDescription>;
  readonly #models: GradualReader<ModelFacts>;
  readonly #walk: FolderWalk;
  readonly #timeoutMs: number;
  readonly #closed = new AbortController();

  /** @param timeoutMs milliseconds that one file may take, and more than a list takes. */
  constructor(
    private readonly roots: Roots,
    { timeoutMs = 30_000 }: { timeoutMs?: number } = {},
  ) {
    this.#timeoutMs = timeoutMs;
    this.#walk = new FolderWalk(roots.folders);
    const each = async () => ({
      within: await roots.within(),
      timeoutMs,
      signal: this.#closed.signal,
    });
    this.#checkpoints = new GradualReader(async (files, onAnswer) =>
      inspectEachCheckpoint(files, { ...(await each()), onAnswer }),
    );
    this.#models = new GradualReader(async (files, onAnswer) =>
      inspectEachModel(files, { ...(await each()), onAnswer }),
    );
  }

  /** Reads no further. */
  close(): void {
    this.#closed.abort();
  }

  /** A signal that aborts when a list is to say what it has. */
  #patience(caller: AbortSignal): AbortSignal {
    const longest = AbortSignal.timeout(Math.round(this.#timeoutMs * partOfTimeout));
    return AbortSignal.any([caller, longest, this.#closed.signal]);
  }

  /** @param caller aborts if nobody waits for the list. */
  async checkpoints(
    caller: AbortSignal,
  ): Promise<{ items: CheckpointEntry[]; truncated: boolean; pending: number }> {
    const signal = this.#patience(caller);
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
    const answers = await this.#checkpoints.answers(listed, signal);
    return {
      truncated: all.length > listed.length,
      pending: unread(answers) + unread([...described.values()]),
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

  /** @param caller aborts if nobody waits for the list. */
  async models(
    caller: AbortSignal,
  ): Promise<{ items: ModelEntry[]; truncated: boolean; pending: number }> {
    const signal = this.#patience(caller);
    const below = (await this.#modelFolders(signal)).map((found) => ({
      ...found,
      source: 'root' as const,
    }));
    const all = [...below, ...(await this.#cachedModels())];
    const listed = all.slice(0, mostFiles);
    const within = await this.roots.within();
    const answers = await this.#models.answers(listed, signal);
    return {
      truncated: all.length > listed.length,
      pending: unread(answers),
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
    const answers = await this.#models.answers(folders.slice(0, mostFiles), signal);
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

  async #cachedModels(): Promise<(Found & { source: 'hugging-face' })[]> {
    const found = await entriesLater(this.roots.hub, { within: null }).catch((thrown: unknown) => {
      if (asSaeEvalError(thrown).code === 'unavailable') throw thrown;
      return [];
    });
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
