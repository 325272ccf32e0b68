/** API keys that a server accepts. Keys are compared in constant time. */
import { timingSafeEqual } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { SaeEvalError } from '../../src/errors.js';
import { digest, environmentLabel, readKeyFile } from './key-file.js';
import type { Role } from '../../src/schema/caller.js';

/** A key that is accepted now. */
export interface KnownKey {
  label: string;
  role: Role;
  /** Aborts when the key is revoked or expires. */
  revoked: AbortSignal;
}

interface Entry extends KnownKey {
  hash: Buffer;
  /** Milliseconds since 1970. */
  expiresAt: number;
  controller: AbortController;
}

function entryOf(key: Pick<Entry, 'label' | 'role' | 'hash' | 'expiresAt'>): Entry {
  const controller = new AbortController();
  // Each open stream of the key listens.
  setMaxListeners(0, controller.signal);
  return { ...key, controller, revoked: controller.signal };
}

/** Milliseconds between two looks at the file. */
const betweenLooks = 1000;

/** Keys of the file and of the environment. A changed file is read again within a second. */
export class KeyRing {
  #fromFile: Entry[] = [];
  readonly #single: Entry[];
  #stamp = '';
  #checked = -Infinity;
  #isFaulty = false;
  /** Called once if the file becomes unusable; the keys read earlier stay valid. */
  onFault: (error: unknown) => void = () => {};
  /** Called when the labels of the file may have changed. */
  onChange: () => void = () => {};

  constructor(
    private readonly file: string | undefined,
    single: string | undefined,
  ) {
    this.#single =
      single === undefined
        ? []
        : [
            entryOf({
              label: environmentLabel,
              role: 'admin',
              hash: digest(single),
              expiresAt: Infinity,
            }),
          ];
    if (file !== undefined) this.#load(file);
  }

  /** Whether calls need a key, even if the file has none yet. */
  get required(): boolean {
    return this.file !== undefined || this.#single.length > 0;
  }

  /** Whether some key, valid or expired, has this label: its evaluations go on. */
  hasLabel(label: string): boolean {
    return [...this.#single, ...this.#fromFile].some((entry) => entry.label === label);
  }

  /** The key, or null if it is unknown, revoked or expired. */
  find(key: string): KnownKey | null {
    this.refresh();
    const hash = digest(key);
    // It may have been added since the last look.
    let found = this.#entryOf(hash);
    if (found === null) {
      this.refresh({ atOnce: true });
      found = this.#entryOf(hash);
    }
    return found === null || found.revoked.aborted ? null : found;
  }

  #entryOf(hash: Buffer): Entry | null {
    let found: Entry | null = null;
    for (const known of [...this.#single, ...this.#fromFile])
      if (timingSafeEqual(known.hash, hash)) found = known;
    return found;
  }

  /** Label of a key; null if the key is unknown. */
  labelOf(key: string): string | null {
    return this.find(key)?.label ?? null;
  }

  /** Reads a changed file, and revokes what is gone or has expired; at most once a second. */
  refresh({ atOnce = false }: { atOnce?: boolean } = {}): void {
    const now = performance.now();
    if (!atOnce && now - this.#checked < betweenLooks) return;
    this.#checked = now;
    if (this.file !== undefined)
      try {
        if (this.#isFaulty || stampOf(this.file) !== this.#stamp) this.#load(this.file);
        this.#isFaulty = false;
      } catch (error) {
        if (!this.#isFaulty) this.onFault(error);
        this.#isFaulty = true;
      }
    // Wall time: the date is one for people.
    for (const { expiresAt, controller } of this.#fromFile)
      if (Date.now() >= expiresAt) controller.abort(revoked('has expired'));
  }

  #load(file: string): void {
    if (!existsSync(file))
      throw new SaeEvalError(
        'configuration-invalid',
        `There is no file of API keys at ${file}; create it with \`sae-eval keys add LABEL\`.`,
      );
    const stamp = stampOf(file);
    const before = this.#fromFile;
    this.#fromFile = readKeyFile(file).keys.map(({ label, sha256, role = 'submit', expiresAt }) => {
      const hash = Buffer.from(sha256, 'hex');
      const expires = expiresAt === undefined ? Infinity : Date.parse(expiresAt);
      const kept = before.find(
        (entry) => entry.hash.equals(hash) && entry.label === label && entry.role === role,
      );
      return kept === undefined || kept.revoked.aborted
        ? entryOf({ label, role, hash, expiresAt: expires })
        : Object.assign(kept, { expiresAt: expires });
    });
    this.#stamp = stamp;
    for (const entry of before)
      if (!this.#fromFile.includes(entry)) entry.controller.abort(revoked('was revoked'));
    this.onChange();
  }
}

function stampOf(file: string): string {
  const { mtimeMs, size, ino } = statSync(file);
  return `${mtimeMs} ${size} ${ino}`;
}

const revoked = (what: string): SaeEvalError =>
  new SaeEvalError('unauthorized', `The API key ${what}.`);
