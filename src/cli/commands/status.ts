/** `sae-eval status` and `sae-eval cancel`: the state of a run in shards, and its end. */
import { FolderStore } from '../../evaluation/shards/folder-store.js';
import { statusOf } from '../../evaluation/shards/status.js';
import { shownJson } from '../../shown-text.js';

/** A time ago in a few words. */
function ago(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s ago`;
  return seconds < 7200
    ? `${Math.round(seconds / 60)} min ago`
    : `${Math.round(seconds / 3600)} h ago`;
}

/** A few of the missing shards. */
function few(missing: readonly number[]): string {
  return missing.slice(0, 16).join(', ') + (missing.length > 16 ? ', …' : '');
}

/** Prints which shards of a run are done, begun and missing. */
export function status(folder: string, { json = false }: { json?: boolean }): void {
  const found = statusOf(new FolderStore(folder));
  const { stdout } = process;
  if (json) {
    stdout.write(`${shownJson(found)}\n`);
    return;
  }
  const { shards, samples, begun, isCancelled, isMerged } = found;
  stdout.write(
    `${shards.done} of ${shards.total} shards are done, ` +
      `${samples.done} of ${samples.total} samples\n`,
  );
  if (shards.missing.length > 0) stdout.write(`missing: ${few(shards.missing)}\n`);
  for (const { shard, host, secondsAgo } of begun)
    stdout.write(`shard ${shard}: begun on ${host}, last written ${ago(secondsAgo)}\n`);
  if (isCancelled) stdout.write(`cancelled: remove ${folder}/cancel to go on\n`);
  if (shards.missing.length === 0)
    stdout.write(isMerged ? 'merged\n' : `ready: sae-eval merge ${folder}\n`);
}

/** Marks a run as cancelled, which the processes that compute it see within seconds. */
export function cancel(folder: string): void {
  const store = new FolderStore(folder);
  statusOf(store);
  store.cancel();
  process.stderr.write('cancelled; processes that compute a shard of it stop within seconds\n');
}
