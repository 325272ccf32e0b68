/** Accepts an evaluation: finds its device, has its files inspected, and stores it. */
import { createHash, randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { FastifyRequest } from 'fastify';
import { SaeEvalError } from '../src/errors.js';
import type { ParsedRequest } from '../src/evaluation/request/checkpoints/expand.js';
import { hidePaths } from '../src/evaluation/request/path-table.js';
import { askedDevice } from '../src/evaluation/run/device.js';
import { inspectRequest } from '../src/inspect/inspect.js';

import { expansionOf } from './expansion.js';
import { refuseIfGone } from './presence.js';
import { deviceFamilies } from './shards/families.js';
import type { Services } from './services.js';
import { carrierOf } from './tracing.js';

/** Name of a caller in fair order and limits: label of the API key, or address. */
export function clientOf(request: FastifyRequest): string {
  return request.keyLabel ?? request.ip;
}

/** What is submitted. */
export interface Submission {
  body: ParsedRequest;
  idempotencyKey: string | null;
  /** Id of the evaluation that is run again. */
  rerunOf?: string;
}

/** Equal for equal submissions: the order of keys and omitted defaults do not matter. */
function submissionHash({ body, rerunOf }: Submission): string {
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
    .update(JSON.stringify(sorted(body)) + (rerunOf ?? ''))
    .digest('hex');
}

/** Milliseconds that a request waits for the devices of a server that has just started. */
const longestStart = 20_000;

/** The kind of device that a server's workers compute a request on. */
function familyFor({ coordinator }: Services, { device: wanted }: ParsedRequest): string {
  const present = coordinator!.families();
  if (wanted !== undefined && (deviceFamilies as readonly string[]).includes(wanted)) return wanted;
  if (wanted !== undefined) {
    const message =
      `expected ${deviceFamilies.join(' or ')}, found ${wanted}: workers are chosen by the kind ` +
      'of their device';
    throw new SaeEvalError('device-unavailable', `device: ${message}`, {
      fields: [{ path: 'device', message }],
    });
  }
  if (present.length === 0)
    throw new SaeEvalError(
      'unavailable',
      'No worker is connected, so that nobody knows which device is meant. Start one with ' +
        'sae-eval worker, or name the device.',
    );
  return askedDevice(undefined, ['cpu', ...present.filter((name) => name !== 'cpu')]);
}

async function deviceFor(
  services: Services,
  request: ParsedRequest,
  signal: AbortSignal,
): Promise<string> {
  const { machine, queue } = services;
  if (services.coordinator !== null) return familyFor(services, request);

  for (
    const until = performance.now() + longestStart;
    machine.current === null &&
    machine.problem === null &&
    !queue.stopping &&
    !signal.aborted &&
    performance.now() < until;
  )
    await setTimeout(50);
  if (machine.current === null)
    throw new SaeEvalError(
      'unavailable',
      'No compute process has answered ' +
        `yet${machine.problem === null ? '' : `: ${machine.problem}`}.`,
    );
  return askedDevice(
    request.device,
    machine.current.devices.map(({ name }) => name),
  );
}

/**
 * Checks a request and stores it, or finds the evaluation of a known Idempotency-Key. Nothing is
 * stored for a caller that has left meanwhile.
 *
 * @param signal aborts if the caller leaves or its key is revoked.
 * @returns the id of the evaluation.
 * @throws SaeEvalError naming the fields at fault; `queue-full`, `unavailable`,
 *   `idempotency-mismatch`.
 */
export async function submit(
  services: Services,
  caller: FastifyRequest,
  submission: Submission,
  signal: AbortSignal,
): Promise<string> {
  const { body, idempotencyKey, rerunOf = null } = submission;
  const { store, queue, roots, inspections, options } = services;
  const client = clientOf(caller);
  const hash = submissionHash(submission);
  const known =
    idempotencyKey === null ? null : store.evaluations.byIdempotencyKey(client, idempotencyKey);
  const same = (found: { id: string; bodyHash: string | null }): string => {
    if (found.bodyHash !== hash)
      throw new SaeEvalError(
        'idempotency-mismatch',
        'This Idempotency-Key was used with another body; use a new key for a new request.',
        { fields: [{ path: 'Idempotency-Key', message: 'was used with another body' }] },
      );
    return found.id;
  };
  if (known !== null) return same(known);
  const device = await deviceFor(services, body, signal);
  const turn = { client, signal };
  const giveBack = queue.reserve(client);
  try {
    const expansion = await expansionOf(services, body, turn);
    const { request } = expansion;
    const paths = await roots.table(request);
    const checked = await inspections
      .through(turn, (ends) =>
        inspectRequest(request, paths, {
          timeoutMs: options.inspectTimeout * 1000,
          signal: ends,
        }),
      )
      .catch((thrown: unknown) => {
        throw expansion.told(thrown instanceof SaeEvalError ? hidePaths(thrown, paths) : thrown);
      });
    refuseIfGone(signal);
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
        rerunOf,
        trace: carrierOf(caller.traceContext),
      }),
    );
  } finally {
    giveBack();
  }
}
