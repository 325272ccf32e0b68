/** The folder of journals: what an evaluation that was stopped continues from. */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ownerOnlyFolder } from './owner-only.js';

/** A journal, finished or half-written. */
const journalName = /^([\w-]+)\.journal(\.part)?$/;

export class JournalsFolder {
  constructor(private readonly path: string) {
    ownerOnlyFolder(path);
  }

  /** Path of the journal of an evaluation, whether there is one or not. */
  pathOf(id: string): string {
    return join(this.path, `${id}.journal`);
  }

  remove(id: string): void {
    for (const ending of ['', '.part']) rmSync(`${this.pathOf(id)}${ending}`, { force: true });
  }

  /** Removes the journals of evaluations that need none. */
  sweep(isNeeded: (id: string) => boolean): void {
    for (const name of readdirSync(this.path)) {
      const [, id] = journalName.exec(name) ?? [];
      if (id !== undefined && !isNeeded(id)) rmSync(join(this.path, name), { force: true });
    }
  }
}
