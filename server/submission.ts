/**
 * Takes an evaluation in: finds its device, has what it names checked in an inspect process, and
 * stores it.
 */
import { createHash, randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { FastifyRequest } from 'fastify';
import { SaeEvalError } from '../src/errors.js';
import { resolveDevice } from '../src/evaluation/run/device.js';
import { inspectRequest } from '../src/inspect/inspect.js';
import type { ResolvedRequest } from '../src/schema/request.js';
import { Roots } from './roots.js';
import type { Services } from './services.js';
import { carrierOf } from './tracing.js';

/** Name under which a caller takes part in fair order and limits. */
export function clientOf(request: FastifyRequest): string {
  return request.keyLabel ?? request.ip;
}

/** The same for bodies that say the same: key order and defaults do not matter. */
function bodyHash(request: ResolvedRequest): string {
  const sorted = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.map(sorted)
      : typeof value === 'object' && value !== null
        ? Object.fromEntries(
            Object.entries(value)
              .sort(([a], [b]) => (a < b ? -1 : 1))
              .map(([key, inner]) => [key, sorted(inner)]),
          )
        : value;
  return createHash('sha256')
    .update(JSON.stringify(sorted(request)))
    .digest('hex');
}

/**
 * A server that was started a moment ago does not know its devices yet: who comes early waits a
 * little.
 */
const longestStart = 20_000;

async function deviceFor({ machine, queue }: Services, request: ResolvedRequest): Promise<string> {
  for (
    const until = Date.now() + longestStart;
    machine.current === null && machine.problem === null && !queue.stopping && Date.now() < until;
  )
    await setTimeout(50);
  if (machine.current === null)
    throw new SaeEvalError(
      'unavailable',
      'No compute process has answered ' +
        `yet${machine.problem === null ? '' : `: ${machine.problem}`}.`,
    );
  return resolveDevice(
    request.device,
    machine.current.devices.map(({ name }) => name),
  );
}

/**
 * Checks what a request names, and stores it; with a known Idempotency-Key finds the evaluation of
 * that key.
 * @returns its id. @throws SaeEvalError naming the fields at fault; `queue-full`, `unavailable`,
 *   `idempotency-mismatch`.
 */
export async function submit(
  services: Services,
  caller: FastifyRequest,
  body: ResolvedRequest,
  idempotencyKey: string | null,
): Promise<string> {
  const { store, queue, roots, inspections, options } = services;
  const client = clientOf(caller);
  const hash = bodyHash(body);
  const known = idempotencyKey === null ? null : store.byIdempotencyKey(client, idempotencyKey);
  const same = (found: { id: string; bodyHash: string | null }): string => {
    if (found.bodyHash !== hash)
      throw new SaeEvalError(
        'idempotency-mismatch',
        'This Idempotency-Key came with another body before; use a new key for a new request.',
        { fields: [{ path: 'Idempotency-Key', message: 'was used with another body' }] },
      );
    return found.id;
  };
  if (known !== null) return same(known);
  const device = await deviceFor(services, body);
  const giveBack = queue.reserve(client);
  try {
    const paths = await roots.table(body);
    const checked = await inspections
      .through((signal) =>
        inspectRequest(body, paths, { timeoutMs: options.inspectTimeout * 1000, signal }),
      )
      .catch((thrown: unknown) => {
        throw thrown instanceof SaeEvalError ? Roots.hide(thrown, paths) : thrown;
      });
    return same(
      queue.submit({
        id: randomUUID(),
        device,
        submittedBy: caller.keyLabel,
        client,
        request: { ...checked, device },
        paths,
        idempotencyKey,
        bodyHash: hash,
        trace: carrierOf(caller.traceContext),
      }),
    );
  } finally {
    giveBack();
  }
}
