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
        'RandomK, found "Top"; did you mean TopK?',
    ],
    [sae({ label: '' }), 'saes[0].label', 'expected at least 1 character, found ""'],
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
      { ...good, exclude: 'special' },
      'exclude',
      'expected one of none, specials, found "special"; did you mean specials?',
    ],
    [{ ...good, exclude: 7 }, 'exclude', 'expected none, specials or a list or an object, found 7'],
    [
      { ...good, exclude: { position: [1, 2] } },
      'exclude',
      'positions is missing; expected a list',
    ],
    [
      { ...good, inferK: 4, theta: 0.5 },
      'theta',
      'inferK and theta exclude each other: give one of them',
    ],
    [{ ...good, name: 'a\0b' }, 'name', 'must not contain a NUL character'],
    [{ ...good, name: '' }, 'name', 'expected at least 1 character, found ""'],
    [{ ...good, tags: ['a', 7] }, 'tags[1]', 'expected a string, found 7'],
    [{ ...good, metadata: { commit: 7 } }, 'metadata.commit', 'expected a string, found 7'],
    [{ ...good, metadata: ['a'] }, 'metadata', 'expected an object, found ["a"]'],
    [
      { ...good, metadata: Object.fromEntries(Array.from({ length: 101 }, (_, i) => [i, 'x'])) },
      'metadata',
      'expected at most 100 entries',
    ],
    [{ ...good, device: 'tpu' }, 'device', 'expected cpu, cuda or cuda:N, found "tpu"'],
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
    [{ batch_size: 4 }, 'batch_size', 'a request', 'batchSize'],
    [{ max_samples: 4 }, 'max_samples', 'a request', 'dataset.maxSamples'],
    [{ layer: 4 }, 'layer', 'a request', 'saes[].layer'],
    [{ foo: 4 }, 'foo', 'a request', null],
    [{ dataset: { path: 'd', seqlen: 4 } }, 'dataset.seqlen', 'dataset', 'seqLen'],
    [{ saes: [{ checkpoint: 'c', size: 1 }] }, 'saes[0].size', 'saes[]', null],
    [{ saes: [{ checkpoint: 'c', lable: 'x' }] }, 'saes[0].lable', 'saes[]', 'label'],
  ])('%j: %s is no field of %s, perhaps %s', (fields, path, owner, meant) => {
    expect(() => parseRequest({ ...good, ...fields })).toThrowError(
      expect.objectContaining({
        fields: [
          {
            path,
            message: expect.stringMatching(
              `^is not a field of ${owner.replace('[]', '\\[\\]')}; ` +
                `${meant === null ? '' : `did you mean ${meant.replace('[]', '\\[\\]')}\\? `}`,
            ) as string,
          },
        ],
      }),
    );
    expect(() => parseRequest({ ...good, ...fields })).toThrowError(
      owner === 'a request'
        ? /he fields are model, dataset, saes, .*batchSize, .*shared$/
        : owner === 'dataset'
          ? /The fields are path, .*seqLen/
          : /he fields are checkpoint, .*label$/,
    );
  });

  it('tells all of them at once', () => {
    expect(() => parseRequest({ foo: 1, batchSize: 0 })).toThrowError(
      expect.objectContaining({
        fields: ['model', 'dataset', 'saes', 'batchSize', 'foo'].map(
          (path) => expect.objectContaining({ path }) as object,
        ),
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
