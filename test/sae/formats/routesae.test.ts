/** The kind and the sizes of an SAE from the names and shapes of its tensors. */
import { describe, expect, it } from 'vitest';
import { type SaeEvalError } from '#src/errors.js';
import { inferKinds, resolveKind } from '#src/sae/formats/routesae.js';
import { kindNamed } from '#src/sae/kinds/kinds.js';
import { pythonRandint } from '#src/sae/kinds/python-random.js';
import { type saeKinds } from '#src/schema/index.js';

const shapesOf = (
  kind: (typeof saeKinds)[number],
  sizes = { d: 8, m: 32, R: 3 },
): Map<string, readonly number[]> => new Map(Object.entries(kindNamed(kind).tensors(sizes)));

describe('kinds from tensors', () => {
  it('knows which files look alike', () => {
    expect(inferKinds(shapesOf('TopK'))).toEqual(['TopK', 'MLSAE', 'Vanilla', 'RandomK']);
    for (const kind of ['RouteSAE', 'Gated', 'JumpReLU', 'Crosscoder'] as const)
      expect(inferKinds(shapesOf(kind))).toEqual([kind]);
    expect(resolveKind('a.pt', shapesOf('Crosscoder')).sizes).toEqual({ d: 8, m: 32, R: 3 });
  });

  it('wants the kind where files look alike', () => {
    expect(() => resolveKind('a.pt', shapesOf('Vanilla'))).toThrow(
      /a\.pt: this file could be TopK or MLSAE or Vanilla or RandomK; set `kind`/,
    );
    expect(resolveKind('a.pt', shapesOf('Gated')).kind.kind).toBe('Gated');
  });

  it.each([
    [
      'a missing tensor',
      'checkpoint-keys',
      /expected a tensor 'latent_bias' \[32\] for kind TopK/,
      (s: Map<string, readonly number[]>) => s.delete('latent_bias'),
    ],
    [
      'a foreign tensor',
      'checkpoint-keys',
      /tensor 'gate_bias' does not belong to kind (TopK|Gated)|expected a tensor 'mag_bias'/,
      (s: Map<string, readonly number[]>) => s.set('gate_bias', [32]),
    ],
    [
      'a wrong shape',
      'checkpoint-shape',
      /expected 'decoder\.weight' of shape \[8, 32\].*found \[32, 8\]/,
      (s: Map<string, readonly number[]>) => s.set('decoder.weight', [32, 8]),
    ],
    [
      'sizes that are no matrix',
      'checkpoint-shape',
      /expected 'encoder\.weight' of shape \[m, d\], found \[32\]/,
      (s: Map<string, readonly number[]>) => s.set('encoder.weight', [32]),
    ],
  ] as const)('names %s', (_, code, message, change) => {
    const shapes = shapesOf('TopK');
    change(shapes);
    for (const kind of ['TopK', undefined] as const) {
      try {
        resolveKind('a.pt', shapes, kind);
        expect.unreachable();
      } catch (error) {
        expect((error as SaeEvalError).code).toBe(code);
        expect((error as SaeEvalError).message).toMatch(message);
      }
    }
  });
});

describe("Python's random.randint", () => {
  it.each([
    [42, 4, 12, 5],
    [42, 2, 6, 2],
    [0, 4, 12, 10],
    [1, 4, 12, 6],
    [7, 8, 24, 18],
    [123, 3, 9, 3],
    [2026, 5, 5, 5],
    [4294967299, 4, 12, 5],
  ])('seed %i from %i to %i draws %i', (seed, low, high, drawn) => {
    expect(pythonRandint({ seed, low, high })).toBe(drawn);
  });
});
