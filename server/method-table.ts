/**
 * Methods of each address, for 405 and its Allow header: the router only says that nothing matched.
 */
import type { FastifyInstance } from 'fastify';

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

/**
 * The address that was probably meant: without what stands before it (`before`), or with the
 * missing `/v1`; null if there is none.
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
  return null;
}

/** Methods that an address takes, sorted; empty if it does not exist. */
export function methodsAt(app: FastifyInstance, url: string): string[] {
  const path = pathOf(url);
  const methods = new Set<string>();
  for (const row of tables.get(app.server)?.values() ?? [])
    if (row.pattern.test(path)) for (const method of row.methods) methods.add(method);
  return [...methods].sort();
}
