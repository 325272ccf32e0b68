/** Settings of a server and their defaults (docs/reference/operations.md). */
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { SaeEvalError } from '../src/errors.js';
import { defaultLimits } from '../src/compute/signs-of-life.js';
import { systemMemory } from '../src/evaluation/run/device-memory.js';
import { check } from '../src/schema/faults.js';
import { isProxyEntry } from './base-path.js';
import { connectionsThatFit } from './connections.js';
import { originOf } from './cors.js';

const nonNegative = z.number().min(0);
const seconds = nonNegative.max(31_536_000);

export const serverOptionsSchema = z.strictObject({
  host: z
    .string()
    .default('127.0.0.1')
    .describe('Address to listen on. Without API keys it must be a loopback address.'),
  port: z
    .number()
    .int()
    .min(0)
    .max(65_535)
    .default(8787)
    .describe('Port to listen on; 0: any free port.'),
  roots: z
    .array(z.string().min(1))
    .min(1)
    .default(['.'])
    .describe('Folders below which requests may name files; the first that has a path wins.'),
  db: z
    .string()
    .min(1)
    .default('sae-eval.db')
    .describe('SQLite file of all evaluations. Journals lie beside it.'),
  apiKeys: z.string().min(1).optional().describe('File of hashed API keys.'),
  apiKey: z
    .string()
    .min(16)
    .optional()
    .describe('One API key in plain text; better set as SAE_EVAL_API_KEY.'),
  shared: z
    .boolean()
    .default(false)
    .describe('Whether every API key may read evaluations whose requests do not say.'),
  maxQueued: nonNegative.int().default(1000).describe('Most evaluations that wait.'),
  maxQueuedPerClient: nonNegative
    .int()
    .default(200)
    .describe('Most evaluations of one API key or address that wait.'),
  modelCacheBytes: nonNegative
    .default(() => Math.floor(systemMemory().totalBytes / 4))
    .describe(
      'Bytes of models and SAEs that each compute process keeps loaded between ' +
        'evaluations; 0: none.',
    ),
  weights: z
    .enum(['auto', 'map', 'read'])
    .default('auto')
    .describe(
      'How weights come into memory: mapped, read, or (auto) read from network file systems and ' +
        'mapped from others.',
    ),
  computeNice: z
    .number()
    .int()
    .min(0)
    .max(19)
    .default(5)
    .describe('Niceness of compute processes, so that the server answers at once.'),
  queue: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Address of a queue (Redis, Valkey or PostgreSQL) whose workers compute the evaluations; ' +
        'may hold a password, so better set as SAE_EVAL_QUEUE.',
    ),
  runs: z
    .string()
    .min(1)
    .optional()
    .describe('Folder of runs in shards, which the workers share; default: DB.runs.'),
  localWorkers: z
    .union([z.literal('all'), nonNegative.int()])
    .optional()
    .describe(
      'Devices of this machine that compute: `all`, or how many. Default: all, and none with ' +
        'a queue.',
    ),
  shardSamples: z
    .number()
    .int()
    .min(1)
    .optional()
    .describe('Samples of a shard, about; default 1,024, or fewer for small runs.'),
  saesPerShard: z.number().int().min(1).optional().describe('SAEs of a shard; default all.'),
  computeSilence: seconds
    .default(defaultLimits.silence)
    .describe(
      'Seconds without a sign of life after which a compute process is replaced; 0: no limit.',
    ),
  computeStall: seconds
    .default(defaultLimits.stall)
    .describe(
      'Seconds for which a compute process may do nothing, such as in the call of a driver, ' +
        'before it is replaced; 0: no limit.',
    ),
  jobTimeout: seconds.default(0).describe('Seconds an evaluation may compute; 0: no limit.'),
  keepDays: z
    .number()
    .positive()
    .max(36_500)
    .optional()
    .describe('Days that an evaluation is kept after its end; default: for ever.'),
  keepEvaluations: z
    .number()
    .int()
    .min(1)
    .optional()
    .describe('Ended evaluations that are kept, the newest ones; default: all.'),
  maxWatchers: nonNegative.int().default(1000).describe('Most open event streams.'),
  maxWatchersPerClient: nonNegative
    .int()
    .default(200)
    .describe('Most open event streams of one API key or address.'),
  requestsPerMinute: nonNegative
    .int()
    .default(6000)
    .describe('Most requests a minute of one API key or address.'),
  submissionsPerMinute: nonNegative
    .int()
    .default(600)
    .describe('Most submissions, and most inspections, a minute of one API key or address.'),
  bodyLimit: z.number().int().min(1024).default(1_048_576).describe('Most bytes of a body.'),
  requestTimeout: seconds
    .min(1)
    .default(30)
    .describe('Seconds within which a request must arrive completely.'),
  keepAlive: seconds
    .min(1)
    .default(75)
    .describe('Seconds after which a kept connection without a request is closed.'),
  maxConnections: z
    .number()
    .int()
    .min(1)
    .default(connectionsThatFit)
    .describe('Most open connections; further ones are closed at once.'),
  maxConnectionsPerClient: z
    .number()
    .int()
    .min(1)
    .default(() => Math.max(1, Math.floor(connectionsThatFit() / 2)))
    .describe('Most open connections of one address that is no trusted proxy.'),
  basePath: z
    .string()
    .regex(/^(?:\/[\w.~!$&'()*+;=:@%-]+)*\/?$/, 'expected a path such as /sae-eval')
    .transform((path) => path.replace(/\/$/, ''))
    .default('')
    .describe('Path under which a proxy passes requests on without stripping it.'),
  trustProxy: z
    .array(z.string().refine(isProxyEntry, 'expected an address, a subnet, loopback or private'))
    .default([])
    .describe('Proxies whose X-Forwarded headers are believed.'),
  cors: z
    .array(
      z
        .string()
        .refine((text) => originOf(text) !== null, 'expected an origin such as https://app.example')
        .transform((text) => originOf(text)!),
    )
    .default([])
    .describe('Origins whose pages may call the server and read its answers; `*`: any.'),
  inspectTimeout: seconds.min(1).default(30).describe('Seconds an inspection of files may take.'),
  heartbeat: seconds
    .min(0.05)
    .default(15)
    .describe('Seconds between heartbeats of an event stream.'),
  grace: seconds.default(10).describe('Most seconds between SIGTERM and the end.'),
  logLevel: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
});

export type ServerOptions = z.input<typeof serverOptionsSchema>;
export type ResolvedServerOptions = Omit<z.output<typeof serverOptionsSchema>, 'runs'> & {
  runs: string;
};

/** Environment variables and the options that they set. */
export const environmentVariables: Readonly<Record<string, keyof ServerOptions>> = {
  SAE_EVAL_HOST: 'host',
  SAE_EVAL_PORT: 'port',
  SAE_EVAL_ROOTS: 'roots',
  SAE_EVAL_DB: 'db',
  SAE_EVAL_API_KEYS: 'apiKeys',
  SAE_EVAL_API_KEY: 'apiKey',
  SAE_EVAL_SHARED: 'shared',
  SAE_EVAL_KEEP_DAYS: 'keepDays',
  SAE_EVAL_KEEP_EVALUATIONS: 'keepEvaluations',
  SAE_EVAL_LOG_LEVEL: 'logLevel',
  SAE_EVAL_BASE_PATH: 'basePath',
  SAE_EVAL_TRUST_PROXY: 'trustProxy',
  SAE_EVAL_CORS: 'cors',
  SAE_EVAL_MAX_QUEUED: 'maxQueued',
  SAE_EVAL_MAX_QUEUED_PER_CLIENT: 'maxQueuedPerClient',
  SAE_EVAL_MODEL_CACHE_BYTES: 'modelCacheBytes',
  SAE_EVAL_WEIGHTS: 'weights',
  SAE_EVAL_COMPUTE_NICE: 'computeNice',
  SAE_EVAL_QUEUE: 'queue',
  SAE_EVAL_RUNS: 'runs',
  SAE_EVAL_LOCAL_WORKERS: 'localWorkers',
  SAE_EVAL_SHARD_SAMPLES: 'shardSamples',
  SAE_EVAL_SAES_PER_SHARD: 'saesPerShard',
  SAE_EVAL_COMPUTE_SILENCE: 'computeSilence',
  SAE_EVAL_COMPUTE_STALL: 'computeStall',
  SAE_EVAL_JOB_TIMEOUT: 'jobTimeout',
  SAE_EVAL_REQUESTS_PER_MINUTE: 'requestsPerMinute',
  SAE_EVAL_SUBMISSIONS_PER_MINUTE: 'submissionsPerMinute',
};
/** Environment variable with the path of the settings file. */
export const configVariable = 'SAE_EVAL_CONFIG';
const textOptions = new Set<string>([
  ...['host', 'db', 'apiKeys', 'apiKey', 'logLevel', 'basePath', 'queue', 'runs', 'weights'],
]);

/** The value of a switch; a text that is none is refused with its name. */
function flagOf(text: string): boolean | string {
  if (text === '1' || text === 'true') return true;
  return text === '0' || text === 'false' ? false : text;
}

function fromEnvironment(env: NodeJS.ProcessEnv): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(environmentVariables).flatMap(([variable, option]): [string, unknown][] => {
      const text = env[variable];
      if (text === undefined || text === '') return [];
      if (option === 'roots') return [[option, text.split(':')]];
      if (option === 'trustProxy' || option === 'cors')
        return [[option, text.split(',').map((one) => one.trim())]];
      if (option === 'shared') return [[option, flagOf(text)]];
      const isText = textOptions.has(option) || text === 'all';
      return [[option, isText ? text : Number(text)]];
    }),
  );
}

function fromFile(path: string | undefined): Record<string, unknown> {
  if (path === undefined || path === '') return {};
  try {
    return z
      .record(z.string(), z.unknown())
      .parse(JSON.parse(readFileSync(path, 'utf8').replace(/^\uFEFF/, '')));
  } catch (cause) {
    throw new SaeEvalError(
      'configuration-invalid',
      `The configuration file ${path} cannot be used: expected a JSON object of settings ` +
        `(${cause instanceof Error ? cause.message : String(cause)}).`,
      { cause },
    );
  }
}

/**
 * The settings of a server. Flags win over the environment, the environment wins over the file
 * named by SAE_EVAL_CONFIG, and the file wins over the defaults.
 *
 * @throws SaeEvalError `configuration-invalid` naming the option.
 */
export function resolveServerOptions(
  given: ServerOptions = {},
  env: NodeJS.ProcessEnv = process.env,
): ResolvedServerOptions {
  const flags = Object.fromEntries(
    Object.entries(given).filter(([, value]) => value !== undefined),
  );
  const { data: options, faults } = check(
    serverOptionsSchema,
    { ...fromFile(env[configVariable]), ...fromEnvironment(env), ...flags },
    { of: 'the settings' },
  );
  if (faults !== null) {
    const { path, message } = faults[0]!;
    throw new SaeEvalError('configuration-invalid', `Setting ${path}: ${message}.`);
  }
  const roots = options.roots.map((root) => {
    try {
      const real = realpathSync(resolve(root));
      if (statSync(real).isDirectory()) return real;
    } catch (cause) {
      throw new SaeEvalError(
        'configuration-invalid',
        `The root folder ${root} does not exist; give an existing folder with --root.`,
        { cause },
      );
    }
    throw new SaeEvalError(
      'configuration-invalid',
      `The root ${root} is a file; give an existing folder with --root.`,
    );
  });
  const db = resolve(options.db);
  return { ...options, roots, db, runs: realFolder(options.runs ?? `${db}.runs`) };
}

/** The real path of a folder that may not be there yet. */
function realFolder(path: string): string {
  const folder = resolve(path);
  try {
    return join(realpathSync(dirname(folder)), basename(folder));
  } catch {
    return folder;
  }
}

/** Whether an address can be reached from this machine only. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}
