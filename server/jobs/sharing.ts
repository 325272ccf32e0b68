/** How the devices of this server share evaluations: who begins a run in shards, who helps. */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { kindOfDevice } from '../../src/evaluation/run/device.js';
import { keepsWhole } from '../../src/schema/index.js';
import { SharedRun, type SharedRunOptions } from './shared-run.js';

export interface SharingOptions {
  /** Folder of the runs. */
  runs: string;
  shardSamples?: number | undefined;
  saesPerShard?: number | undefined;
  niceness: number;
  journalOf(id: string): string;
  sumsOf(id: string): string;
  /** Kind of each device, in whatever words: equal ones give equal bits. */
  kinds: ReadonlyMap<string, string>;
  /** Whether a device is there now. */
  isPresent(device: string): boolean;
  /** Wakes idle devices: there may be something to help with. */
  wake(): void;
}

type RunNews = Pick<SharedRunOptions, 'job' | 'signal' | 'stop' | 'onProgress' | 'onNotice'>;

export class Sharing {
  readonly #runs = new Map<string, { run: SharedRun; kind: string }>();

  constructor(private readonly options: SharingOptions) {}

  /** A run of the evaluation in shards, or null if the device computes it alone. */
  begin(device: string, news: RunNews): SharedRun | null {
    const { shardSamples, saesPerShard, niceness, sumsOf, kinds, wake } = this.options;
    const { id, request } = news.job;
    const folder = this.#folderOf(id);
    const isBegun = existsSync(join(folder, 'plan.json'));
    if (
      !isBegun &&
      (keepsWhole(request) !== null || !this.#shares(device, { id, asked: request.device }))
    )
      return null;
    const run = new SharedRun({
      ...news,
      folder,
      sums: sumsOf(id),
      shardSamples,
      saesPerShard,
      niceness,
      onJoinable: wake,
    });
    this.#runs.set(id, { run, kind: kinds.get(device) ?? device });
    return run;
  }

  /** A device named by the request computes alone, and so does one without its like. */
  #shares(device: string, { id, asked }: { id: string; asked: string | undefined }): boolean {
    const { kinds, isPresent, journalOf } = this.options;
    if (asked === device || kindOfDevice(device) === device) return false;
    // A device continues alone if it began alone.
    if (existsSync(journalOf(id))) return false;
    const kind = kinds.get(device);
    return [...kinds].some(([other, its]) => other !== device && its === kind && isPresent(other));
  }

  /** A run that is under way. */
  get(id: string): SharedRun | null {
    return this.#runs.get(id)?.run ?? null;
  }

  /** Ends the help of other devices; resolves when none computes. */
  async end(run: SharedRun): Promise<void> {
    if (this.get(run.id) === run) this.#runs.delete(run.id);
    await run.close();
  }

  /** The run that began first among those that an idle device may help with. */
  joinable(device: string): SharedRun | null {
    const own = this.options.kinds.get(device);
    for (const { run, kind } of this.#runs.values())
      if (kind === own && run.mayJoin(device)) return run;
    return null;
  }

  /** Removes what was written for an evaluation that has ended. */
  forget(id: string): void {
    rmSync(this.#folderOf(id), { recursive: true, force: true });
  }

  #folderOf(id: string): string {
    return join(this.options.runs, id.replaceAll(/[^\w-]/g, ''));
  }
}
