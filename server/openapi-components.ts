/**
 * Components of the OpenAPI document without twins. The provider makes each schema twice, as
 * callers write it (`…Input`) and as the server does; few are used, and fewer differ.
 */

type Json = unknown;
type Components = Record<string, Json>;

const prefix = '#/components/schemas/';

function references(value: Json, found = new Set<string>()): Set<string> {
  if (typeof value !== 'object' || value === null) return found;
  for (const [key, inner] of Object.entries(value))
    if (key === '$ref' && typeof inner === 'string' && inner.startsWith(prefix))
      found.add(inner.slice(prefix.length));
    else references(inner, found);
  return found;
}

/** Names of the components that a value refers to, directly or through others. */
function reachable(from: Json, components: Components): Set<string> {
  const names = references(from);
  for (const name of names) references(components[name], names);
  return names;
}

function renamed(value: Json, names: ReadonlyMap<string, string>): Json {
  if (Array.isArray(value)) return value.map((one) => renamed(one, names));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      const name = key === '$ref' && typeof inner === 'string' ? inner.slice(prefix.length) : '';
      return [key, names.has(name) ? `${prefix}${names.get(name)!}` : renamed(inner, names)];
    }),
  );
}

const withoutInput = (name: string): string => name.replace(/Input$/, '');

/**
 * A document with the components in use alone. What callers write has the plain name; if the server
 * answers with another form of it, in which defaults are filled in, that is `Resolved…`.
 */
export function withoutTwins<D extends { paths?: object; components?: object }>(document: D): D {
  const { schemas = {} } = document.components as { schemas?: Components };
  const used = [...reachable(document.paths, schemas)];
  const plain = new Map(used.map((name) => [name, withoutInput(name)]));
  const isSame = (name: string): boolean =>
    JSON.stringify(renamed(schemas[name], plain)) ===
    JSON.stringify(renamed(schemas[`${name}Input`], plain));
  const names = new Map(
    used.map((name) => [
      name,
      name.endsWith('Input') || !used.includes(`${name}Input`) || isSame(name)
        ? withoutInput(name)
        : `Resolved${name}`,
    ]),
  );
  return {
    ...document,
    paths: renamed(document.paths, names),
    components: {
      ...document.components,
      schemas: Object.fromEntries(
        used.sort().map((name) => [names.get(name)!, renamed(schemas[name], names)]),
      ),
    },
  };
}
