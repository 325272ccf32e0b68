/** The shards of a run that wait for a device of this machine, with those under way. */
import type { SaeEvalError } from '../errors.js';

/** Times that one shard may fail. */
export const mostAttempts = 3;

/** Whether a failure says something about the process or its device, and not about the work. */
export const isOfDevice = ({ code }: SaeEvalError): boolean =>
  code === 'process-died' || code === 'device-lost';

export class WaitingShards {
  readonly #waiting: number[];
  readonly #attempts = new Map<number, number>();
  #underWay = 0;
  #wake: (() => void)[] = [];
  #isClosed = false;

  constructor(indices: readonly number[]) {
    this.#waiting = [...indices];
  }

  /** The next shard; undefined when all are done. One that is under way may come back. */
  async take(): Promise<number | undefined> {
    while (this.#waiting.length === 0 && this.#underWay > 0 && !this.#isClosed)
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    return this.takeNow();
  }

  /** The next shard if one waits now. */
  takeNow(): number | undefined {
    const index = this.#isClosed ? undefined : this.#waiting.shift();
    if (index !== undefined) this.#underWay += 1;
    return index;
  }

  done(): void {
    this.#underWay -= 1;
    this.#tell();
  }

  /** Gives a shard back that failed. @returns how often it has failed. */
  giveBack(index: number): number {
    const attempts = (this.#attempts.get(index) ?? 0) + 1;
    this.#attempts.set(index, attempts);
    this.putBack(index);
    return attempts;
  }

  /** Gives a shard back that was not computed to its end, for no fault of its own. */
  putBack(index: number): void {
    this.#waiting.unshift(index);
    this.done();
  }

  /** Nothing more is handed out. */
  close(): void {
    this.#isClosed = true;
    this.#tell();
  }

  /** Whether a shard waits for a device. */
  get hasNext(): boolean {
    return !this.#isClosed && this.#waiting.length > 0;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0 && this.#underWay === 0;
  }

  #tell(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}
