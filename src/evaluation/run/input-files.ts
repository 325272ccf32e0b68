/**
 * The files of a run, and whether they stay what they were. A run reads its settings once, its text
 * piece by piece, and its weights through mappings, for as long as it lasts: a file that is written
 * in place meanwhile would give numbers of two files.
 */
import { dirname, join } from 'node:path';
import { filesOf } from '../../checkpoint/parts.js';
import { listFiles } from '../../data/index.js';
import { asSaeEvalError, SaeEvalError } from '../../errors.js';
import { namesIn } from '../../files/index.js';
import { modelFiles } from '../../lm/index.js';
import type { RunConfig } from '../../schema/index.js';
import type { ValidatedRequest } from '../request/resolve.js';
import {
  fileContent,
  fileTimes,
  hasContent,
  hashedWhole,
  sameTimes,
  type FileContent,
  type FileTimes,
} from './file-content.js';

/**
 * `settings`: in memory once the run has loaded; `weights`: mapped, or copied to a device; `text`:
 * read as it goes.
 */
type Use = 'settings' | 'weights' | 'text';

interface InputFile {
  /** As the request names it. */
  name: string;
  use: Use;
  content: FileContent;
}

/** Milliseconds between looks at the files, at least. A look costs a few microseconds for each. */
const betweenLooks = 1000;
/** Part of the time that looking may take. */
const partOfTime = 0.01;
/** Bytes that a run hashes before it begins, beside samples of large files: 0.3 s on one core. */
const hashedInAll = 512 * 2 ** 20;
/** Files of a folder that are remembered before they are read. */
const mostSeen = 10_000;

export class InputFiles {
  /** Times of files before anything of them was read. */
  readonly #seen = new Map<string, FileTimes>();
  /** Paths of the request, with the file system's. */
  readonly #names = new Map<string, string>();
  #files: InputFile[] = [];
  #nextLook = -Infinity;
  #readsWeights = true;

  /** Remembers how a file, or the files of a folder, are now: call it before any is read. */
  see(path: string, name: string): void {
    this.#names.set(path, name);
    const files = [path];
    try {
      for (const entry of namesIn(path).slice(0, mostSeen)) files.push(join(path, entry));
    } catch {
      // a file; or it cannot be read, which whoever reads it tells
    }
    for (const file of files) {
      const times = fileTimes(file);
      if (times !== null) this.#seen.set(file, times);
    }
  }

  /** Takes the content of every file that the request reads. @throws SaeEvalError. */
  async take({ model, saes, paths, request }: ValidatedRequest): Promise<void> {
    const { settings, weights } = modelFiles(model);
    const uses = new Map<string, Use>();
    const add = (files: readonly string[], use: Use): void => {
      for (const file of files) uses.set(file, use);
    };
    add(settings, 'settings');
    for (const { description } of saes) {
      const { checkpoint, configPath } = description;
      if (configPath !== null) add([configPath], 'settings');
      add(filesOf(checkpoint), 'weights');
    }
    add(weights, 'weights');
    const { split = null } = request.dataset;
    const texts = await listFiles(paths.dataset, { split });
    add(
      texts.map(({ path }) => path),
      'text',
    );
    for (const [index, path] of paths.probes.entries()) {
      const own = await listFiles(path, { split: request.probes![index]!.split ?? null });
      add(
        own.map((file) => file.path),
        'text',
      );
    }
    let budget = hashedInAll;
    this.#files = [...uses].flatMap(([path, use]): InputFile[] => {
      const times = this.#seen.get(path) ?? fileTimes(path);
      if (times === null) return []; // whoever reads it tells
      const name = this.#nameOf(path);
      const whole = times.size <= Math.min(hashedWhole, budget);
      if (whole) budget -= times.size;
      try {
        return [{ name, use, content: fileContent(path, { times, whole }) }];
      } catch (thrown) {
        throw asSaeEvalError(thrown, name);
      }
    });
  }

  #nameOf(path: string): string {
    for (let folder = path; ; folder = dirname(folder)) {
      const name = this.#names.get(folder);
      if (name !== undefined) return `${name}${path.slice(folder.length)}`;
      if (folder === dirname(folder)) return path;
    }
  }

  /** The files with their digests, for a result. */
  get listing(): NonNullable<RunConfig['files']> {
    return this.#files.map(({ name, use, content: { digest, whole, blob, times } }) => ({
      path: name,
      use,
      bytes: times.size,
      ...(whole || blob !== null ? { sha256: blob ?? digest } : { sampled: digest }),
    }));
  }

  /** Contents of the files, for a journal. */
  get contents(): readonly FileContent[] {
    return this.#files.map(({ content }) => content);
  }

  /** Names of the files that are not, or no longer, what the journal of an earlier part says. */
  changedSince(earlier: readonly FileContent[]): string[] {
    const now = new Map(this.#files.map(({ name, content }) => [content.path, { name, content }]));
    const names = earlier.flatMap((content) => {
      const found = now.get(content.path);
      return found !== undefined && hasContent(content.path, content)
        ? []
        : [found?.name ?? this.#nameOf(content.path)];
    });
    const known = new Set(earlier.map(({ path }) => path));
    return [
      ...names,
      ...this.#files.flatMap(({ name, content }) => (known.has(content.path) ? [] : [name])),
    ];
  }

  /**
   * Checks that the files are what they were; `loading`: that all were while the run loaded,
   * otherwise that those are which it still reads.
   * @throws SaeEvalError `input-changed`.
   */
  check({ loading = false }: { loading?: boolean } = {}): void {
    const began = performance.now();
    for (const file of this.#files)
      if ((loading || this.#isRead(file)) && !isUnchanged(file, loading))
        throw new SaeEvalError(
          'input-changed',
          `${file.name} changed during the evaluation, whose numbers would be of two files. ` +
            'Evaluate again; a file that is written while it is read should be written under ' +
            'another name and then renamed, or be copied first.',
        );
    const now = performance.now();
    this.#nextLook = now + Math.max(betweenLooks, (now - began) / partOfTime);
  }

  /** Whether a file is read after the run has loaded. */
  #isRead({ use }: InputFile): boolean {
    return use === 'text' || (use === 'weights' && this.#readsWeights);
  }

  /** To be called when all weights are on a device: their files may change then. */
  weightsAreCopied(): void {
    this.#readsWeights = false;
  }

  /** {@link check}, if the last one was a while ago. */
  checkNowAndThen(): void {
    if (performance.now() >= this.#nextLook) this.check();
  }
}

function isUnchanged({ use, content }: InputFile, loading: boolean): boolean {
  const { path, times: before } = content;
  const times = fileTimes(path);
  if (times !== null && sameTimes(times, before)) return true;
  // A mapping stays with the file that was opened if another one takes its name.
  if (use === 'weights' && !loading && times?.inode !== before.inode) return true;
  if (!hasContent(path, content)) return false;
  // Equal bytes with other times, as after `touch`: the next look is quick again.
  if (times !== null) content.times = times;
  return true;
}
