/** The sums of a run as its `sums.safetensors` holds them (docs/reference/sums.md). */
import { z } from 'zod';
import { asSaeEvalError, SaeEvalError } from '../../errors.js';
import { DamagedFileError, readArrayFile } from '../run/array-file.js';

const describedSchema = z.object({
  name: z.string(),
  protocol: z.string().optional(),
  sae: z.string().optional(),
  inferK: z.number().optional(),
  theta: z.number().optional(),
  prefix: z.number().optional(),
  layer: z.number().nullish(),
  splicedAt: z.number().nullish(),
});

/** Fields of a request that a comparison reads. Files of other versions may say more. */
const requestSchema = z.looseObject({
  model: z.string(),
  dtype: z.string(),
  protocol: z.array(z.string()),
  metrics: z.array(z.string()),
  seed: z.number(),
  dataset: z.looseObject({ path: z.string() }),
  saes: z.array(z.looseObject({ label: z.string().optional() })),
});

const filesSchema = z.array(z.object({ path: z.string(), use: z.string(), digest: z.string() }));

/** The columns of an SAE under `strict`, at its own setting or at a point of a sweep. */
export interface SaeSums {
  /** Label, with the setting of a point of a sweep: `TopK@inferK=8`. */
  label: string;
  /** Width of what it reads; null if no vector tells. */
  width: number | null;
  slots: { layer: number | null; splicedAt: number | null }[];
  /** Columns by `SLOT/NAME`. */
  columns: Map<string, Float64Array>;
  /** Vectors by name. */
  vectors: Map<string, Float64Array>;
  /** Positions that count and clean cross-entropy, if they are the SAE's own. */
  clean: Map<string, Float64Array>;
}

export interface RunSums {
  /** How the run is called in messages. */
  name: string;
  id: string;
  version: string;
  request: z.infer<typeof requestSchema>;
  /** Files of model, text and SAEs by content; empty if an older version wrote the sums. */
  files: z.infer<typeof filesSchema>;
  /** Real tokens of each sequence. */
  length: Float64Array;
  /** Sequences of each batch. */
  batches: Float64Array;
  /** `positions`, `nextPositions` and `ceClean` under `strict`. */
  clean: Map<string, Float64Array>;
  saes: SaeSums[];
}

const ofPositions: readonly string[] = ['positions', 'nextPositions', 'ceClean'];

function settingOf({ inferK, theta, prefix }: z.infer<typeof describedSchema>): string {
  const [setting] = Object.entries({ inferK, theta, prefix }).filter(
    ([, value]) => value !== undefined,
  );
  return setting === undefined ? '' : `@${setting.join('=')}`;
}

/**
 * Reads the sums of a run.
 * @param name how messages call the run.
 * @throws SaeEvalError `storage-damaged` if a byte of the file is not the one that was written,
 *   `request-invalid` if it holds no sums.
 */
export function readSums(path: string, name: string): RunSums {
  let file;
  try {
    file = readArrayFile(path);
  } catch (thrown) {
    if (thrown instanceof DamagedFileError)
      throw new SaeEvalError(
        'storage-damaged',
        `${name}: its sums are damaged: ${thrown.message}. Evaluate it again.`,
      );
    throw asSaeEvalError(thrown, name);
  }
  const { arrays, metadata } = file;
  if (metadata['format'] !== 'sae-eval sums' || metadata['version'] !== '1')
    throw new SaeEvalError(
      'request-invalid',
      `${name}: expected the sums of a run (sums.safetensors of version 1), found another file.`,
    );
  const array = (key: string): Float64Array => arrays.get(key)?.data ?? new Float64Array();
  const run: RunSums = {
    name,
    id: metadata['id'] ?? '',
    version: metadata['sae-eval'] ?? '',
    request: requestSchema.parse(JSON.parse(metadata['request'] ?? '{}')),
    files: filesSchema.parse(JSON.parse(metadata['files'] ?? '[]')),
    length: array('length'),
    batches: array('batches'),
    clean: new Map(),
    saes: [],
  };
  const byLabel = new Map<string, SaeSums>();
  for (const one of z.array(describedSchema).parse(JSON.parse(metadata['tensors'] ?? '[]'))) {
    const data = arrays.get(one.name)?.data;
    if (data === undefined || one.protocol !== 'strict') continue;
    if (one.sae === undefined) {
      run.clean.set(one.name.slice('clean/strict/'.length), data);
      continue;
    }
    const label = one.sae + settingOf(one);
    let sae = byLabel.get(label);
    if (sae === undefined) {
      sae = {
        label,
        width: null,
        slots: [],
        columns: new Map(),
        vectors: new Map(),
        clean: new Map(),
      };
      byLabel.set(label, sae);
      run.saes.push(sae);
    }
    const rest = one.name.slice(label.length + '/strict/'.length);
    const [, slot] = /^(\d+)\//.exec(rest) ?? [];
    if (slot !== undefined) {
      sae.slots[Number(slot)] = { layer: one.layer ?? null, splicedAt: one.splicedAt ?? null };
      sae.columns.set(rest, data);
    } else if (ofPositions.includes(rest)) sae.clean.set(rest, data);
    else {
      sae.vectors.set(rest, data);
      if (rest === 'inputSum') sae.width = data.length;
    }
  }
  return run;
}
