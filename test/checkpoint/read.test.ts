/**
 * Files that PyTorch made (fixtures/make.py) against what torch.load gives: names, dtypes, shapes
 * and every byte.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readCheckpoint } from '#src/checkpoint/read.js';
import { openTensors } from '#src/checkpoint/tensors.js';
import { scope, type Tensor } from '#src/torch/index.js';
import { fixture } from './fixtures/path.js';
import { bytesOf } from './tensor-bytes.js';

interface Expected {
  prefix: string;
  tensors: Record<string, { dtype: string; shape: number[]; hex: string }>;
  values: Record<string, unknown>;
  others: string[];
}

const expected = JSON.parse(readFileSync(fixture('expected.json'), 'utf8')) as Record<
  string,
  Expected
>;

describe.each(Object.entries(expected))('%s', (name, { prefix, tensors, values, others }) => {
  it('has the tensors that torch.load gives, bit for bit', async () => {
    const checkpoint = await readCheckpoint(fixture(name));
    expect(checkpoint.format).toBe(
      name.endsWith('.npz')
        ? 'npz'
        : name.endsWith('.safetensors')
          ? 'safetensors'
          : name.includes('legacy')
            ? 'pt-legacy'
            : 'pt-zip',
    );
    expect(checkpoint.prefix).toBe(prefix);
    expect(Object.fromEntries(checkpoint.values)).toMatchObject(values);
    expect([...checkpoint.others].sort()).toEqual([...others].sort());
    const described = [...checkpoint.entries].map(([key, { dtype, shape }]): [string, unknown] => [
      key,
      { dtype, shape },
    ]);
    expect(Object.fromEntries(described)).toEqual(
      Object.fromEntries(
        Object.entries(tensors).map(([key, { dtype, shape }]) => [key, { dtype, shape }]),
      ),
    );
    scope(() => {
      for (const [key, tensor] of openTensors(checkpoint)) {
        expect(tensor.shape, key).toEqual(tensors[key]!.shape);
        expect(bytesOf(tensor).toString('hex'), key).toBe(tensors[key]!.hex);
      }
    });
  });
});

describe('the seven shipped checkpoints', () => {
  const single = {
    pre_bias: [128],
    latent_bias: [1024],
    'encoder.weight': [1024, 128],
    'decoder.weight': [128, 1024],
  };
  const layers = Array.from({ length: 9 }, (_, i) => i);
  it.each([
    ['TopK', single],
    ['Vanilla', single],
    ['MLSAE', single],
    ['JumpReLU', { ...single, threshold: [1024] }],
    [
      'Gated',
      {
        pre_bias: [128],
        gate_bias: [1024],
        mag_bias: [1024],
        r_mag: [1024],
        'encoder.weight': [1024, 128],
        'decoder.weight': [128, 1024],
      },
    ],
    [
      'RouteSAE',
      {
        'router.weight': [9, 128],
        ...Object.fromEntries(Object.entries(single).map(([key, shape]) => [`sae.${key}`, shape])),
      },
    ],
    [
      'Crosscoder',
      {
        latent_bias: [1024],
        ...Object.fromEntries(
          layers.flatMap((i) => [
            [`encoder.${i}.weight`, [1024, 128]],
            [`decoder.${i}.weight`, [128, 1024]],
          ]),
        ),
      },
    ],
  ])('%s', async (kind, shapes) => {
    const { entries, format, prefix } = await readCheckpoint(
      fixture(`../../../checkpoints/${kind}_tiny.pt`),
    );
    expect([format, prefix]).toEqual(['pt-zip', '']);
    expect(Object.fromEntries([...entries].map(([key, { shape }]) => [key, shape]))).toEqual(
      shapes,
    );
  });
});

describe('openTensors', () => {
  const shared = (tensors: Map<string, Tensor>): unknown => {
    tensors.get('whole')!.add_(1);
    return tensors.get('row')!.toArray();
  };

  it('gives views of one storage the same bytes, and never writes to the file', async () => {
    const checkpoint = await readCheckpoint(fixture('views.pt'));
    const before = readFileSync(checkpoint.path);
    expect(scope(() => shared(openTensors(checkpoint)))).toEqual([13, 14, 15, 16, 17, 18]);
    expect(readFileSync(checkpoint.path).equals(before)).toBe(true);
  });

  it('opens some by name, in another dtype', async () => {
    const checkpoint = await readCheckpoint(fixture('dtypes.pt'));
    scope(() => {
      const opened = openTensors(checkpoint, { names: ['bfloat16', 'int8'], dtype: 'float32' });
      expect([...opened.keys()]).toEqual(['bfloat16', 'int8']);
      expect(opened.get('int8')!.toArray()).toEqual([-128, 127]);
      expect(opened.get('bfloat16')!.dtype).toBe('float32');
    });
    expect(() => openTensors(checkpoint, { names: ['int8', 'weight'] })).toThrow(
      expect.objectContaining({ code: 'checkpoint-keys' }),
    );
  });
});

it('reads headers without loading anything native', async () => {
  const { execFileSync } = await import('node:child_process');
  const code = `const { readCheckpoint } = await import('#src/checkpoint/read.js');
    await readCheckpoint(${JSON.stringify(fixture('state-dict.pt'))});
    const { sharedObjects } = process.report.getReport();
    const native = sharedObjects.filter((name) => /torch|sae_eval/.test(name));
    process.stdout.write(String(native.length));`;
  expect(
    execFileSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' }),
  ).toBe('0');
});
