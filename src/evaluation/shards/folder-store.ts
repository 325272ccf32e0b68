/**
 * The folder of a run in shards, which is its truth: a shard is done if its file is there. It may
 * lie on a network file system and be used by many processes at once; there are no locks.
 *
 *     plan.json                    which shards there are
 *     tokens/ids.bin               the samples (tokens-file.ts)
 *     decisions.json               what the first process decided for all (decided.ts)
 *     shards/00012.safetensors     the sums of a shard (shard-file.ts)
 *     partial/00012.HOST.journal   the journal of a shard under way
 *     cancel                       the mark that nobody shall compute any more
 */
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { asSaeEvalError, SaeEvalError } from '../../errors.js';
import { DamagedFileError } from '../run/array-file.js';
import { decidedFormat, decidedSchema, type Decided } from './decided.js';
import { planSchema, type ShardPlan } from './plan.js';
import { readShardFile, writeShardFile, type ShardResult } from './shard-file.js';
import { exists, partOf, readIfThere, takeName, writeOnce } from './write-once.js';

const numbered = (index: number): string => String(index).padStart(5, '0');

/** A shard that a process has begun. */
export interface Partial {
  shard: number;
  host: string;
  /** Seconds since it was written, by the clock of the file system. */
  secondsAgo: number;
}

function damaged(path: string, reason: string): SaeEvalError {
  return new SaeEvalError(
    'storage-damaged',
    `${path}: ${reason}. Remove the file; what it held will be computed again.`,
  );
}

function parsedJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw damaged(path, 'it is no JSON');
  }
}

export class FolderStore {
  constructor(readonly folder: string) {}

  get #planPath(): string {
    return join(this.folder, 'plan.json');
  }

  get tokensPath(): string {
    return join(this.folder, 'tokens', 'ids.bin');
  }

  /** Makes the folders. @throws SaeEvalError. */
  open(): void {
    try {
      for (const name of ['shards', 'partial', 'tokens'])
        mkdirSync(join(this.folder, name), { recursive: true });
    } catch (thrown) {
      throw asSaeEvalError(thrown, this.folder);
    }
  }

  /** The plan; null if there is none yet. @throws SaeEvalError `storage-damaged`. */
  plan(): ShardPlan | null {
    const text = readIfThere(this.#planPath);
    if (text === null) return null;
    const parsed = planSchema.safeParse(parsedJson(this.#planPath, text));
    if (parsed.success) return parsed.data;
    const { path, message } = parsed.error.issues[0]!;
    throw damaged(this.#planPath, `it is no plan of this version (${path.join('.')}: ${message})`);
  }

  /** Puts a plan, unless one is there. @returns the plan that is there then. */
  putPlan(plan: ShardPlan): ShardPlan {
    try {
      writeOnce(this.#planPath, `${JSON.stringify(plan)}\n`);
    } catch (thrown) {
      throw asSaeEvalError(thrown, this.#planPath);
    }
    return this.plan()!;
  }

  #decidedPath(group: number): string {
    return join(this.folder, group === 0 ? 'decisions.json' : `decisions.${group}.json`);
  }

  /** The decisions for a group of SAEs; null if nobody has decided. */
  decided(group: number): Decided | null {
    const path = this.#decidedPath(group);
    const text = readIfThere(path);
    if (text === null) return null;
    const parsed = decidedSchema.safeParse(parsedJson(path, text));
    if (!parsed.success) throw damaged(path, 'it holds no decisions of this version');
    return parsed.data;
  }

  /** Puts decisions, unless some are there. @returns those that are there then. */
  putDecided(decided: Decided): Decided {
    const path = this.#decidedPath(decided.group);
    try {
      writeOnce(path, `${JSON.stringify({ format: decidedFormat, version: 1, ...decided })}\n`);
    } catch (thrown) {
      throw asSaeEvalError(thrown, path);
    }
    return this.decided(decided.group)!;
  }

  shardPath(index: number): string {
    return join(this.folder, 'shards', `${numbered(index)}.safetensors`);
  }

  /** Whether a shard is done. */
  has(index: number): boolean {
    return exists(this.shardPath(index));
  }

  /** The shards of a plan that are not done, by a look at each. */
  missing({ shards }: Pick<ShardPlan, 'shards'>): number[] {
    // One list for most of them; those that it lacks are looked at by name.
    const listed = new Set(readdirSync(join(this.folder, 'shards')));
    return shards.flatMap(({ index }) =>
      listed.has(`${numbered(index)}.safetensors`) || this.has(index) ? [] : [index],
    );
  }

  /**
   * The result of a shard.
   * @throws SaeEvalError `storage-damaged` if the file is not what was written.
   */
  get(index: number): ShardResult {
    const path = this.shardPath(index);
    try {
      return readShardFile(path);
    } catch (thrown) {
      if (thrown instanceof DamagedFileError) throw damaged(path, thrown.message);
      throw asSaeEvalError(thrown, path);
    }
  }

  /**
   * Puts the result of a shard; a second one must have the same sums.
   * @throws SaeEvalError `shard-differs` if it has others and was computed in equal pieces.
   */
  put(result: Omit<ShardResult, 'sums'>): 'written' | 'there' {
    const path = this.shardPath(result.shard);
    const part = partOf(path);
    let sums: string;
    let isFirst: boolean;
    try {
      sums = writeShardFile(part, result);
      isFirst = takeName(part, path);
    } catch (thrown) {
      rmSync(part, { force: true });
      throw asSaeEvalError(thrown, path);
    }
    const there = this.get(result.shard); // Reads back, every byte.
    if (there.sums === sums) return isFirst ? 'written' : 'there';
    // Where memory ran out, less is computed at once, which changes the last bits.
    if (JSON.stringify(there.microBatch) !== JSON.stringify(result.microBatch)) return 'there';
    throw new SaeEvalError(
      'shard-differs',
      `Shard ${result.shard} of ${this.folder}: ${there.host} (${there.machine}) and ` +
        `${result.host} (${result.machine}) computed different sums from the same tokens and ` +
        'weights. One of the machines computes wrongly, or they are not of one kind. The file ' +
        `of the first stays: ${path}.`,
    );
  }

  /** Path of the journal of a shard under way on this host. */
  partialPath(index: number): string {
    return join(this.folder, 'partial', `${numbered(index)}.${hostname()}.journal`);
  }

  /** Removes the journals of a shard that is done. */
  removePartials(index: number): void {
    const folder = join(this.folder, 'partial');
    for (const name of readdirSync(folder))
      if (name.startsWith(`${numbered(index)}.`)) rmSync(join(folder, name), { force: true });
  }

  /** The shards that were begun and are not done. */
  partials(): Partial[] {
    const folder = join(this.folder, 'partial');
    return readdirSync(folder)
      .sort()
      .flatMap((name): Partial[] => {
        const [, shard, host] = /^(\d{5,})\.(.+)\.journal$/.exec(name) ?? [];
        const status = statSync(join(folder, name), { throwIfNoEntry: false });
        if (shard === undefined || host === undefined || status === undefined) return [];
        const secondsAgo = Math.max(0, (Date.now() - status.mtimeMs) / 1000);
        return this.has(Number(shard)) ? [] : [{ shard: Number(shard), host, secondsAgo }];
      });
  }

  get #cancelPath(): string {
    return join(this.folder, 'cancel');
  }

  /** Marks the run: whoever computes a shard of it stops soon. */
  cancel(): void {
    try {
      writeOnce(this.#cancelPath, `cancelled on ${hostname()}\n`);
    } catch (thrown) {
      throw asSaeEvalError(thrown, this.#cancelPath);
    }
  }

  get isCancelled(): boolean {
    return exists(this.#cancelPath);
  }

  /** @throws SaeEvalError `cancelled`. */
  throwIfCancelled(): void {
    if (this.isCancelled)
      throw new SaeEvalError(
        'cancelled',
        `The run was cancelled. Remove ${this.#cancelPath} to go on with it.`,
      );
  }

  /** Removes everything of the run in shards; other files of the folder stay. */
  remove(): void {
    for (const name of ['shards', 'partial', 'tokens', 'plan.json', 'plan.claim', 'cancel'])
      rmSync(join(this.folder, name), { recursive: true, force: true });
    for (const name of readdirSync(this.folder))
      if (/^decisions(\.\d+)?\.json$/.test(name)) rmSync(join(this.folder, name));
  }
}
