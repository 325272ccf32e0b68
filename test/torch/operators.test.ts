/**
 * Answers of every kind of operator against PyTorch's numbers on the same inputs
 * (test/golden/operators/make.py).
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readCheckpoint } from '#src/checkpoint/read.js';
import { openTensors } from '#src/checkpoint/tensors.js';
import { Generator, isTensor, keep, operator, ops, scope, type Tensor } from '#src/torch/index.js';

type Result =
  | { t: string; dtype: string }
  | { float: string }
  | { re: number; im: number }
  | number
  | boolean
  | string
  | null
  | Result[];
type Call = [
  operator: string,
  positional: unknown[],
  named: Record<string, unknown>,
  result: Result,
];

const folder = new URL('../golden/operators/', import.meta.url);
const calls = JSON.parse(readFileSync(new URL('calls.json', folder), 'utf8')) as Call[];
const tensors = await readCheckpoint(new URL('tensors.safetensors', folder).pathname).then(
  (checkpoint) =>
    scope(
      () => new Map([...openTensors(checkpoint)].map(([name, tensor]) => [name, keep(tensor)])),
    ),
);

/**
 * Relative and absolute, by the dtype of the result. Both sides run kernels of the same libtorch;
 * what differs is the order of sums (threads, vector width of the CPU): some roundings of float32
 * (6e-8), more where a factorization amplifies them.
 */
const tolerances: Record<string, [relative: number, absolute: number]> = {
  float32: [2e-5, 2e-6],
  complex64: [2e-5, 5e-6],
  float64: [1e-9, 1e-11],
  complex128: [1e-9, 1e-11],
  bfloat16: [2 ** -7, 2 ** -8],
  float16: [2 ** -10, 2 ** -12],
  float8_e4m3fn: [0, 0],
  float8_e5m2: [0, 0],
};

function argument(given: unknown): unknown {
  if (Array.isArray(given)) return given.map(argument);
  if (typeof given !== 'object' || given === null) return given;
  const described = given as { t?: string; generator?: number; float?: string; call?: Call };
  if (described.t !== undefined) return tensors.get(described.t);
  if (described.generator !== undefined) return new Generator().manualSeed(described.generator);
  if (described.float !== undefined) return Number(described.float.replace('inf', 'Infinity'));
  if (described.call !== undefined)
    return call(described.call[0], described.call[1], described.call[2]);
  return given; // { re, im }
}

function call(name: string, positional: unknown[], named: Record<string, unknown>): unknown {
  return operator(name)(
    ...positional.map(argument),
    Object.fromEntries(Object.entries(named).map(([key, value]) => [key, argument(value)])),
  );
}

function compareTensors(found: Tensor, expected: Tensor, dtype: string): void {
  expect(found.dtype).toBe(dtype);
  const flat = dtype.startsWith('complex') ? ops.view_as_real(found.resolve_conj()) : found;
  expect(flat.shape).toEqual(expected.shape);
  const [relative, absolute] = tolerances[dtype] ?? [0, 0];
  const a = flat.to({ dtype: 'float64' });
  const b = expected.to({ dtype: 'float64' });
  const close = operator('isclose')(a, b, relative, absolute, true) as Tensor;
  if (!close.all().item<boolean>()) expect(a.toArray()).toEqual(b.toArray()); // shows both
}

function compare(found: unknown, expected: Result): void {
  if (Array.isArray(expected)) {
    expect(found).toHaveLength(expected.length);
    expected.forEach((one, i) => compare((found as unknown[])[i], one));
  } else if (typeof expected === 'object' && expected !== null && 't' in expected) {
    expect(isTensor(found)).toBe(true);
    compareTensors(found as Tensor, tensors.get(expected.t)!, expected.dtype);
  } else if (typeof expected === 'number' && !Number.isInteger(expected))
    expect(found).toBeCloseTo(expected, 5);
  else expect(found).toEqual(expected);
}

describe(
  `${calls.length} calls of ${new Set(calls.map(([name]) => name)).size} operators answer as ` +
    'PyTorch does',
  () => {
    it('are at least 300 operators', () =>
      expect(new Set(calls.map(([name]) => name)).size).toBeGreaterThanOrEqual(300));

    it.each(calls.map((one, i) => ({ i, name: one[0], one })))(
      '$i $name',
      ({ one: [name, positional, named, expected] }) => {
        scope(() => compare(call(name, positional, named), expected));
      },
    );
  },
);
