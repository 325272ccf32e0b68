/**
 * Written files are read back bit for bit, by this project, PyTorch and the safetensors library.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCheckpoint } from '#src/checkpoint/read.js';
import { openTensors } from '#src/checkpoint/tensors.js';
import { writePt } from '#src/checkpoint/write-pt.js';
import { writeSafetensors } from '#src/checkpoint/write-safetensors.js';
import { fromTypedArray, memory, scope, zeros, type Tensor } from '#src/torch/index.js';
import { fixture } from './fixtures/path.js';
import { bytesOf } from './tensor-bytes.js';

/** A Python with torch and safetensors, where one is named or found. */
const python = [process.env['SAE_EVAL_PYTHON'], 'python3'].find((path): path is string => {
  if (path === undefined) return false;
  try {
    execFileSync(path, ['-c', 'import torch, safetensors'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});

const readers = {
  pt: `
loaded = torch.load(path, weights_only=True)
mapped = torch.load(path, weights_only=True, mmap=True)
assert all(bits(value).equal(bits(mapped[key])) for key, value in loaded.items())`,
  safetensors: `
from safetensors.torch import load_file
loaded = load_file(path)`,
};

function readByPython(path: string, format: keyof typeof readers): unknown {
  const code = `
import json, sys, torch
path = sys.argv[1]
def bits(tensor):
    return tensor.contiguous().reshape(-1).view(torch.uint8)
def described(tensor):
    content = bytes(bits(tensor).tolist()).hex() if tensor.numel() else ''
    return [str(tensor.dtype)[6:], list(tensor.shape), content]
${readers[format]}
print(json.dumps({key: described(value) for key, value in loaded.items()}))`;
  return JSON.parse(
    execFileSync(python!, ['-W', 'ignore', '-c', code, path], { encoding: 'utf8' }),
  );
}

const described = (tensors: ReadonlyMap<string, Tensor>): Record<string, unknown> =>
  Object.fromEntries(
    [...tensors].map(([name, tensor]) => [
      name,
      [tensor.dtype, tensor.shape, bytesOf(tensor).toString('hex')],
    ]),
  );

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sae-eval-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe.each([
  ['pt', writePt],
  ['safetensors', writeSafetensors],
] as const)('%s', (format, write) => {
  // All dtypes, and views of one storage: transposed, stepped, expanded, empty, without dimensions.
  it.each(['dtypes.pt', 'views.pt'])('%s', async (name) => {
    const tensors = openTensors(await readCheckpoint(fixture(name)));
    const expected = described(tensors);
    const path = join(folder, `${name}.${format}`);
    await write(path, tensors);
    for (const tensor of tensors.values()) tensor.dispose();
    const checkpoint = await readCheckpoint(path);
    expect(checkpoint.format).toBe(format === 'pt' ? 'pt-zip' : 'safetensors');
    scope(() => expect(described(openTensors(checkpoint))).toEqual(expected));
    if (format === 'pt')
      for (const { storage } of checkpoint.entries.values())
        expect(storage.byteOffset % 64).toBe(0);
    if (python === undefined)
      return console.log(
        'not read by PyTorch: SAE_EVAL_PYTHON names no Python with torch and safetensors',
      );
    expect(readByPython(path, format)).toEqual(expected);
  });

  it(
    'gives the same bytes for the same tensors, replaces a file as a whole and leaves no ' +
      'other',
    async () => {
      const path = join(folder, `twice.${format}`);
      const tensor = fromTypedArray(Float32Array.from([1, 2, 3]));
      const tensors = new Map([['weight', tensor]]);
      await write(path, tensors);
      const first = readFileSync(path);
      await write(path, tensors);
      expect(readFileSync(path).equals(first)).toBe(true);
      tensor.dispose();
      await expect(write(path, tensors)).rejects.toThrow(/dispose/);
      expect(readFileSync(path).equals(first)).toBe(true);
      expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
      await expect(write(join(folder, 'nowhere', 'file'), new Map())).rejects.toMatchObject({
        code: 'file-unreadable',
      });
    },
  );

  it('writes what is larger than one piece, keeping no tensor', async () => {
    const path = join(folder, `large.${format}`);
    // Those that garbage collection takes meanwhile are other tests'.
    const held = (): number => memory().handles + memory().collected;
    const before = held();
    const large = scope(() => zeros([20, 2 ** 20], { dtype: 'float32' }).add(0.5));
    await write(path, new Map([['large', large]]));
    expect(held()).toBe(before + 1);
    large.dispose();
    const checkpoint = await readCheckpoint(path);
    scope(() => expect(openTensors(checkpoint).get('large')!.sum().item()).toBe(10 * 2 ** 20));
  });
});
