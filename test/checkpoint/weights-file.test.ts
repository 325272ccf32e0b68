/**
 * Weights that are read instead of mapped: the same bits, no mapping of the file, and errors
 * instead of SIGBUS.
 */
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { readCheckpoint } from '#src/checkpoint/read.js';
import { openTensors } from '#src/checkpoint/tensors.js';
import { networkFileSystem, openWeights, weightMode } from '#src/checkpoint/weights-file.js';
import { run } from '#src/evaluation/run/run.js';
import { resolvedRequestSchema } from '#src/schema/index.js';
import { loadTensors, saveTensors } from '#src/checkpoint/tensor-files.js';
import { asyncScope, mapFile, memory, ops } from '#src/torch/index.js';
import { shipped } from '../golden/load.js';

const folder = mkdtempSync(join(tmpdir(), 'sae-eval-weights-'));
const model = join(folder, 'model');
cpSync(shipped('tiny-llama'), model, { recursive: true });
const sae = join(folder, 'sae.pt');
copyFileSync(shipped('TopK_tiny.pt'), sae);
afterEach(() => delete process.env['SAE_EVAL_WEIGHTS']);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Files below the folder that this process has mapped. */
const mappings = (): string[] => [
  ...new Set(readFileSync('/proc/self/maps', 'utf8').match(new RegExp(`${folder}\\S*`, 'g')) ?? []),
];

describe('the file system', () => {
  it.each([
    // statfs(2) and linux/magic.h; f_type of a 32-bit system has a sign.
    [0x6969, 'NFS'],
    [0x0bd00bd0, 'Lustre'],
    [0x47504653, 'GPFS'],
    [0xff534d42, 'CIFS'],
    [0xff534d42 - 2 ** 32, 'CIFS'],
    [0xfe534d42, 'SMB2'],
    [0x65735546, 'FUSE'],
    [0x00c36400, 'Ceph'],
    [0x01021997, '9P'],
    [0xef53, null], // ext4
    [0x58465342, null], // XFS
    [0x9123683e, null], // Btrfs
    [0x01021994, null], // tmpfs
    [0x794c7630, null], // overlayfs
  ])('%i is %s', (type, name) => {
    expect(networkFileSystem(type)).toBe(name);
  });

  it('decides unless the variable does', () => {
    expect(weightMode({})).toBe('auto');
    expect(weightMode({ SAE_EVAL_WEIGHTS: '' })).toBe('auto');
    expect(weightMode({ SAE_EVAL_WEIGHTS: 'read' })).toBe('read');
    expect(() => weightMode({ SAE_EVAL_WEIGHTS: 'mmap' })).toThrow(
      expect.objectContaining({
        code: 'configuration-invalid',
        message: 'SAE_EVAL_WEIGHTS: expected auto, map, read, found mmap.',
      }) as Error,
    );
  });
});

describe('a file that is read', () => {
  const path = join(folder, 'numbers.safetensors');

  it('gives the tensors of one that is mapped, whatever their layout', async () => {
    await asyncScope(async () => {
      const a = ops.arange(600_000, { dtype: 'float32' }).reshape([600, 1000]);
      await saveTensors(path, { a, small: ops.arange(7, { dtype: 'float64' }) });
      const { byteOffset } = (await readCheckpoint(path)).entries.get('a')!;
      const [mapped, read] = [mapFile(path), mapFile(path, { read: true })];
      expect(read.byteLength).toBe(mapped.byteLength);
      for (const [offset, shape, strides] of [
        [byteOffset, [600, 1000], [1000, 1]],
        [byteOffset + 40, [1000, 500], [1, 1000]],
        [byteOffset + 3, [9], [2]],
        [byteOffset, [0, 4], [4, 1]],
      ] as const) {
        const options = { byteOffset: offset, dtype: 'float32' as const, shape, strides };
        const [one, other] = [mapped.tensor(options), read.tensor(options)];
        expect(other.shape).toEqual(one.shape);
        expect(other.equal(one)).toBe(true);
      }
      expect(() => read.tensor({ byteOffset, dtype: 'float32', shape: [2 ** 40] })).toThrow(
        /does not lie inside the file/,
      );
      read.close();
      expect(() => read.tensor({ byteOffset, dtype: 'float32', shape: [1] })).toThrow(/was closed/);
      mapped.close();
      return null;
    });
    expect(memory().handles).toBe(0);
  });

  it('that has become shorter is an error that names it', () => {
    const short = join(folder, 'short.safetensors');
    copyFileSync(path, short);
    const whole = statSync(short).size;
    const file = mapFile(short, { read: true });
    truncateSync(short, 4096);
    expect(() => file.tensor({ byteOffset: 4000, dtype: 'uint8', shape: [5000] })).toThrow(
      expect.objectContaining({
        code: 'checkpoint-format',
        message: `${short}: ends at byte 4096; it had ${whole} bytes when it was opened`,
      }) as Error,
    );
    file.close();
  });

  it('that is a folder, or not there, is an error that says so', () => {
    process.env['SAE_EVAL_WEIGHTS'] = 'read';
    expect(() => openWeights(folder)).toThrow(/expected a file, found a folder/);
    expect(() => openWeights(join(folder, 'none'))).toThrow(/no such file/);
  });
});

describe.skipIf(!existsSync('/proc/self/maps'))('SAE_EVAL_WEIGHTS', () => {
  it.each([
    ['map', [sae]],
    ['auto', [sae]],
    ['read', []],
  ])('%s: an SAE is mapped or not', async (mode, expected) => {
    process.env['SAE_EVAL_WEIGHTS'] = mode;
    const tensors = openTensors(await readCheckpoint(sae));
    expect(mappings()).toEqual(expected);
    for (const tensor of tensors.values()) tensor.dispose();
    expect(mappings()).toEqual([]);
  });

  it('holds for files that are loaded by name, too', async () => {
    process.env['SAE_EVAL_WEIGHTS'] = 'read';
    const loaded = await loadTensors(join(folder, 'numbers.safetensors'));
    expect(mappings()).toEqual([]);
    for (const tensor of Object.values(loaded)) tensor.dispose();
  });

  it('changes no bit of a result', async () => {
    const evaluated = async (mode: string): Promise<{ numbers: string; mapped: string[] }> => {
      process.env['SAE_EVAL_WEIGHTS'] = mode;
      let mapped: string[] = [];
      const { results, comparisons } = await run(
        resolvedRequestSchema.parse({
          model,
          dataset: { path: shipped('eval'), maxSamples: 20, seqLen: 8 },
          batchSize: 8,
          device: 'cpu',
          saes: [{ kind: 'TopK', checkpoint: sae, layer: 16, k: 16 }],
        }),
        { onLoaded: () => (mapped = mappings()) },
      );
      expect(results[0]!.error).toBeNull();
      return { numbers: JSON.stringify([results, comparisons]), mapped };
    };
    const [byMap, byRead] = [await evaluated('map'), await evaluated('read')];
    expect(byRead.numbers).toBe(byMap.numbers);
    // The model's bfloat16 is converted.
    expect(byMap.mapped).toEqual([sae]);
    expect(byRead.mapped).toEqual([]);
  });
});
