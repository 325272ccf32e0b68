/**
 * Steps of a store's life, done by a process that may be killed or meet faults (store-process.mjs).
 */
import { resolvedRequestSchema } from '#src/schema/record.js';

const request = resolvedRequestSchema.parse({
  model: 'model',
  dataset: { path: 'text' },
  saes: [{ kind: 'TopK', checkpoint: 'sae.pt', layer: 1, k: 4 }],
});

const insert = (id) => (store) =>
  void store.evaluations.insert({
    id,
    device: 'cpu',
    submittedBy: null,
    client: 'someone',
    request,
    paths: [],
    idempotencyKey: id,
    bodyHash: 'hash',
    trace: {},
  });

const result = (seed) => ({ numbers: Array.from({ length: 60 }, (_, i) => Math.sin(seed + i)) });
const died = { code: 'process-died', message: 'why', fields: [] };

/** Each changes what `stateOf` shows. */
export const steps = [
  insert('a'),
  insert('b'),
  (store) => store.jobs.start('a'),
  (store) => store.jobs.finish('a', 'succeeded', { result: result(1) }),
  insert('c'),
  (store) => store.jobs.start('b'),
  (store) => store.jobs.requeue('b'),
  (store) => store.jobs.start('b'),
  (store) => store.jobs.finish('b', 'failed', { error: died }),
  (store) => store.evaluations.remove('a'),
  insert('d'),
  (store) => store.jobs.finish('c', 'cancelled', { result: result(2) }),
];

/** Everything that is served of a store, but times. */
export function stateOf(store) {
  const { items, damaged } = store.evaluations.list({ limit: 100 });
  const records = items.map(({ id }) => {
    const { status, attempts, error, result: own } = store.evaluations.record(id);
    return { id, status, attempts, error, own };
  });
  return JSON.stringify({ records, damaged });
}
