/**
 * What lies under the roots: checkpoints, models, texts. Found by name here, read in an inspect process; an answer is kept
 * until its file changes.
 */
import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { textExtensions } from '../src/data/files.js';
import { hasScriptManifest, inspectCheckpoints, inspectModels, modelDescription, type Inspected, type InspectOptions, type ModelFacts } from '../src/evaluation/process/index.js';
import type { CheckpointDescription, CheckpointEntry, DatasetEntry, ModelEntry, RecordError } from '../src/evaluation/schema/record.js';
import type { Roots } from './roots.js';

const deepest = 5;
const mostFiles = 500;
const mostFolders = 2000;
const skipped = new Set(['node_modules', 'dist', 'build', '__pycache__']);

interface Found {
  /** Name in a request. */
  name: string;
  file: string;
  bytes: number;
  modified: number;
}
interface Folder {
  name: string;
  file: string;
  files: Found[];
  /** The file that says what language model it holds; null for a folder that holds none. */
  model: Found | null;
}

function failure(answer: Inspected<unknown> | undefined, { file, name }: Found): RecordError | null {
  return answer !== undefined && 'error' in answer ? { code: answer.error.code, message: answer.error.message.replaceAll(file, name) } : null;
}

export class Catalogue {
  readonly #checkpoints = new Map<string, { stamp: string; answer: Inspected<CheckpointDescription> }>();
  readonly #manifests = new Map<string, { stamp: string; answer: boolean }>();
  readonly #models = new Map<string, { stamp: string; answer: Inspected<ModelFacts> }>();
  #walk: { at: number; folders: Promise<Folder[]> } | null = null;

  constructor(private readonly roots: Roots, private readonly inspectOptions: InspectOptions) {}

  async checkpoints(signal: AbortSignal): Promise<{ items: CheckpointEntry[]; truncated: boolean }> {
    const folders = await this.#folders();
    // The weights of a language model are no SAE.
    const all = folders.filter(({ model }) => model === null).flatMap(({ files }) => files).filter(({ name }) => /\.(pt|pth|safetensors|npz)$/.test(name));
    const listed = all.slice(0, mostFiles);
    const answers = await this.#cached(this.#checkpoints, listed, (files) => inspectCheckpoints(files, { ...this.inspectOptions, signal }));
    return {
      truncated: all.length > listed.length,
      items: listed.map((found, index): CheckpointEntry => {
        const { name, bytes, modified } = found;
        const answer = answers[index];
        const described = answer !== undefined && 'ok' in answer ? answer.ok : null;
        const { format = null, candidates = [], d = null, m = null, routedLayers = null } = described ?? {};
        return { path: name, bytes, modifiedAt: new Date(modified).toISOString(), format, candidates, d, m, routedLayers, error: failure(answer, found) };
      }),
    };
  }

  async models(signal: AbortSignal): Promise<{ items: ModelEntry[]; truncated: boolean }> {
    const below = (await this.#folders()).flatMap(({ name, file, model }) => (model === null ? [] : [{ name, file, bytes: 0, modified: model.modified, source: 'root' as const }]));
    const all = [...below, ...(await this.#cachedModels())];
    const listed = all.slice(0, mostFiles);
    const answers = await this.#cached(this.#models, listed, (files) => inspectModels(files, { ...this.inspectOptions, signal }));
    return {
      truncated: all.length > listed.length,
      items: listed.map((found, index): ModelEntry => {
        const { name, source } = found;
        const answer = answers[index];
        const facts = answer !== undefined && 'ok' in answer ? answer.ok : null;
        const { family = null, layers = null, width = null, vocabulary = null, maxPositions = null } = facts ?? {};
        return { path: name, source, family, layers, width, vocabulary, maxPositions, error: failure(answer, found) };
      }),
    };
  }

  /** Folders with text files, and the files: those that naming the folder would read. */
  async datasets(): Promise<{ items: DatasetEntry[]; truncated: boolean }> {
    const items = (await this.#folders()).flatMap(({ name, files }): DatasetEntry[] => {
      const texts = textExtensions.map((extensions) => files.filter((entry) => extensions.some((extension) => entry.name.endsWith(extension)))).find((found) => found.length > 0);
      if (texts === undefined) return [];
      const each = texts.map((entry) => ({ path: entry.name, files: 1, bytes: entry.bytes }));
      return [{ path: name, files: texts.length, bytes: texts.reduce((sum, { bytes }) => sum + bytes, 0) }, ...each];
    });
    return { items: items.slice(0, mostFiles), truncated: items.length > mostFiles };
  }

  /** Answers for files, from memory where a file has not changed. */
  async #cached<T>(memory: Map<string, { stamp: string; answer: T }>, files: readonly Found[], read: (files: string[]) => Promise<T[]>): Promise<(T | undefined)[]> {
    const stampOf = ({ bytes, modified }: Found): string => `${bytes} ${modified}`;
    const missing = files.filter((file) => memory.get(file.file)?.stamp !== stampOf(file));
    if (missing.length > 0) {
      const answers = await read(missing.map(({ file }) => file));
      missing.forEach((file, index) => memory.set(file.file, { stamp: stampOf(file), answer: answers[index]! }));
    }
    return files.map(({ file }) => memory.get(file)?.answer);
  }

  /** Whether a manifest is that of a TorchScript model: the one thing read here, once for each state of the file. */
  async #describesProgram(folder: string, manifest: Found): Promise<boolean> {
    const [answer] = await this.#cached(this.#manifests, [manifest], async () => [await hasScriptManifest(folder).catch(() => false)]);
    return answer === true;
  }

  /** All folders under the roots; looked at again after two seconds. */
  #folders(): Promise<Folder[]> {
    if (this.#walk === null || Date.now() - this.#walk.at > 2000) this.#walk = { at: Date.now(), folders: this.#walkRoots() };
    return this.#walk.folders;
  }

  async #walkRoots(): Promise<Folder[]> {
    const folders: Folder[] = [];
    const seen = new Set<string>();
    for (const root of this.roots.folders) {
      const waiting: { path: string; depth: number }[] = [{ path: root, depth: 0 }];
      for (let next = waiting.shift(); next !== undefined && folders.length < mostFolders; next = waiting.shift()) {
        const { path, depth } = next;
        const name = relative(root, path) || '.';
        const files: Found[] = [];
        for (const entry of await entriesOf(path)) {
          const file = join(path, entry.name);
          const entryName = relative(root, file);
          // Links are left out: where they lead is checked when a request names them.
          if (entry.isDirectory() && depth < deepest && !skipped.has(entry.name) && !entry.name.startsWith('.')) waiting.push({ path: file, depth: depth + 1 });
          if (!entry.isFile() || seen.has(entryName)) continue;
          const facts = await stat(file).catch(() => null);
          if (facts === null) continue;
          seen.add(entryName);
          files.push({ name: entryName, file, bytes: facts.size, modified: facts.mtimeMs });
        }
        const named = (wanted: string | null): Found | undefined => files.find((found) => basename(found.file) === wanted);
        const model = await modelDescription(files.map((found) => basename(found.file)), () => this.#describesProgram(path, named('manifest.json')!));
        folders.push({ name, file: path, files, model: named(model) ?? null });
      }
    }
    return folders;
  }

  async #cachedModels(): Promise<(Found & { source: 'hugging-face' })[]> {
    const names = (await entriesOf(this.roots.hub)).flatMap(({ name }) => (name.startsWith('models--') ? [name.slice('models--'.length).replace('--', '/')] : []));
    return names.flatMap((name) => {
      const file = this.roots.cachedModel(name);
      return file === null ? [] : [{ name, file, bytes: 0, modified: 0, source: 'hugging-face' as const }];
    });
  }
}

async function entriesOf(path: string): Promise<Dirent[]> {
  try {
    return (await readdir(path, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch {
    return [];
  }
}
