/**
 * Methods of each address, for 405 and its Allow header: the router only says that nothing matched.
 */
import type { FastifyInstance } from 'fastify';
import { nearestName } from '../src/nearest-name.js';

interface Row {
  pattern: RegExp;
  methods: Set<string>;
}

const tables = new WeakMap<object, Map<string, Row>>();

function patternOf(url: string): RegExp {
  const source = url
    .split('/')
    .map((part) =>
      part === '*'
        ? '.*'
        : part.startsWith(':')
          ? '[^/]+'
          : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'),
    )
    .join('/');
  return new RegExp(`^${source}$`);
}

/** Call before routes are registered. */
export function recordMethods(app: FastifyInstance): void {
  const table = new Map<string, Row>();
  tables.set(app.server, table);
  app.addHook('onRoute', ({ url, method }) => {
    const row = table.get(url) ?? { pattern: patternOf(url), methods: new Set<string>() };
    for (const name of [method].flat()) row.methods.add(name);
    table.set(url, row);
  });
}

/** The path of an address, which may end in a slash or not. */
const pathOf = (url: string): string => url.split('?', 1)[0]!.replace(/(?<=.)\/$/, '');

/** The address that a path is but for one part, which was mistyped; null if there is none. */
function withoutSlip(app: FastifyInstance, path: string): string | null {
  const typed = path.split('/');
  for (const url of tables.get(app.server)?.keys() ?? []) {
    const parts = url.split('/');
    if (parts.length !== typed.length) continue;
    const wrong = parts.flatMap((part, i) =>
      part === typed[i] || part.startsWith(':') ? [] : [i],
    );
    const [at] = wrong;
    if (at === undefined || wrong.length > 1) continue;
    const meant = nearestName(typed[at]!, [parts[at]!]);
    if (meant !== null) return typed.map((part, i) => (i === at ? meant : part)).join('/');
  }
  return null;
}

/**
 * The address that was probably meant: without what stands before it (`before`), with the missing
 * `/v1`, or with a part spelled as it is; null if there is none.
 */
export function likelyAddress(
  app: FastifyInstance,
  url: string,
): { address: string; before: string } | null {
  const path = pathOf(url).slice(0, 500);
  if (methodsAt(app, `/v1${path}`).length > 0) return { address: `/v1${path}`, before: '' };
  for (let at = path.indexOf('/', 1); at > 0; at = path.indexOf('/', at + 1)) {
    const address = path.slice(at);
    if (address !== '/' && methodsAt(app, address).length > 0)
      return { address, before: path.slice(0, at) };
  }
  const address = withoutSlip(app, path);
  return address === null ? null : { address, before: '' };
}

/** Methods that an address takes, sorted; empty if it does not exist. */
export function methodsAt(app: FastifyInstance, url: string): string[] {
  const path = pathOf(url);
  const methods = new Set<string>();
  for (const row of tables.get(app.server)?.values() ?? [])
    if (row.pattern.test(path)) for (const method of row.methods) methods.add(method);
  return [...methods].sort();
}
