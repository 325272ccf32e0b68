/** Fields of a request given as `--set path=value`, and the request among such arguments. */
import { describe, expect, it } from 'vitest';
import { withRequest } from '#src/cli/request-arguments.js';
import { setField } from '#src/cli/set-field.js';

const request = {
  model: 'm',
  dataset: { path: 'd' },
  saes: [{ kind: 'TopK', checkpoint: 'a' }, { checkpoint: 'b' }],
};

describe('setField', () => {
  it.each<[string, object]>([
    ['model=n', { ...request, model: 'n' }],
    ['name=1e', { ...request, name: '1e' }],
    ['name="1"', { ...request, name: '1' }],
    ['inferK=[4, 8]', { ...request, inferK: [4, 8] }],
    ['notes=a=b', { ...request, notes: 'a=b' }],
    ['dataset.maxSamples=5', { ...request, dataset: { path: 'd', maxSamples: 5 } }],
    ['saes.1.k=32', { ...request, saes: [request.saes[0], { checkpoint: 'b', k: 32 }] }],
    ['saes[1].k=32', { ...request, saes: [request.saes[0], { checkpoint: 'b', k: 32 }] }],
    ['saes.*.layer=3', { ...request, saes: request.saes.map((sae) => ({ ...sae, layer: 3 })) }],
    ['saes.0.kind=null', { ...request, saes: [{ checkpoint: 'a' }, { checkpoint: 'b' }] }],
    ['metadata.commit=ab1', { ...request, metadata: { commit: 'ab1' } }],
    ['exclude.positions=[1, null]', { ...request, exclude: { positions: [1, null] } }],
  ])('sets %s', (setting, expected) => expect(setField(request, setting)).toEqual(expected));

  it('leaves the request as it was', () => {
    const before = structuredClone(request);
    setField(request, 'saes.*.k=1');
    expect(request).toEqual(before);
  });

  it.each([
    ['saez.0.k=1', /'saez' is not a field of a request; did you mean saes\?/],
    ['dataset.max_samples=1', /'dataset.max_samples' is not a field.*did you mean maxSamples\?/],
    ['saes.2.k=1', /'saes.2': expected an index of the list \(0…1\) or \*, found 2/],
    ['saes.-1.k=1', /'saes.-1': expected an index of the list/],
    ['saes.k=1', /'saes.k': expected an index of the list/],
    ['model.x=1', /'model' holds no fields: found "m"/],
    ['seed.x=1', /'seed' holds no fields: found nothing there/],
    ['saes..k=1', /expected names and numbers between dots/],
    ['metadata.__proto__=1', /expected names and numbers between dots/],
    ['k', /expected a path, = and a value/],
    ['=1', /expected a path, = and a value/],
  ])('refuses %s', (setting, message) => expect(() => setField(request, setting)).toThrow(message));
});

describe('the request', () => {
  it('is found behind an option that takes several values', () => {
    const found = { request: 'r.json', set: ['a=1', 'b=2'], failIf: [] };
    expect(withRequest('r.json', { set: ['a=1', 'b=2'] })).toEqual(found);
    expect(withRequest(undefined, { set: ['a=1', 'b=2', 'r.json'] })).toEqual(found);
    expect(withRequest(undefined, { failIf: ['*.strict.L0 > 1', '-'], json: true })).toEqual({
      request: '-',
      set: [],
      failIf: ['*.strict.L0 > 1'],
      json: true,
    });
    expect(() => withRequest(undefined, { set: ['a=1'] })).toThrow('expected a file with');
    expect(() => withRequest(undefined, { set: ['r.json', 's.json'] })).toThrow('expected a file');
  });
});
