/**
 * The journal of a run: everything its finished batches gave, in one file that is replaced as a
 * whole after each batch. A run that was killed continues after its last finished batch, with the
 * decisions it was started with.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { deserialize, serialize } from 'node:v8';
import { Accumulator, type AccumulatorState } from '../../metrics/accumulator.js';
import type { ProductKind } from '../../sae/index.js';
import type { MicroBatch } from '../engine/micro-batch.js';

const formatVersion = 3;

/** Decisions that must not change between the parts of one run. */
export interface Decisions {
  microBatch: MicroBatch;
  threads: number;
  /** Kind of the SAEs' products. */
  saeProducts: ProductKind;
}

interface JournalContent {
  version: number;
  identity: string;
  id: string;
  createdAt: string;
  decisions: Decisions;
  seconds: number;
  state: AccumulatorState;
}

export interface Recovered {
  id: string;
  createdAt: string;
  decisions: Decisions;
  /** Compute time of the parts before. */
  seconds: number;
  accumulator: Accumulator;
}

/** Identity of a run: equal for the same request on the same files by the same version. */
export function runIdentity(parts: unknown): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

function writeWhole(path: string, bytes: Uint8Array): void {
  const file = openSync(path, 'w', 0o600);
  try {
    for (let written = 0; written < bytes.length;) written += writeSync(file, bytes, written);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

export class Journal {
  constructor(
    private readonly path: string,
    private readonly identity: string,
  ) {}

  /**
   * State that an earlier part of the same run left; null if the file is missing, unreadable or of
   * another run.
   */
  recover(): Recovered | null {
    let content: JournalContent;
    try {
      content = deserialize(readFileSync(this.path)) as JournalContent;
    } catch {
      return null;
    }
    if (content.version !== formatVersion || content.identity !== this.identity) return null;
    const { id, createdAt, decisions, seconds, state } = content;
    return { id, createdAt, decisions, seconds, accumulator: Accumulator.restore(state) };
  }

  /** Replaces the file: after a crash there is either the state before or this one. */
  write({ id, createdAt, decisions, seconds, accumulator }: Recovered): void {
    const content: JournalContent = {
      version: formatVersion,
      identity: this.identity,
      id,
      createdAt,
      decisions,
      seconds,
      state: accumulator.state(),
    };
    const part = `${this.path}.part`;
    try {
      writeWhole(part, serialize(content));
      renameSync(part, this.path);
    } catch (thrown) {
      // Half a file would take the room that is missing.
      rmSync(part, { force: true });
      throw thrown;
    }
  }
}
