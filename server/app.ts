/** Builds the server: everything but listening. */
import compress from '@fastify/compress';
import etag from '@fastify/etag';
import helmet from '@fastify/helmet';
import { randomUUID } from 'node:crypto';
import Fastify, { LogController, type FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { SaeEvalError } from '../src/errors.js';
import { registerGuard } from './auth/guard.js';
import { KeyRing } from './auth/keys.js';
import { LocalCallers, tokenIn } from './auth/local-token.js';
import { endWorkOfRevokedKeys } from './auth/revocation.js';
import { registerBasePath, trustedProxies, withoutBasePath } from './base-path.js';
import { Catalogue } from './catalogue.js';
import { boundConnections } from './connections.js';
import { registerCors } from './cors.js';
import { FairGate } from './fair-gate.js';
import { registerHeaderChecks } from './header-checks.js';
import { EventHub } from './jobs/events.js';
import { JobQueue } from './jobs/queue.js';
import { Retention } from './jobs/retention.js';
import { takeStore } from './jobs/take-store.js';
import { registerJsonBodies } from './json-body.js';
import { recordMethods } from './method-table.js';
import { Metrics } from './metrics.js';
import { registerDocuments } from './openapi.js';
import { isLoopback, resolveServerOptions, type ServerOptions } from './options.js';
import { registerOverload } from './overload.js';
import {
  codedError,
  refuseConnection,
  registerNotFound,
  registerProblems,
  sendProblem,
} from './problems.js';
import { registerRateLimit } from './rate-limit.js';
import { ResultReaders } from './result-readers.js';
import { Roots } from './roots.js';
import { registerCaller } from './routes/caller.js';
import { registerCatalogue } from './routes/catalogue.js';
import { registerEvaluations } from './routes/evaluations.js';
import { registerEvents, Streams } from './routes/events.js';
import { registerOperations } from './routes/operations.js';
import { registerPage } from './routes/page.js';
import { registerComparisons } from './routes/comparisons.js';
import { registerLatents } from './routes/latents.js';
import { registerReports } from './routes/reports.js';
import { RunComparer } from './run-comparer.js';
import { registerShards } from './routes/shards.js';
import { registerSubmissions } from './routes/submissions.js';
import type { MachineState, Services } from './services.js';
import { startWorkers } from './start-workers.js';
import { registerTracing } from './tracing.js';
import { registerUnread, UnreadAnswers } from './unread.js';
import { schemaCompilers } from './validation.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether the route reads the Accept header itself. */
    negotiates?: boolean;
    /** Whether the route answers with an event stream. */
    streams?: boolean;
  }
}

/** Stored records that are checked before the server listens, newest first; others when read. */
const checkedAtStart = 100;

/** A server that does not listen yet. `app.close()` stops it and everything that it started. */
export interface BuiltServer {
  app: FastifyInstance;
  services: Services;
}

/**
 * Builds the server.
 * @throws SaeEvalError `configuration-invalid`.
 */
export async function buildApp(
  given: ServerOptions = {},
  env: NodeJS.ProcessEnv = process.env,
): Promise<BuiltServer> {
  const options = resolveServerOptions(given, env);
  const keys = new KeyRing(options.apiKeys, options.apiKey);
  if (!keys.required && !isLoopback(options.host)) {
    throw new SaeEvalError(
      'configuration-invalid',
      'Without API keys the server listens on loopback only, found host ' +
        `${options.host}; give --api-keys FILE (see \`sae-eval keys add\`) or ` +
        'SAE_EVAL_API_KEY, or --host 127.0.0.1.',
    );
  }

  if (!keys.required && options.cors.includes('*'))
    throw new SaeEvalError(
      'configuration-invalid',
      'Without API keys, --cors * would let every page in the browser use the server; name the ' +
        'origins, or set keys.',
    );

  const app = Fastify({
    logger: {
      level: options.logLevel,
      redact: ['req.headers.authorization', 'req.headers.cookie'],
      base: null,
    },
    // The hook `onResponse` below writes one line for each request.
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => randomUUID(),
    bodyLimit: options.bodyLimit,
    requestTimeout: options.requestTimeout * 1000,
    connectionTimeout: 0,
    keepAliveTimeout: options.keepAlive * 1000,
    http: {
      connectionsCheckingInterval: Math.min(1000, options.requestTimeout * 500),
      maxHeaderSize: 16_384,
      headersTimeout: options.requestTimeout * 1000,
    },
    routerOptions: { maxParamLength: 200, ignoreTrailingSlash: true },
    rewriteUrl: ({ url = '/' }) => withoutBasePath(url, options.basePath),
    ...(options.trustProxy.length === 0 ? {} : { trustProxy: trustedProxies(options.trustProxy) }),
    clientErrorHandler: refuseConnection,
    frameworkErrors: (error, _, reply) => void sendProblem(reply, codedError(error)),
    schemaController: { compilersFactory: schemaCompilers },
    forceCloseConnections: 'idle',
    return503OnClosing: true,
  });

  const stopWaiting = boundConnections(app.server, {
    most: options.maxConnections,
    mostOfAddress: options.maxConnectionsPerClient,
    isProxy: trustedProxies(options.trustProxy),
    silenceMs: options.requestTimeout * 1000,
  });
  keys.onFault = (err) =>
    app.log.error({ err }, 'the file of API keys cannot be read; the keys read earlier stay valid');
  const { store, release } = await takeStore(options);
  const damaged = store.evaluations.damaged(checkedAtStart);
  if (damaged.length > 0)
    app.log.error(
      { evaluations: damaged },
      'stored records are damaged and will not be served; restore a back-up or remove them',
    );
  const local = keys.required ? null : new LocalCallers(tokenIn(`${options.db}.token`));
  const streams = new Streams();
  const hub = new EventHub();
  const roots = new Roots(options.roots);
  const machine: MachineState = { current: null, problem: null };
  const limits = { silence: options.computeSilence, stall: options.computeStall };
  const metrics: Metrics = new Metrics({
    store,
    watchers: () => streams.size,
    queue: () => queue,
    workers: () => services.coordinator?.workers() ?? [],
  });
  const queue: JobQueue = new JobQueue(store, hub, {
    journals: `${options.db}.journals`,
    maxQueued: options.maxQueued,
    maxQueuedPerClient: options.maxQueuedPerClient,
    jobTimeout: options.jobTimeout,
    cacheBytes: options.modelCacheBytes,
    computeNice: options.computeNice,
    weights: options.weights,
    runs: options.runs,
    shardSamples: options.shardSamples,
    saesPerShard: options.saesPerShard,
    limits,
    log: app.log,
    onEnd: (record) => {
      metrics.ended(record);
      retention.ended();
    },
  });
  const { keepDays, keepEvaluations } = options;
  const retention: Retention = new Retention({
    ...{ store, queue, keepDays, keepEvaluations },
    log: app.log,
  });
  const stopRevoking = endWorkOfRevokedKeys({ keys, store, queue, log: app.log });
  const unread = new UnreadAnswers();
  const services: Services = {
    options,
    roots,
    store,
    hub,
    queue,
    metrics,
    machine,
    coordinator: null,
    catalogue: new Catalogue(roots, { timeoutMs: options.inspectTimeout * 1000 }),
    inspections: new FairGate({
      atOnce: 3,
      atOncePerClient: 2,
      waiting: 2000,
      waitingPerClient: 200,
      full: 'Too many files are being inspected; try again in a moment.',
    }),
    reports: new ResultReaders(),
    reads: new ResultReaders({ longestMs: 30_000 }),
    comparer: new RunComparer({ niceness: options.computeNice }),
  };

  app.addHook('onRequest', async (request, reply) => void reply.header('x-request-id', request.id));
  recordMethods(app);
  registerBasePath(app, options);
  registerCors(app, options);
  registerTracing(app);
  registerProblems(app);
  registerJsonBodies(app);
  const countStranger = await registerRateLimit(app, options);
  await registerGuard(app, { keys, local, refused: countStranger, cors: options.cors });
  registerNotFound(app);
  registerHeaderChecks(app);
  registerUnread(app, unread);
  await registerPlugins(app);
  await registerDocuments(app, { withKeys: keys.required });

  await app.register(
    async (scope) => {
      const api = scope.withTypeProvider<ZodTypeProvider>();
      registerSubmissions(api, services);
      registerEvaluations(api, services);
      registerEvents(api, services, { streams, unread });
      registerReports(api, services);
      registerComparisons(api, services);
      registerLatents(api, services);
      registerCatalogue(api, services);
      registerShards(api, services);
      registerCaller(api);
    },
    { prefix: '/v1' },
  );
  registerOperations(app.withTypeProvider<ZodTypeProvider>(), services);
  await registerPage(app);

  app.addHook('onResponse', async (request, reply) => {
    request.log.info(
      {
        method: request.method,
        url: withoutKeys(request.url),
        status: reply.statusCode,
        milliseconds: Math.round(reply.elapsedTime * 10) / 10,
        client: request.keyLabel ?? request.ip,
      },
      'request',
    );
    metrics.answered(
      {
        method: request.method,
        route: request.routeOptions.url ?? 'none',
        status: reply.statusCode,
      },
      reply.elapsedTime / 1000,
    );
  });
  const workers =
    options.queue === undefined
      ? startWorkers({
          machine,
          queue,
          store,
          cacheBytes: options.modelCacheBytes,
          computeNice: options.computeNice,
          weights: options.weights,
          limits,
          localWorkers: options.localWorkers,
          log: app.log,
        })
      : (await import('./shards/start-sharing.js')).startSharing(services, options.queue, app.log);
  app.addHook('preClose', async () => {
    stopRevoking();
    streams.endAll();
    stopWaiting();
    services.inspections.close();
    services.comparer.close();
    services.catalogue.close();
    const readers = [services.reports.close(), services.reads.close()];
    workers.stop();
    await Promise.all([queue.stop(), ...readers, retention.stop()]);
  });
  app.addHook('onClose', async () => {
    await workers.done;
    release();
  });
  await app.ready();
  return { app, services };
}

/** Keeps a key out of the log if a caller put it into the address by mistake. */
function withoutKeys(url: string): string {
  return url.replaceAll(/sae_[\w-]{20,}/g, 'sae_…');
}

async function registerPlugins(app: FastifyInstance): Promise<void> {
  await app.register(helmet, {
    contentSecurityPolicy: {
      directives: { 'default-src': ["'none'"], 'frame-ancestors': ["'none'"] },
      useDefaults: false,
    },
    strictTransportSecurity: false,
  });
  registerOverload(app, { mostDelayMs: 3000, sampleMs: 1000 });
  // Before compression, so that the ETag is that of the uncompressed answer.
  await app.register(etag, { weak: true });
  await app.register(compress, { threshold: 4096, encodings: ['gzip', 'deflate'] });
}
