/**
 * Faults of the operating system in processes of a test: a small library (system-faults.c) is built
 * into a temporary folder and preloaded. Without a C compiler the tests are skipped, which they
 * say.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';

export type Call =
  'open' | 'write' | 'fsync' | 'truncate' | 'rename' | 'unlink' | 'mkdir' | 'link' | 'any';

export interface Fault {
  call: Call;
  /** Pattern of fnmatch for the whole path. */
  path: string;
  /** The first call that meets it; default 1. */
  first?: number;
  /** Number of calls that meet it; default `for ever`. */
  count?: number | 'for ever';
  /** Fault that happens: an error by its name, SIGKILL, or milliseconds of delay. */
  then: ErrorName | 'kill before' | 'kill after' | number;
}

export const errorNumbers = {
  EIO: constants.errno.EIO,
  EROFS: constants.errno.EROFS,
  EDQUOT: constants.errno.EDQUOT,
  ENOSPC: constants.errno.ENOSPC,
  ESTALE: constants.errno.ESTALE,
  EMFILE: constants.errno.EMFILE,
} as const;
export type ErrorName = keyof typeof errorNumbers;
export const errorNames = Object.keys(errorNumbers) as ErrorName[];

function lineOf({ call, path, first = 1, count = 'for ever', then }: Fault): string {
  const action =
    typeof then === 'number'
      ? `delay ${then}`
      : then.startsWith('kill')
        ? then
        : `error ${errorNumbers[then as ErrorName]}`;
  return `${call} ${path} ${first} ${count === 'for ever' ? 0 : count} ${action}\n`;
}

let library: string | null | undefined;

/** Path of the library, built once; null if there is no compiler or the system is another. */
export function faultLibrary(): string | null {
  if (library !== undefined) return library;
  library = null;
  if (process.platform !== 'linux') return null;
  const folder = mkdtempSync(join(tmpdir(), 'sae-eval-faults-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const built = join(folder, 'system-faults.so');
  const source = join(import.meta.dirname, 'system-faults.c');
  const args = ['-O1', '-shared', '-fPIC', '-o', built, source, '-ldl', '-lpthread'];
  for (const compiler of [process.env['CC'] ?? 'cc', 'gcc', 'clang'])
    if (spawnSync(compiler, args, { stdio: 'ignore' }).status === 0) return (library = built);
  console.warn('Faults of the system are not tested: there is no C compiler.');
  return null;
}

/** Faults of the processes that are started with {@link environment}. */
export class SystemFaults {
  readonly #rules: string;
  readonly #log: string;

  /** @param logged pattern of the paths whose calls are logged. */
  constructor(
    folder: string,
    private readonly logged = '',
  ) {
    this.#rules = join(folder, 'system-faults');
    this.#log = join(folder, 'system-faults.log');
  }

  get environment(): Record<string, string> {
    return {
      LD_PRELOAD: faultLibrary()!,
      // The library is in the children too, whose environment has only what is on a list.
      SAE_EVAL_PASS_ENV: 'SYSTEM_FAULTS*',
      SYSTEM_FAULTS: this.#rules,
      SYSTEM_FAULTS_LOG: this.#log,
      SYSTEM_FAULTS_LOGGED: this.logged,
    };
  }

  /** Replaces the faults; running processes meet the new ones from their next call on. */
  set(faults: readonly Fault[], { clock = 0 }: { clock?: number } = {}): void {
    writeFileSync(`${this.#rules}.part`, `${faults.map(lineOf).join('')}clock ${clock}\n`);
    renameSync(`${this.#rules}.part`, this.#rules);
  }

  clear(): void {
    this.set([]);
  }

  /** Calls since the last one of this, as `call path`. */
  takeLog(): string[] {
    if (!existsSync(this.#log)) return [];
    const lines = readFileSync(this.#log, 'utf8').split('\n').slice(0, -1);
    rmSync(this.#log);
    return lines;
  }
}

/** Numbers of 0 to 1, the same for a seed on every machine. */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Some of all, in their order, drawn by a seed. */
export function sample<T>(all: readonly T[], count: number, seed: number): T[] {
  const random = randomNumbers(seed);
  const drawn = all.map((item, index) => ({ item, index, key: random() }));
  return drawn
    .sort((a, b) => a.key - b.key)
    .slice(0, count)
    .sort((a, b) => a.index - b.index)
    .map(({ item }) => item);
}
