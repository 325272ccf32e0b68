/**
 * The sums of a run as a file for people: `sums.safetensors`, every column by name with a row for
 * each sequence (docs/reference/sums.md). Means, differences between runs and statistics of one's
 * own come from it without computing anything again.
 */
import type { Accumulator } from '../../metrics/accumulator.js';
import {
  allPositions,
  cleanKey,
  lengthKey,
  slotKey,
  vectorKey,
  type CleanSum,
} from '../../metrics/keys.js';
import { allPeerColumns, peerVectors } from '../../metrics/peers/columns.js';
import { columnsOf, vectorsOf, type Table } from '../../metrics/table.js';
import { protocolNames } from '../../schema/index.js';
import type { ResolvedRequest, RunConfig } from '../../schema/index.js';
import { writeArrayFile, type NamedArray } from '../run/array-file.js';
import type { SaeFacts } from './facts.js';

export interface SumsFileOptions {
  accumulator: Accumulator;
  request: ResolvedRequest;
  saes: readonly SaeFacts[];
  /** The metrics whose sums were collected. */
  metrics: Table;
  /** Id of the evaluation. */
  id: string;
  version: string;
  /** The files that were read. */
  files?: RunConfig['files'];
}

/** Description of a tensor of the file, in the header's `tensors`. */
interface Described {
  name: string;
  /** Quantity whose sum a row is. */
  meaning: string;
  protocol?: string;
  sae?: string;
  /** The setting of a sweep: the sparsity, or the number of first latents that count. */
  inferK?: number;
  theta?: number;
  prefix?: number;
  layer?: number | null;
  splicedAt?: number | null;
  /** Number of rows of a column that has those of the first sequences alone. */
  rows?: number;
}

const cleanSums: readonly { name: CleanSum; meaning: string }[] = [
  { name: 'positions', meaning: 'positions that count' },
  { name: 'nextPositions', meaning: 'positions whose next token counts' },
  { name: 'ceClean', meaning: 'cross-entropy of the clean pass over nextPositions, in nats' },
];

/** Writes the file in one step. */
export function writeSums(path: string, options: SumsFileOptions): void {
  const { accumulator, request, saes, metrics, id, version } = options;
  const arrays = new Map<string, NamedArray>();
  const tensors: Described[] = [];
  const add = (described: Described, data: Float64Array | null): void => {
    if (data === null) return;
    arrays.set(described.name, { shape: [data.length], data });
    tensors.push(described);
  };
  const addColumn = (described: Described, key: string): void => {
    const data = accumulator.column(key);
    const isShorter = data !== null && data.length < accumulator.sequences;
    add(isShorter ? { ...described, rows: data.length } : described, data);
  };
  addColumn(
    { name: 'tokens', meaning: 'tokens that count under strict' },
    cleanKey('strict', 'positions'),
  );
  addColumn({ name: 'length', meaning: 'tokens of the sequence, without padding' }, lengthKey);
  for (const protocol of protocolNames)
    for (const { name, meaning } of cleanSums)
      addColumn({ name: `clean/${protocol}/${name}`, meaning, protocol }, cleanKey(protocol, name));
  for (const { identity, variants, measured } of saes) {
    if (measured === null) continue;
    for (const { owner, sparsity } of variants) {
      const [setting] = Object.entries(sparsity ?? {});
      const sae = identity.label;
      const prefix = setting === undefined ? sae : `${sae}@${setting.join('=')}`;
      // An SAE that leaves positions out has its own counts and its own clean cross-entropy.
      const { positions: key } = measured;
      if (key !== allPositions)
        for (const { name, meaning } of cleanSums)
          addColumn(
            { name: `${prefix}/strict/${name}`, meaning, protocol: 'strict', sae, ...sparsity },
            cleanKey('strict', name, key),
          );
      for (const protocol of protocolNames) {
        for (const [slot, place] of measured.slots[protocol].entries())
          for (const { name: column, meaning = '' } of columnsOf(metrics))
            addColumn(
              {
                name: `${prefix}/${protocol}/${slot}/${column}`,
                meaning,
                protocol,
                sae,
                ...sparsity,
                ...place,
              },
              slotKey({ owner, protocol, slot }, column),
            );
        for (const { name: vector, meaning = '' } of vectorsOf(metrics))
          add(
            { name: `${prefix}/${protocol}/${vector}`, meaning, protocol, sae, ...sparsity },
            accumulator.vector(vectorKey(owner, protocol, vector)),
          );
      }
      for (const { protocol, positions } of measured.peers ?? []) {
        const described = { protocol, sae, ...sparsity };
        for (const { name, meaning } of cleanSums)
          addColumn(
            { ...described, name: `${prefix}/${protocol}/${name}`, meaning },
            cleanKey('strict', name, positions),
          );
        for (const { name: column, meaning } of allPeerColumns)
          addColumn(
            { ...described, name: `${prefix}/${protocol}/0/${column}`, meaning },
            slotKey({ owner, protocol, slot: 0 }, column),
          );
        for (const { name: vector, meaning } of Object.values(peerVectors))
          add(
            { ...described, name: `${prefix}/${protocol}/${vector}`, meaning },
            accumulator.vector(vectorKey(owner, protocol, vector)),
          );
      }
    }
  }
  add(
    {
      name: 'batches',
      meaning: 'sequences of each batch, whose values reference, saelens and saebench average',
    },
    Float64Array.from(accumulator.batchSizes),
  );
  writeArrayFile(path, {
    arrays,
    metadata: {
      format: 'sae-eval sums',
      version: '1',
      'sae-eval': version,
      id,
      request: JSON.stringify(request),
      files: JSON.stringify(
        (options.files ?? []).map(({ path: name, use, sha256, sampled }) => ({
          path: name,
          use,
          digest: sha256 ?? sampled,
        })),
      ),
      tensors: JSON.stringify(tensors),
    },
  });
}
