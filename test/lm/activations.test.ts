/**
 * Activations that a configuration may name, against transformers
 * (fixtures/make_activations.py).
 */
import { readFileSync } from 'node:fs';
import { activate, activations } from '#src/lm/activation.js';
import { scope, tensor } from '#src/torch/index.js';
import { expect, it } from 'vitest';

const { x, values } = JSON.parse(
  readFileSync(new URL('fixtures/activations.json', import.meta.url), 'utf8'),
) as { x: number[]; values: Record<string, number[]> };

it('the fixture has every name', () =>
  expect(Object.keys(values).sort()).toEqual([...activations.keys()].sort()));

it.each(Object.keys(values))('%s', (name) => {
  const found = scope(() => activate(tensor(x), activations.get(name)!).toArray() as number[]);
  // float32; transformers writes some out in several operators: a rounding or two of values up to
  // 196
  found.forEach((value, i) =>
    expect(Math.abs(value - values[name]![i]!), `at ${x[i]}`).toBeLessThanOrEqual(
      1e-6 * Math.max(1, Math.abs(values[name]![i]!)),
    ),
  );
});
