/**
 * Companions in threads of this process. Operators of a small model are so short that threads which
 * share one wait for each other half of the time; threads with micro-batches of their own do not.
 */
import { Worker } from 'node:worker_threads';
import { entryUrl } from '../../entry.js';
import type { Companions, Offer } from '../engine/companions.js';
import type { CompanionTask, FromCompanion, ToCompanion } from './companion-protocol.js';

interface Companion {
  worker: Worker;
  isReady: boolean;
}

interface OpenOffer extends Offer {
  id: number;
  /** Companions that are at it. */
  at: Set<Companion>;
  onEnd: (() => void) | null;
}

export class CompanionThreads implements Companions {
  readonly #companions = new Set<Companion>();
  #wereCalled = false;
  #offer: OpenOffer | null = null;
  #offers = 0;

  constructor(
    private readonly task: CompanionTask,
    readonly most: number,
  ) {}

  call(): void {
    if (this.#wereCalled) return;
    this.#wereCalled = true;
    for (let n = 0; n < this.most; n++) this.#start();
  }

  #start(): void {
    const worker = new Worker(entryUrl('src/evaluation/run/companion-thread.js'), {
      // Modules preloaded into the process are not meant for this thread.
      execArgv: [],
      workerData: this.task,
    });
    const companion: Companion = { worker, isReady: false };
    this.#companions.add(companion);
    const leave = (): void => {
      this.#companions.delete(companion);
      this.#leaveOffer(companion);
    };
    worker.on('error', leave);
    worker.on('exit', leave);
    worker.on('message', (message: FromCompanion) => this.#hear(companion, message));
  }

  #hear(companion: Companion, message: FromCompanion): void {
    const offer = this.#offer;
    if (message.type === 'ready') {
      companion.isReady = true;
      if (offer !== null && offer.onEnd === null) this.#tell(companion, offer);
    } else if (offer?.id !== message.id) return;
    else if (message.type === 'sums') offer.onSums(message.place, message.sums);
    else this.#leaveOffer(companion);
  }

  #leaveOffer(companion: Companion): void {
    const offer = this.#offer;
    if (offer?.at.delete(companion) === true && offer.at.size === 0) offer.onEnd?.();
  }

  #tell(companion: Companion, offer: OpenOffer): void {
    offer.at.add(companion);
    const message: ToCompanion = {
      type: 'offer',
      id: offer.id,
      next: offer.queue.next,
      // Samples may be views of larger buffers, which would be copied whole.
      microBatches: offer.microBatches.map(({ samples, isSpliced }) => ({
        samples: samples.map((sample) => ({
          ...sample,
          ids: sample.ids.slice(),
          ...(sample.out === undefined ? {} : { out: sample.out.slice() }),
        })),
        isSpliced,
      })),
      microBatch: offer.microBatch,
    };
    companion.worker.postMessage(message);
  }

  offer(offer: Offer): () => Promise<void> {
    const open: OpenOffer = { ...offer, id: ++this.#offers, at: new Set(), onEnd: null };
    this.#offer = open;
    for (const companion of this.#companions) if (companion.isReady) this.#tell(companion, open);
    return async () => {
      const ended = new Promise<void>((resolve) => (open.onEnd = resolve));
      if (open.at.size > 0) await ended;
      this.#offer = null;
    };
  }

  close(): void {
    this.#offer?.queue.close();
    for (const { worker } of this.#companions) {
      worker.postMessage({ type: 'close' } satisfies ToCompanion);
      worker.unref();
    }
    this.#companions.clear();
    // Whoever closes them has no use for others.
    this.#wereCalled = true;
  }
}
