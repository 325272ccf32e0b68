/** The order in which waiting evaluations are taken: fair among clients, device by device. */
import { fairOrder } from './fair-order.js';
import type { StoredJobs } from './stored-jobs.js';
import { takenBy } from './waiting-for.js';

/** Ids that a device may take, the next one first, and the position of each from 1. */
interface Order {
  ids: string[];
  positions: ReadonlyMap<string, number>;
}

export class WaitingOrder {
  /** By client, the number of its last serving; the clock may jump. */
  readonly #lastServed = new Map<string, number>();
  #servings = 0;
  /** Evaluations that a worker has, whether its process has started them or not. */
  readonly #taken = new Set<string>();
  readonly #orders = new Map<string, Order>();

  constructor(private readonly jobs: StoredJobs) {}

  /** Reads from the store who was served last. */
  restore(): void {
    for (const { client } of this.jobs.lastStarts()) this.#serve(client);
  }

  /** The evaluation that a device takes next; null if none waits for it. */
  next(device: string): string | null {
    return this.#order(device).ids[0] ?? null;
  }

  take({ id, client }: { id: string; client: string }): void {
    this.#taken.add(id);
    this.#serve(client);
    this.changed();
  }

  /** A worker has this evaluation no more: it waits again, or has ended. */
  release(id: string): void {
    this.#taken.delete(id);
    this.changed();
  }

  /** Call when another evaluation waits, or one waits no more. */
  changed(): void {
    this.#orders.clear();
  }

  /** The best place of an evaluation among those that wait for each of these devices, from 1. */
  position(id: string, devices: readonly string[]): number | null {
    if (this.#taken.has(id)) return 1;
    const places = devices.flatMap((device) => this.#order(device).positions.get(id) ?? []);
    return places.length === 0 ? null : Math.min(...places);
  }

  #serve(client: string): void {
    this.#lastServed.set(client, ++this.#servings);
  }

  #order(device: string): Order {
    let order = this.#orders.get(device);
    if (order === undefined) {
      const waiting = this.jobs.queued(takenBy(device)).filter(({ id }) => !this.#taken.has(id));
      const ids = fairOrder(waiting, this.#lastServed);
      order = { ids, positions: new Map(ids.map((id, index) => [id, index + 1])) };
      this.#orders.set(device, order);
    }
    return order;
  }
}
