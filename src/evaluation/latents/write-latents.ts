/** Writes the latents table of a run: `latents.parquet`, a row for each latent of every SAE. */
import { chmodSync, closeSync, openSync, renameSync, rmSync } from 'node:fs';
import { activationEdges } from '../../metrics/activation-bins.js';
import type { Accumulator } from '../../metrics/accumulator.js';
import type { LatentTally } from '../../metrics/latent-tally.js';
import type { SaeFacts } from '../result/facts.js';
import type { ContextTexts } from './context-texts.js';
import {
  latentsFormat,
  parquetSchema,
  plainColumns,
  storedColumn,
  type LatentsAbout,
} from './file-schema.js';
import { rowMaker } from './rows.js';

export interface WriteLatentsOptions {
  accumulator: Accumulator;
  saes: readonly SaeFacts[];
  /** Contexts of each latent. */
  contexts: number;
  /** Positions of a sample. */
  seqLen: number;
  /** The text around the contexts; null if there is none. */
  texts: ContextTexts | null;
  /** Id of the evaluation. */
  id: string;
  version: string;
  signal?: AbortSignal | undefined;
}

/** Latents of a row group: with their contexts some megabytes. */
const groupRows = 2048;
/** Bytes of a page, which a reader of single rows decodes whole. */
const pageBytes = 65_536;

interface Tallied {
  facts: SaeFacts;
  tally: LatentTally;
}

/** The SAEs whose latents were counted. */
function talliedOf({ accumulator, saes }: WriteLatentsOptions): Tallied[] {
  return saes.flatMap((facts) => {
    const tally = accumulator.tallies.get(facts.variants[0]?.owner ?? '');
    return tally === undefined ? [] : [{ facts, tally }];
  });
}

function aboutOf(tallied: readonly Tallied[], options: WriteLatentsOptions): LatentsAbout {
  let row = 0;
  return {
    format: latentsFormat,
    version: 1,
    id: options.id,
    'sae-eval': options.version,
    contexts: options.contexts,
    edges: [...activationEdges],
    saes: tallied.map(({ facts, tally }) => {
      const { m } = tally.shape;
      row += m;
      return {
        label: facts.identity.label,
        m,
        row: row - m,
        dead: tally.active.reduce((dead, active) => dead + (active === 0 ? 1 : 0), 0),
        positions: tally.positions,
        samples: tally.sequences,
      };
    }),
  };
}

/** Writes the file beside `path` and renames it. Gives the event loop turns. */
export async function writeLatents(path: string, options: WriteLatentsOptions): Promise<void> {
  const { seqLen, texts, signal } = options;
  const tallied = talliedOf(options);
  const part = `${path}.part`;
  // A tenth of a second to load, which runs without a table are spared.
  const { fileWriter, ParquetWriter } = await import('hyparquet-writer');
  try {
    // It has text of the data set: its owner's alone.
    closeSync(openSync(part, 'w', 0o600));
    const writer = new ParquetWriter({
      writer: fileWriter(part),
      schema: parquetSchema,
      createdBy: `sae-eval ${options.version}`,
      kvMetadata: [{ key: 'sae-eval', value: JSON.stringify(aboutOf(tallied, options)) }],
    });
    for (const { facts, tally } of tallied) {
      const { m } = tally.shape;
      const row = rowMaker({ facts, tally, seqLen, texts });
      for (let from = 0; from < m; from += groupRows) {
        await new Promise(setImmediate);
        signal?.throwIfAborted();
        const count = Math.min(groupRows, m - from);
        const rows = Array.from({ length: count }, (_, i) => row(from + i));
        await writer.write({
          columnData: [...plainColumns, 'histogram', 'contexts'].map((name) => ({
            name,
            data: storedColumn(name, rows),
          })),
          rowGroupSize: groupRows,
          pageSize: pageBytes,
        });
      }
    }
    await writer.finish();
    chmodSync(part, 0o600);
    renameSync(part, path);
  } catch (thrown) {
    rmSync(part, { force: true });
    throw thrown;
  }
}
