/** Tensors that view a mapped file. */
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mapFile } from '#src/torch/index.js';

describe('mapped files', () => {
  let folder: string;
  let path: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'sae-eval-'));
    path = join(folder, 'data');
    writeFileSync(path, new Uint8Array(Float32Array.from({ length: 64 }, (_, i) => i).buffer));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('views the bytes, with strides and at offsets', () => {
    const file = mapFile(path);
    expect(file.byteLength).toBe(256);
    expect(file.tensor({ byteOffset: 16, dtype: 'float32', shape: [2, 2] }).toArray()).toEqual([
      [4, 5],
      [6, 7],
    ]);
    expect(
      file.tensor({ byteOffset: 0, dtype: 'float32', shape: [2, 3], strides: [1, 8] }).toArray(),
    ).toEqual([
      [0, 8, 16],
      [1, 9, 17],
    ]);
    expect(file.tensor({ byteOffset: 0, dtype: 'int64', shape: [0, 5] }).shape).toEqual([0, 5]);
  });

  it('copies where the bytes are not aligned', () => {
    const file = mapFile(path);
    const odd = file.tensor({ byteOffset: 2, dtype: 'float32', shape: [1] });
    const bytes = readFileSync(path).subarray(2, 6);
    expect(odd.item()).toBe(new DataView(bytes.buffer, bytes.byteOffset).getFloat32(0, true));
  });

  it('keeps the mapping as long as a tensor lives, and never writes to the file', () => {
    const file = mapFile(path);
    const t = file.tensor({ byteOffset: 0, dtype: 'float32', shape: [64] });
    file.close();
    t.add_(1);
    expect(t.toArray()).toEqual(Array.from({ length: 64 }, (_, i) => i + 1));
    expect(readFileSync(path).readFloatLE(0)).toBe(0);
    expect(() => file.tensor({ byteOffset: 0, dtype: 'float32', shape: [1] })).toThrow(
      /was closed/,
    );
  });

  it.each([
    ['past the end', { byteOffset: 0, shape: [65] }],
    ['an offset past the end', { byteOffset: 1000, shape: [1] }],
    ['strides past the end', { byteOffset: 0, shape: [2, 2], strides: [100, 1] }],
    ['sizes that overflow', { byteOffset: 0, shape: [2 ** 40, 2 ** 40] }],
    ['a negative size', { byteOffset: 0, shape: [-1] }],
    ['a limit of its own', { byteOffset: 0, byteLength: 8, shape: [4] }],
  ])('refuses %s', (_, options) => {
    expect(() => mapFile(path).tensor({ dtype: 'float32', ...options })).toThrow();
  });

  it('says why a file cannot be mapped', () => {
    expect(() => mapFile(join(folder, 'none'))).toThrow(/No such file/);
    expect(() => mapFile(folder)).toThrow(/not a regular file/);
    const empty = join(folder, 'empty');
    writeFileSync(empty, 'x');
    truncateSync(empty, 0);
    expect(() => mapFile(empty)).toThrow(/an empty file/);
  });
});
