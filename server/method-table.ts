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

/** Methods that an address takes, sorted; empty if it does not exist. */
export function methodsAt(app: FastifyInstance, url: string): string[] {
  const path = url.split('?', 1)[0]!;
  const methods = new Set<string>();
  for (const row of tables.get(app.server)?.values() ?? [])
    if (row.pattern.test(path)) for (const method of row.methods) methods.add(method);
  return [...methods].sort();
}
