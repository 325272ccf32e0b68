/**
 * Keeps loaded models and SAEs between runs, up to a number of bytes. The entry used longest ago
 * goes first; entries in use stay. A file that was replaced is loaded again.
 */
import { fileIdentity } from './file-identity.js';

/** Contents and history of a cache. */
export interface CacheCounts {
  /** Bytes of all entries, kept or in use. */
  bytes: number;
  entries: number;
  /** Number of loans served from the cache. */
  hits: number;
  /** Number of loans that loaded something. */
  loads: number;
  /** Number of entries freed for want of room or because their file had changed. */
  evictions: number;
}

/** File of an entry and the way it is loaded. */
export interface Source {
  /** A file, or the folder of its files. */
  path: string;
  /**
   * Settings that tell two loads of the same file apart, such as the device and the dtype.
   */
  options: unknown;
}

/** A loaded value; the cache owns it. */
export interface Loaded<T> {
  value: T;
  bytes: number;
  dispose(): void;
}

interface Entry extends Loaded<unknown> {
  key: string;
  path: string;
  identity: string | null;
  users: number;
}

/** Loans of one run. Nothing borrowed is freed before {@link Loans.release}. */
export interface Loans {
  /** Remembers which file lies at a path now: call it before anything of the file is read. */
  see(path: string): void;
  /** The value of a source, kept from before or loaded now. It belongs to the cache. */
  borrow<T>(source: Source, load: () => Loaded<T>): T;
  /** {@link borrow} for sources that load asynchronously. */
  borrowLater<T>(source: Source, load: () => Promise<Loaded<T>>): Promise<T>;
  /** Gives everything back. */
  release(): void;
}

/**
 * A cache with a limit of 0 bytes keeps nothing: a borrowed value is freed when its run gives it
 * back.
 */
export class WeightCache {
  /** Entries in the order of their last use. */
  readonly #kept = new Map<string, Entry>();
  /** Entries that have left the cache and are still in use. */
  readonly #leaving = new Set<Entry>();
  #limit: number;
  #hits = 0;
  #loads = 0;
  #evictions = 0;

  constructor({ limitBytes = 0 }: { limitBytes?: number } = {}) {
    this.#limit = limitBytes;
  }

  get limitBytes(): number {
    return this.#limit;
  }

  set limitBytes(bytes: number) {
    this.#limit = bytes;
    this.#shrinkTo(bytes);
  }

  counts(): CacheCounts {
    const all = [...this.#kept.values(), ...this.#leaving];
    return {
      bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
      entries: all.length,
      hits: this.#hits,
      loads: this.#loads,
      evictions: this.#evictions,
    };
  }

  /** Whether a source is there, in use or not. */
  holds(source: Source): boolean {
    return this.#kept.has(keyOf(source));
  }

  /** Frees everything that is not in use. Returns the number of bytes. */
  clear(): number {
    const before = this.counts().bytes;
    this.#shrinkTo(0);
    return before - this.counts().bytes;
  }

  /** Begins a run. What changed on disk since it was loaded is freed first. */
  open(): Loans {
    // A file that cannot be read counts as changed.
    for (const entry of [...this.#kept.values()])
      if (entry.identity === null || fileIdentity(entry.path) !== entry.identity)
        this.#remove(entry);
    const borrowed = new Set<Entry>();
    const seen = new Map<string, string | null>();
    const identityOf = (path: string): string | null => seen.get(path) ?? fileIdentity(path);
    const found = (key: string): Entry | undefined => {
      const entry = this.#kept.get(key);
      if (entry === undefined) return undefined;
      this.#hits += 1;
      this.#use(entry, borrowed);
      return entry;
    };
    return {
      see: (path) => void seen.set(path, fileIdentity(path)),
      borrow: <T>(source: Source, load: () => Loaded<T>): T => {
        const key = keyOf(source);
        const entry =
          found(key) ??
          this.#add(
            { key, path: source.path, identity: identityOf(source.path), ...load() },
            borrowed,
          );
        return entry.value as T;
      },
      borrowLater: async <T>(source: Source, load: () => Promise<Loaded<T>>): Promise<T> => {
        const key = keyOf(source);
        // Before loading: a file that is replaced meanwhile will not look like the one that was
        // read.
        const identity = identityOf(source.path);
        const entry =
          found(key) ??
          this.#add({ key, path: source.path, identity, ...(await load()) }, borrowed);
        return entry.value as T;
      },
      release: () => {
        for (const entry of borrowed) this.#giveBack(entry);
        borrowed.clear();
        this.#shrinkTo(this.#limit);
      },
    };
  }

  #add(loaded: Omit<Entry, 'users'>, borrowed: Set<Entry>): Entry {
    const before = this.#kept.get(loaded.key);
    if (before !== undefined) this.#remove(before);
    const entry: Entry = { ...loaded, users: 0 };
    this.#loads += 1;
    this.#kept.set(entry.key, entry);
    this.#use(entry, borrowed);
    this.#shrinkTo(this.#limit);
    return entry;
  }

  #use(entry: Entry, borrowed: Set<Entry>): void {
    if (!borrowed.has(entry)) entry.users += 1;
    borrowed.add(entry);
    this.#kept.delete(entry.key);
    this.#kept.set(entry.key, entry);
  }

  #giveBack(entry: Entry): void {
    entry.users -= 1;
    if (entry.users === 0 && this.#leaving.delete(entry)) entry.dispose();
  }

  #shrinkTo(limit: number): void {
    let { bytes } = this.counts();
    for (const entry of [...this.#kept.values()]) {
      if (bytes <= limit) return;
      if (entry.users > 0) continue;
      bytes -= entry.bytes;
      this.#remove(entry);
    }
  }

  #remove(entry: Entry): void {
    this.#evictions += 1;
    this.#kept.delete(entry.key);
    if (entry.users > 0) this.#leaving.add(entry);
    else entry.dispose();
  }
}

function keyOf({ path, options }: Source): string {
  return JSON.stringify([path, options]);
}
