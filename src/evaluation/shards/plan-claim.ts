/**
 * The claim of the process that makes a plan, so that others wait instead of reading the text too.
 * A claim whose holder is gone is taken over. Nothing rests on it: of two plans the first one put
 * stays, and both are alike.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { readIfThere } from './write-once.js';

/** Milliseconds between signs of life, and without one until a claim is taken over. */
const signEvery = 2000;
const patience = 30_000;

export class PlanClaim {
  readonly #path: string;
  #timer: NodeJS.Timeout | null = null;
  /** The other's last sign of life, and when it was seen first. */
  #seen: { text: string; at: number } | null = null;

  constructor(folder: string) {
    this.#path = join(folder, 'plan.claim');
  }

  /** Takes the claim if nobody has it, or its holder gives no sign. */
  take(): boolean {
    const now = performance.now();
    const text = readIfThere(this.#path);
    if (text !== null) {
      if (this.#seen?.text !== text) this.#seen = { text, at: now };
      if (now - this.#seen.at < patience) return false;
      rmSync(this.#path, { force: true });
      this.#seen = null;
    }
    const own = randomUUID();
    try {
      const file = openSync(this.#path, 'wx');
      writeSync(file, `${own} 0\n`);
      closeSync(file);
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw thrown;
    }
    let signs = 0;
    this.#timer = setInterval(() => this.#sign(`${own} ${++signs}\n`), signEvery);
    this.#timer.unref();
    return true;
  }

  #sign(text: string): void {
    try {
      writeFileSync(this.#path, text);
    } catch {
      // Somebody takes over, whose plan is the same.
    }
  }

  /** Gives the claim back, if it was taken. */
  release(): void {
    if (this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
    rmSync(this.#path, { force: true });
  }
}
