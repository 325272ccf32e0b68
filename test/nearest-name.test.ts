/** The name that was meant by a mistyped one. */
import { describe, expect, it } from 'vitest';
import { didYouMean, nearestName } from '#src/nearest-name.js';

const fields = ['batchSize', 'dataset', 'device', 'dtype', 'inferK', 'metrics', 'saes', 'theta'];

describe('nearestName', () => {
  it.each([
    ['batch_size', 'batchSize'],
    ['BatchSize', 'batchSize'],
    ['devcie', 'device'],
    ['dataste', 'dataset'],
    ['sae', 'saes'],
    ['dat', 'dataset'],
    ['infer-k', 'inferK'],
  ])('takes %s for %s', (typed, meant) => expect(nearestName(typed, fields)).toBe(meant));

  it.each(['foo', 'topk', '', '__', 'x'.repeat(1000)])('takes %s for none', (typed) =>
    expect(nearestName(typed, fields)).toBeNull(),
  );

  it('prefers the same letters to a beginning, and a beginning to a slip', () => {
    expect(nearestName('kl-div', ['KLDivPerToken', 'KLDiv'])).toBe('KLDiv');
    expect(nearestName('eval', ['serve', 'evaluate'])).toBe('evaluate');
  });

  it('stands in a sentence', () => {
    expect(didYouMean('devcie', fields)).toBe('; did you mean device?');
    expect(didYouMean('foo', fields)).toBe('');
  });
});
