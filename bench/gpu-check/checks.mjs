/** A check, and how its outcome becomes a row of the table. */

/** Thrown by a check that cannot be made on this machine. */
class Skipped extends Error {}

export function skip(reason) {
  throw new Skipped(reason);
}

/** @throws Error with `message` if the condition does not hold. */
export function expect(condition, message) {
  if (!condition) throw new Error(message);
}

/** Seconds since `from`, a number of `performance.now()`. */
export function secondsSince(from) {
  return (performance.now() - from) / 1000;
}

function reasonOf(thrown) {
  const [first, second = ''] = String(thrown?.message ?? thrown).split('\n');
  const code = thrown?.code === undefined ? '' : `${thrown.code}: `;
  return `${code}${first} ${second}`.trim().slice(0, 400);
}

/**
 * Runs one check, `{ name, body, needsGpu }`: what `body` returns is the row's detail, and what it
 * throws makes the row one that failed.
 */
export async function rowOf({ name, body, needsGpu = false }, { simulated }) {
  if (needsGpu && simulated) return { name, outcome: 'skipped', detail: 'needs a GPU' };
  const from = performance.now();
  try {
    const detail = (await body()) ?? '';
    return { name, outcome: 'ok', detail: `${detail} (${secondsSince(from).toFixed(1)} s)`.trim() };
  } catch (thrown) {
    const outcome = thrown instanceof Skipped ? 'skipped' : 'FAILED';
    return { name, outcome, detail: reasonOf(thrown) };
  }
}
