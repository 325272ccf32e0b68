/**
 * Confines the paths of requests to the root folders. A path is checked as text first, so that
 * nothing outside the roots is touched. Its target, symbolic links followed, must lie below a root
 * too.
 */
import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, normalize, relative, resolve } from 'node:path';
import { asSaeEvalError, SaeEvalError } from '../src/errors.js';
import type { PathTable } from '../src/evaluation/request/path-table.js';
import { entriesLater, isBelow, leadsOutside, leavesOnItsWay } from '../src/files/index.js';
import {
  findInHubCache,
  hubCacheFolder,
  repositoryFolder,
  type HubThing,
} from '../src/hub-cache.js';
import { fetchAdvice } from '../src/missing-path.js';
import { nearestName } from '../src/nearest-name.js';
import type { ResolvedRequest } from '../src/schema/request.js';

/**
 * Refuses pipes, sockets and devices: opening a pipe can wait for ever.
 *
 * @throws SaeEvalError `file-unreadable` if the path is neither a file nor a folder.
 */
async function ordinary(real: string, path: string): Promise<{ isFolder: boolean }> {
  const facts = await stat(real);
  if (!facts.isFile() && !facts.isDirectory())
    throw new SaeEvalError(
      'file-unreadable',
      `'${path}': expected a file or a folder, found a pipe, a socket or a device.`,
    );
  return { isFolder: facts.isDirectory() };
}

/** Configuration files of published SAEs, beside the weights or one folder above. */
const settingsFiles = ['cfg.json', 'config.json', 'hyperparams.json'];

/** The error with the command that fetches what may be a repository of the hub. */
function withAdvice(thrown: unknown, path: string, hub: HubThing): unknown {
  const { code, message } = asSaeEvalError(thrown, path);
  const isMissing = code === 'file-not-found' && !message.includes('did you mean');
  const advice = isMissing ? fetchAdvice(path, hub) : '';
  return advice === '' ? thrown : new SaeEvalError(code, message.replace(/\.$/, '') + advice);
}

export class Roots {
  /** Folder of the Hugging Face cache. */
  readonly hub: string;

  /** @param folders real paths; the first one that has a path wins. */
  constructor(
    readonly folders: readonly string[],
    { hub = hubCacheFolder() }: { hub?: string } = {},
  ) {
    this.hub = hub;
  }

  /**
   * The real path of a file or folder in a request. `contents`: whether the files of a folder will
   * be read too.
   *
   * @throws SaeEvalError `path-outside-roots`, `file-not-found`, `file-unreadable`.
   */
  async resolve(path: string, { contents = false }: { contents?: boolean } = {}): Promise<string> {
    if (path === '' || path.includes('\0'))
      throw new SaeEvalError('path-outside-roots', 'A path is empty or holds a NUL character.');
    const candidates = this.folders.flatMap((root) => {
      const candidate = isAbsolute(path) ? normalize(path) : resolve(root, path);
      return isBelow(root, candidate) ? [candidate] : [];
    });
    if (candidates.length === 0) throw leadsOutside(path);
    for (const candidate of candidates) {
      const real = await this.#real(candidate, path);
      if (real === null) continue;
      const { isFolder } = await ordinary(real, path);
      if (contents && isFolder) await this.#checkContents(real, path);
      return real;
    }
    throw new SaeEvalError(
      'file-not-found',
      `'${path}' does not exist below ` +
        (this.folders.length === 1
          ? "the server's root folder"
          : `any of the server's ${this.folders.length} root folders`) +
        ((await this.#meant(path, candidates)) ?? '.'),
    );
  }

  /** Question for the neighbor of a missing path that was probably meant; null without one. */
  async #meant(path: string, candidates: readonly string[]): Promise<string | null> {
    for (const folder of new Set(candidates.map((candidate) => dirname(candidate)))) {
      if (!this.folders.some((root) => isBelow(root, folder))) continue;
      const real = await this.#real(folder, path).catch(() => null);
      const entries =
        real === null ? [] : await entriesLater(real, { within: this.folders }).catch(() => []);
      const visible = entries.map(({ name }) => name).filter((name) => !name.startsWith('.'));
      const meant = nearestName(basename(path), visible);
      if (meant !== null) return `; did you mean '${join(dirname(path), meant)}'?`;
    }
    return null;
  }

  /** Folder of a model: below a root, or `org/name` in the local Hugging Face cache. */
  async resolveModel(path: string): Promise<string> {
    return this.#orCached(path, 'model', () => this.resolve(path, { contents: true }));
  }

  /** A file or folder of text: below a root, or in the cache. */
  async resolveDataset(path: string): Promise<string> {
    return this.#orCached(path, 'dataset', () => this.resolve(path, { contents: true }));
  }

  /** Path of a checkpoint: below a root, or in the cache. */
  async resolveCheckpoint(path: string): Promise<string> {
    return this.#orCached(path, 'SAE', () => this.#resolveCheckpoint(path));
  }

  /**
   * Where a pattern or folder of checkpoints begins, and the real paths of the folders that may be
   * read from there.
   */
  async resolveStart(path: string): Promise<{ real: string; within: string[] }> {
    const real = await this.#orCached(path, 'SAE', () => this.resolve(path));
    if (this.folders.some((root) => isBelow(root, real)))
      return { real, within: [...this.folders] };
    return { real, within: [await realpath(this.#repository(path, 'SAE'))] };
  }

  /** Real paths of the folders in which the files of a path may lie, or of any without one. */
  async within(path?: string): Promise<string[]> {
    if (path !== undefined && this.folders.some((root) => isBelow(root, path)))
      return [...this.folders];
    const hub = await realpath(this.hub).catch(() => null);
    if (path !== undefined && hub !== null && isBelow(hub, path)) return [hub];
    return hub === null ? [...this.folders] : [...this.folders, hub];
  }

  #repository(path: string, thing: HubThing): string {
    return repositoryFolder(path, { hub: this.hub, thing })!;
  }

  /** The path that `body` finds; if it finds none, the Hugging Face cache's of that name. */
  async #orCached(path: string, thing: HubThing, body: () => Promise<string>): Promise<string> {
    try {
      return await body();
    } catch (thrown) {
      const cached =
        thrown instanceof SaeEvalError && thrown.code === 'file-not-found'
          ? await this.#cached(path, thing)
          : null;
      if (cached !== null) return cached;
      throw withAdvice(thrown, path, thing);
    }
  }

  async #cached(path: string, thing: HubThing): Promise<string | null> {
    const cached = findInHubCache(path, { hub: this.hub, thing });
    if (cached === null) return null;
    const place = this.#repository(path, thing);
    const repository = await realpath(place);
    const found = join(repository, relative(place, cached));
    if (thing === 'model') return found;
    // A snapshot's files are links to the blobs of its repository, and lead nowhere else.
    const names = (await stat(found)).isDirectory() ? await readdir(found) : [];
    for (const one of [found, ...names.map((name) => join(found, name))]) {
      const real = await realpath(one);
      if (!isBelow(repository, real)) throw leadsOutside(path);
      await ordinary(real, path);
    }
    return found;
  }

  /**
   * Path of a checkpoint file or of a folder with a published SAE. The weights and configurations
   * that are read with it must not lead outside either.
   */
  async #resolveCheckpoint(path: string): Promise<string> {
    const real = await this.resolve(path, { contents: true });
    const isFolder = (await stat(real)).isDirectory();
    const places = isFolder
      ? [join(real, 'checkpoints', 'final.safetensors')]
      : [
          `${real}.json`,
          ...[dirname(real), dirname(dirname(real))].flatMap((folder) =>
            settingsFiles.map((name) => join(folder, name)),
          ),
        ];
    // Nothing above a root is read, so links there are not followed.
    for (const place of places)
      if (this.folders.some((root) => isBelow(root, place))) await this.#real(place, path);
    return real;
  }

  /**
   * Every path of a request with its real path, or the error of resolving it, for the process that
   * reads the files.
   */
  async table(request: ResolvedRequest): Promise<NonNullable<PathTable>> {
    const table = new Map<string, NonNullable<PathTable>[number]>();
    const add = async (
      name: string,
      thing: HubThing,
      body: (name: string) => Promise<string>,
    ): Promise<void> => {
      const key = `${thing} ${name}`;
      if (table.has(key)) return;
      try {
        const path = await body(name);
        table.set(key, { name, thing, path, within: await this.within(path) });
      } catch (thrown) {
        table.set(key, { name, thing, error: asSaeEvalError(thrown, name).toJSON() });
      }
    };
    for (const { checkpoint } of request.saes)
      await add(checkpoint, 'SAE', (name) => this.resolveCheckpoint(name));
    await add(request.dataset.path, 'dataset', (name) => this.resolveDataset(name));
    for (const { path } of request.probes ?? [])
      await add(path, 'dataset', (name) => this.resolveDataset(name));
    await add(request.model, 'model', (name) => this.resolveModel(name));
    return [...table.values()];
  }

  async #real(candidate: string, path: string): Promise<string | null> {
    let real: string;
    try {
      real = await realpath(candidate);
    } catch (thrown) {
      const code = (thrown as NodeJS.ErrnoException).code;
      // Nobody learns whether there is anything outside.
      if (leavesOnItsWay(candidate, this.folders)) throw leadsOutside(path);
      if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP' || code === 'ENAMETOOLONG')
        return null;
      throw new SaeEvalError('file-unreadable', `'${path}' cannot be read (${code}).`, {
        cause: thrown,
      });
    }
    if (!this.folders.some((root) => isBelow(root, real))) throw leadsOutside(path);
    return real;
  }

  /** Checks the files of a folder: no link leads outside, and none is a pipe. */
  async #checkContents(real: string, path: string): Promise<void> {
    for (const entry of await readdir(real, { withFileTypes: true })) {
      const name = `${path}/${entry.name}`;
      const target = entry.isSymbolicLink()
        ? await this.#real(join(real, entry.name), name)
        : join(real, entry.name);
      if (target !== null && !entry.isFile() && !entry.isDirectory()) await ordinary(target, name);
    }
  }
}
