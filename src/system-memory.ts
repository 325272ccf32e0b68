/**
 * Memory that this machine's processes may take: in a control group with a limit (a container, a
 * job of a scheduler), less than what is built in. Version 1 and version 2 of control groups are
 * read, and the groups around this process's own. Files that the system keeps in memory count as
 * free: it drops them when memory is needed.
 */
import { readFileSync } from 'node:fs';
import { freemem, totalmem } from 'node:os';
import { join } from 'node:path';

export interface MemoryCounts {
  totalBytes: number;
  freeBytes: number;
}

/** Names of the files of a control group. */
interface Version {
  limit: string;
  usage: string;
  /** Lines of `memory.stat` that count files in memory, of the group and those below it. */
  files: readonly string[];
}

const versions: Record<1 | 2, Version> = {
  1: {
    limit: 'memory.limit_in_bytes',
    usage: 'memory.usage_in_bytes',
    files: ['total_inactive_file', 'total_active_file'],
  },
  2: { limit: 'memory.max', usage: 'memory.current', files: ['inactive_file', 'active_file'] },
};

function contentOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

/** Limit of one group and what it leaves; null if it has none. */
function limitOf(folder: string, { limit, usage, files }: Version): MemoryCounts | null {
  const totalBytes = Number(contentOf(join(folder, limit)) ?? Number.NaN);
  const used = Number(contentOf(join(folder, usage)) ?? Number.NaN);
  // No limit is `max`, or a number near 2⁶³.
  if (!(totalBytes < totalmem()) || Number.isNaN(used)) return null;
  const stat = contentOf(join(folder, 'memory.stat')) ?? '';
  const inFiles = files.reduce(
    (sum, name) => sum + Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(stat)?.[1] ?? 0),
    0,
  );
  return { totalBytes, freeBytes: Math.max(0, totalBytes - Math.max(0, used - inFiles)) };
}

/** A group and those around it, up to the root that this process sees. */
function chain(root: string, path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '' && part !== '..');
  return Array.from({ length: parts.length + 1 }, (_, n) =>
    join(root, ...parts.slice(0, parts.length - n)),
  );
}

/**
 * The tightest limits of this process's control groups.
 * @param options.groups content of `/proc/self/cgroup`.
 * @param options.mounted folder at which control groups are mounted.
 */
export function controlGroupMemory({
  groups = contentOf('/proc/self/cgroup') ?? '',
  mounted = '/sys/fs/cgroup',
}: { groups?: string; mounted?: string } = {}): MemoryCounts | null {
  const limits = groups.split('\n').flatMap((line) => {
    const [, controllers = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    const isFirst = controllers.split(',').includes('memory');
    if (!isFirst && controllers !== '') return [];
    const root = isFirst ? join(mounted, 'memory') : mounted;
    return chain(root, path).flatMap((folder) => limitOf(folder, versions[isFirst ? 1 : 2]) ?? []);
  });
  if (limits.length === 0) return null;
  return {
    totalBytes: Math.min(...limits.map(({ totalBytes }) => totalBytes)),
    freeBytes: Math.min(...limits.map(({ freeBytes }) => freeBytes)),
  };
}

/** Memory of the machine, or of this process's share of it. */
export function systemMemory(): MemoryCounts {
  const group = controlGroupMemory();
  const totalBytes = Math.min(totalmem(), group?.totalBytes ?? Infinity);
  const freeBytes = Math.min(freemem(), group?.freeBytes ?? Infinity);
  return { totalBytes, freeBytes: Math.min(freeBytes, totalBytes) };
}
