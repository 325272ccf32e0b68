/** Wrong fields of a request: the path of each, and one message. */
import { parseRequest } from '#src/evaluation/request/parse.js';
import { describe, expect, it } from 'vitest';

const good = { model: 'm', dataset: { path: 'd' }, saes: [{ checkpoint: 'c' }] };
const sae = (fields: object): object => ({ ...good, saes: [{ checkpoint: 'c', ...fields }] });

describe('a request with a wrong field', () => {
  it.each([
    [{ ...good, saes: undefined }, 'saes', 'is missing; expected a list'],
    [{ ...good, saes: [] }, 'saes', 'expected at least 1 item, found []'],
    [sae({ k: 0 }), 'saes[0].k', 'expected at least 1, found 0'],
    [sae({ k: 1.5 }), 'saes[0].k', 'expected a whole number, found 1.5'],
    [
      sae({ kind: 'Top' }),
      'saes[0].kind',
      'expected one of TopK, RouteSAE, MLSAE, Vanilla, Gated, JumpReLU, Crosscoder, ' +
        'RandomK, found "Top"',
    ],
    [sae({ label: '' }), 'saes[0].label', 'expected at least 1 character, found ""'],
    [sae({ size: 1 }), 'saes[0].size', 'is not a field of a request'],
    [sae({ scale: 0 }), 'saes[0].scale', 'expected more than 0, found 0'],
    [
      { ...good, dataset: { path: 'd', seqLen: 2 ** 21 } },
      'dataset.seqLen',
      'expected at most 1048576, found 2097152',
    ],
    [{ ...good, inferK: '4' }, 'inferK', 'expected a number or a list, found "4"'],
    [{ ...good, inferK: 2.5 }, 'inferK', 'expected a whole number or a list, found 2.5'],
    [{ ...good, inferK: 0 }, 'inferK', 'expected at least 1, found 0'],
    [{ ...good, inferK: [] }, 'inferK', 'expected at least 1 item, found []'],
    [{ ...good, inferK: [4, 0] }, 'inferK[1]', 'expected at least 1, found 0'],
    [
      { ...good, inferK: 4, theta: 0.5 },
      'theta',
      'inferK and theta exclude each other: give one of them',
    ],
    [{ ...good, name: '' }, 'name', 'expected at least 1 character, found ""'],
    [{ ...good, tags: ['a', 7] }, 'tags[1]', 'expected a string, found 7'],
    [{ ...good, metadata: { commit: 7 } }, 'metadata.commit', 'expected a string, found 7'],
    [{ ...good, metadata: ['a'] }, 'metadata', 'expected an object, found ["a"]'],
    [
      { ...good, metadata: Object.fromEntries(Array.from({ length: 101 }, (_, i) => [i, 'x'])) },
      'metadata',
      'expected at most 100 entries',
    ],
    [{ ...good, device: 'tpu' }, 'device', 'expected cpu, cuda or cuda:N'],
  ])('%j names %s', (request, path, message) => {
    expect(() => parseRequest(request)).toThrowError(
      expect.objectContaining({
        code: 'request-invalid',
        message: `${path}: ${message}`,
        fields: [{ path, message }],
      }),
    );
  });

  it.each([
    [[good], 'a list'],
    [null, 'null'],
    ['text', '"text"'],
  ])('%j is no request', (request, found) => {
    expect(() => parseRequest(request)).toThrowError(
      `the request: expected an object, found ${found}`,
    );
  });
});
