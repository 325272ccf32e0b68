/**
 * A lock between processes: a file that exists while its holder works and that the holder touches
 * every two seconds. Another process takes it over if the holder is dead, or if nobody has touched
 * it for a while, since the holder may be in another container or on another host.
 */
import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';

interface Holder {
  token: string;
  pid: number;
  host: string;
}

const touchEvery = 2_000; // milliseconds
const staleAfter = 30_000; // a busy disk can hold up a touch for seconds

/** Runs `work` while holding the lock `path`. Calls `onWait` once if it has to wait. */
export async function withLock<T>(
  path: string,
  work: () => Promise<T>,
  options: { onWait?: () => void } = {},
): Promise<T> {
  await mkdir(dirname(path), { recursive: true });
  const token = randomUUID();
  const holder: Holder = { token, pid: process.pid, host: hostname() };
  let waiting = false;
  while (!(await take(path, holder))) {
    if (await isStale(path)) {
      await breakLock(path);
      continue;
    }
    if (!waiting) options.onWait?.();
    waiting = true;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  const touch = setInterval(
    () => void utimes(path, new Date(), new Date()).catch(() => undefined),
    touchEvery,
  );
  try {
    return await work();
  } finally {
    clearInterval(touch);
    if ((await readHolder(path))?.token === token) await rm(path, { force: true });
  }
}

async function take(path: string, holder: Holder): Promise<boolean> {
  // Written aside and linked, so that nobody reads a half-written lock.
  const draft = `${path}.${holder.token}`;
  await writeFile(draft, JSON.stringify(holder));
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  } finally {
    await rm(draft, { force: true });
  }
}

async function isStale(path: string): Promise<boolean> {
  const holder = await readHolder(path);
  if (holder?.host === hostname() && !isAlive(holder.pid)) return true;
  const touched = await stat(path).catch(() => null);
  return touched !== null && Date.now() - touched.mtimeMs > staleAfter;
}

async function breakLock(path: string): Promise<void> {
  const seen = await readHolder(path);
  const aside = `${path}.${randomUUID()}`;
  const moved = await rename(path, aside).then(
    () => true,
    () => false,
  );
  if (!moved) return;
  // Between the look and the move, another process may have broken the lock and taken it: it gets
  // its lock back.
  const taken = await readHolder(aside);
  if (taken !== null && taken.token !== seen?.token) await link(aside, path).catch(() => undefined);
  await rm(aside, { force: true });
}

async function readHolder(path: string): Promise<Holder | null> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Holder;
  } catch {
    return null;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
