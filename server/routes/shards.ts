/** `/v1/evaluations/:id/shards` and `/v1/workers`: who computes what, on a server with a queue. */
import { SaeEvalError } from '../../src/errors.js';
import { samplesOf, type ShardPlan } from '../../src/evaluation/shards/plan.js';
import { shardListSchema, workerListSchema, type ShardList } from '../../src/schema/shards.js';
import type { Services } from '../services.js';
import type { ShardState } from '../shards/active-run.js';
import type { SeenWorker } from '../shards/worker-list.js';
import { problems, type Api } from './api.js';
import { existingSummary, idParameters, mayKnow } from './records.js';

function listOf(
  plan: ShardPlan,
  stateOf: (index: number) => ShardState,
  workerOf: (index: number) => string | null,
): ShardList {
  const items = plan.shards.map((shard) => ({
    index: shard.index,
    state: stateOf(shard.index),
    batches: [...shard.batches],
    saes: plan.groups[shard.group]!,
    samples: samplesOf(plan, shard),
    worker: workerOf(shard.index),
  }));
  const done = items.filter(({ state }) => state === 'done').length;
  return { plan: plan.digest, done, total: items.length, items };
}

function shardsOf({ coordinator, queue }: Services, id: string): ShardList | null {
  const shared = queue.sharedRun(id);
  if (shared !== null)
    return shared.plan === null
      ? null
      : listOf(
          shared.plan,
          (index) => shared.stateOf(index),
          (index) => shared.workerOf(index),
        );
  if (coordinator === null) return null;
  const run = coordinator.run(id);
  if (run !== null)
    return run.plan === null
      ? null
      : listOf(
          run.plan,
          (index) => run.stateOf(index),
          (index) => run.running.get(index)?.id ?? null,
        );
  const store = coordinator.storeOf(id);
  const plan = store.plan();
  if (plan === null) return null;
  const missing = new Set(store.missing(plan));
  return listOf(
    plan,
    (index) => (missing.has(index) ? 'waiting' : 'done'),
    () => null,
  );
}

const workerOf = (
  { isAlive, state, machine, ...rest }: SeenWorker,
  { mayKnow, isAdmin }: { mayKnow: (id: string) => boolean; isAdmin: boolean },
) => ({
  id: rest.id,
  host: rest.host,
  device: rest.device,
  kind: machine,
  state: isAlive ? state : ('gone' as const),
  run: rest.run !== null && mayKnow(rest.run) ? rest.run : null,
  shard: rest.run !== null && mayKnow(rest.run) ? rest.shard : null,
  // It names files of any evaluation.
  problem: isAdmin ? rest.problem : null,
  seenSecondsAgo: Math.round(rest.seenSecondsAgo),
});

export function registerShards(app: Api, services: Services): void {
  app.route({
    method: 'GET',
    url: '/evaluations/:id/shards',
    schema: {
      operationId: 'listShards',
      tags: ['evaluations'],
      summary: 'List the shards of an evaluation that several workers or GPUs compute',
      params: idParameters,
      response: {
        200: shardListSchema.describe('The list.'),
        ...problems(404, 406, 500),
      },
    },
    handler: async (request) => {
      const { id } = existingSummary(services, request, request.params.id);
      const shards = shardsOf(services, id);
      if (shards === null)
        throw new SaeEvalError(
          'not-found',
          `Evaluation ${id} has no shards: it has not begun, or one process computes it.`,
        );
      return shards;
    },
  });
  app.route({
    method: 'GET',
    url: '/workers',
    schema: {
      operationId: 'listWorkers',
      tags: ['operations'],
      summary: 'List the workers of the queue; empty on a server without one',
      response: { 200: workerListSchema.describe('The list.'), ...problems(406) },
    },
    handler: async (request) => ({
      items: (services.coordinator?.workers() ?? []).map((worker) =>
        workerOf(worker, {
          mayKnow: (id) => mayKnow(services, request, id),
          isAdmin: request.keyRole === 'admin',
        }),
      ),
    }),
  });
}
