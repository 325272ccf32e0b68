/** The folder beside the database: sums of evaluations (docs/reference/sums.md) and tables. */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { latentsBeside } from './latents-beside.js';
import { ownerOnlyFolder } from './owner-only.js';

/** A file of sums or a latents table, finished or not. */
const sumsName = /^([\w-]+)\.(?:safetensors|latents\.parquet(?:\.tokens)?)(?:\.part)?$/;

export class SumsFolder {
  readonly #path: string;

  /** @param database path of the database. */
  constructor(database: string) {
    this.#path = `${database}.sums`;
    ownerOnlyFolder(this.#path);
  }

  /** Path of the sums of an evaluation, whether there are any or not. */
  pathOf(id: string): string {
    return join(this.#path, `${id.replaceAll(/[^\w-]/g, '')}.safetensors`);
  }

  remove(id: string): void {
    rmSync(this.pathOf(id), { force: true });
    rmSync(latentsBeside(this.pathOf(id)), { force: true });
  }

  /** Removes the files of evaluations that there are none of. */
  sweep(exists: (id: string) => boolean): void {
    for (const name of readdirSync(this.#path)) {
      const [, id] = sumsName.exec(name) ?? [];
      if (id !== undefined && !exists(id)) rmSync(join(this.#path, name), { force: true });
    }
  }
}
