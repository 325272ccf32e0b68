/** `sae-eval latents`: the latents of a run one by one, from its latents.parquet. */
import { once } from 'node:events';
import CliTable from 'cli-table3';
import { readLatents } from '../../evaluation/latents/read-latents.js';
import { latentsCsv, latentsCsvHead } from '../../report/latents-csv.js';
import { number } from '../../report/numbers.js';
import type { Latent, Latents, LatentSort } from '../../schema/index.js';
import { shownJson, shownOnOneLine } from '../../shown-text.js';
import { fileOfRun } from '../run-files.js';

export const latentsFormats = ['table', 'csv', 'json'] as const;

export interface LatentsFlags {
  sae?: string;
  sort?: LatentSort;
  order?: 'asc' | 'desc';
  limit?: number;
  latent?: number;
  contexts?: boolean;
  format: (typeof latentsFormats)[number];
}

/** Rows of a table that a terminal shows. */
const rowsOfTable = 20;
/** Rows that are read at once. */
const rowsAtOnce = 2048;

/** A context on one line, the token between marks. */
const lineOf = ({ before, token, after }: Latent['contexts'][number]): string =>
  `${(before ?? '').slice(-30)}»${token ?? ''}«${(after ?? '').slice(0, 20)}`;

function inTable({ latents }: Latents): string {
  const table = new CliTable({
    head: ['latent', 'density', 'mean', 'max', 'samples', '‖enc‖', '‖dec‖', 'cos', 'twin', 'top'],
    style: { head: [], border: [], compact: true },
  });
  for (const row of latents)
    table.push(
      [
        String(row.latent),
        number(row.density),
        number(row.mean),
        number(row.max),
        String(row.samples),
        number(row.encoderNorm),
        number(row.decoderNorm),
        number(row.encoderDecoderCosine),
        row.twin === null ? '' : `${row.twin} (${number(row.twinCosine)})`,
        row.contexts[0] === undefined ? '' : lineOf(row.contexts[0]),
      ].map(shownOnOneLine),
    );
  return table.toString();
}

/** Whoever reads the output may have seen enough. */
class Closed extends Error {}

async function print(text: string): Promise<void> {
  if (process.stdout.write(text)) return;
  await once(process.stdout, 'drain').catch((thrown: NodeJS.ErrnoException) => {
    throw thrown.code === 'EPIPE' ? new Closed() : thrown;
  });
}

/** Prints CSV of the rows asked for, some at a time. */
async function printCsv(path: string, flags: Omit<LatentsFlags, 'format'>): Promise<void> {
  const { contexts = false, limit = Infinity, ...query } = flags;
  await print(latentsCsvHead({ contexts }));
  const first = await readLatents(path, { ...query, limit: 0 });
  // Without a name: all SAEs, one after the other.
  for (const sae of query.sae === undefined ? first.saes : [query.sae]) {
    const { m } = await readLatents(path, { sae, limit: 0 });
    const end = query.latent === undefined ? Math.min(limit, m) : 1;
    for (let offset = 0; offset < end; offset += rowsAtOnce) {
      const count = Math.min(rowsAtOnce, end - offset);
      const { latents } = await readLatents(path, { ...query, sae, offset, limit: count });
      await print(latentsCsv(latents, { contexts }));
    }
  }
}

export async function latents(run: string, { format, ...flags }: LatentsFlags): Promise<void> {
  const path = await fileOfRun(run, 'latents');
  if (format === 'csv') {
    await printCsv(path, flags).catch((thrown: unknown) => {
      if (!(thrown instanceof Closed)) throw thrown;
    });
    return;
  }
  const { contexts: _, limit = rowsOfTable, ...query } = flags;
  const found = await readLatents(path, { ...query, limit });
  if (format === 'json') await print(`${shownJson(found)}\n`);
  else
    await print(
      `${shownOnOneLine(found.sae)}: ${found.m} latents, ${found.dead} dead, over ` +
        `${found.positions} positions of ${found.samples} samples\n${inTable(found)}\n`,
    );
}
