/** JSON Merge Patch (RFC 7396): objects are merged, null removes, everything else replaces. */

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Nesting below which nothing is merged: no request is as deep, and the stack has an end. */
const deepest = 32;

/** The patched value; neither argument is changed. */
export function mergePatch(target: unknown, patch: unknown, depth = 0): unknown {
  if (!isObject(patch) || depth === deepest) return patch;
  const merged = new Map(Object.entries(isObject(target) ? target : {}));
  for (const [name, value] of Object.entries(patch))
    if (value === null) merged.delete(name);
    else merged.set(name, mergePatch(merged.get(name), value, depth + 1));
  return Object.fromEntries(merged);
}
