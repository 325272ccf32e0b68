/** The changes from one request to another, as a JSON Merge Patch (RFC 7396). */

const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);

/** What of `to` differs from `from`; null takes a field back to its default. */
export function patchOf(from, to) {
  const given = Object.entries(to).flatMap(([name, value]) => {
    const before = from[name];
    if (JSON.stringify(before) === JSON.stringify(value)) return [];
    return [[name, isObject(value) ? patchOf(isObject(before) ? before : {}, value) : value]];
  });
  const left = Object.keys(from).filter((name) => !(name in to));
  return Object.fromEntries([...given, ...left.map((name) => [name, null])]);
}
