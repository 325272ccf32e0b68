/**
 * Attempts at shards, as files in the folder of a run: one for each that was begun and has not
 * ended well. What a killed worker leaves is counted by them, whatever becomes of the queue.
 *
 *     attempts/00012.WORKER.json
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { SerializedError } from '../../src/errors.js';
import { serializedErrorSchema } from '../../src/evaluation/request/path-table.js';

const attemptSchema = z.object({
  shard: z.number().int().nonnegative(),
  worker: z.string().max(200),
  host: z.string().max(500),
  device: z.string().max(50),
  /** Why it failed; null if it was begun and nothing more is known. */
  error: serializedErrorSchema.nullable(),
});
export type Attempt = z.infer<typeof attemptSchema> & { name: string };

const folderOf = (run: string): string => join(run, 'attempts');
/** Bytes of a file, at most: others may write there. */
const mostFiles = 10_000;

/** An attempt that this process makes. */
export class OwnAttempt {
  readonly #path: string;
  static #count = 0;

  constructor(
    run: string,
    private readonly facts: Omit<Attempt, 'error' | 'name'>,
  ) {
    mkdirSync(folderOf(run), { recursive: true });
    const shard = String(facts.shard).padStart(5, '0');
    this.#path = join(folderOf(run), `${shard}.${facts.worker}-${OwnAttempt.#count++}.json`);
    this.#write(null);
  }

  /** It ended well: the shard is there, or was given back. */
  end(): void {
    rmSync(this.#path, { force: true });
  }

  fail(error: SerializedError): void {
    this.#write(error);
  }

  #write(error: SerializedError | null): void {
    const part = `${this.#path}.part`;
    writeFileSync(part, JSON.stringify({ ...this.facts, error }));
    renameSync(part, this.#path);
  }
}

/** The attempts of a run that have not ended well. */
export function attemptsOf(run: string): Attempt[] {
  let names: string[];
  try {
    names = readdirSync(folderOf(run));
  } catch {
    return [];
  }
  return names
    .filter((name) => name.endsWith('.json'))
    .sort()
    .slice(0, mostFiles)
    .flatMap((name): Attempt[] => {
      try {
        const text = readFileSync(join(folderOf(run), name), 'utf8');
        const parsed = attemptSchema.safeParse(JSON.parse(text));
        return parsed.success ? [{ ...parsed.data, name }] : [];
      } catch {
        return []; // It has ended meanwhile.
      }
    });
}
