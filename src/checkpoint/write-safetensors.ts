/**
 * Writes safetensors files (github.com/huggingface/safetensors) as its own library does: the widest
 * dtypes first, the header padded to eight bytes.
 */
import { SaeEvalError } from '../errors.js';
import type { Tensor } from '../torch/index.js';
import { itemBytes, namesByDtype, safetensorsDtypes } from './dtypes.js';
import { tensorPieces, writeAtomically } from './write-file.js';

const codes = namesByDtype(safetensorsDtypes);

export interface WriteSafetensorsOptions {
  /** Texts for the header. Readers of PyTorch models look for `format: 'pt'`. */
  metadata?: Readonly<Record<string, string>>;
}

/**
 * Writes tensors of any device and strides under their names. Each gets bytes of its own, even if
 * it shares a storage. The tensors stay the caller's.
 * @throws SaeEvalError `checkpoint-shape` for a dtype the format lacks, `file-unreadable` if the
 *   file cannot be written.
 * @example await writeSafetensors('sae.safetensors', new Map([['encoder.weight', weight]]));
 */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, Tensor>,
  { metadata = { format: 'pt' } }: WriteSafetensorsOptions = {},
): Promise<void> {
  const ordered = [...tensors].sort(
    ([a, x], [b, y]) => itemBytes[y.dtype] - itemBytes[x.dtype] || (a < b ? -1 : 1),
  );
  const described: [string, unknown][] = [['__metadata__', metadata]];
  let at = 0;
  for (const [name, { dtype, shape, numel }] of ordered) {
    const code = codes[dtype];
    if (code === undefined)
      throw new SaeEvalError(
        'checkpoint-shape',
        `${path}: tensor '${name}' is ${dtype}; safetensors holds ` +
          `${Object.keys(codes).join(', ')}.`,
      );
    if (name === '__metadata__')
      throw new SaeEvalError(
        'checkpoint-keys',
        `${path}: a tensor cannot be named '__metadata__' in safetensors.`,
      );
    const end = at + numel * itemBytes[dtype];
    described.push([name, { dtype: code, shape, data_offsets: [at, end] }]);
    at = end;
  }
  const json = Buffer.from(JSON.stringify(Object.fromEntries(described)));
  const header = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, ' ');
  header.writeBigUInt64LE(BigInt(header.length - 8));
  json.copy(header, 8);
  await writeAtomically(path, async (writer) => {
    await writer.write(header);
    for (const [, tensor] of ordered)
      for (const piece of tensorPieces(tensor)) await writer.write(piece);
  });
}
