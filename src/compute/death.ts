/** Says in one sentence why a child process ended. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Death {
  /** One sentence for the user. */
  sentence: string;
  /**
   * Whether the job itself explains it (out of memory, a crash in native code): then there is no
   * use in trying again.
   */
  explained: boolean;
}

function contentOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

/**
 * Times that the kernel killed a process of this control group, of version 1 or 2, for want of
 * memory; null if it cannot be told.
 * @param options.groups content of `/proc/self/cgroup`.
 * @param options.mounted folder at which control groups are mounted.
 */
export function outOfMemoryKills({
  groups = contentOf('/proc/self/cgroup') ?? '',
  mounted = '/sys/fs/cgroup',
}: { groups?: string; mounted?: string } = {}): number | null {
  for (const line of groups.split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) continue;
    const isFirst = controllers.split(',').includes('memory');
    if (!isFirst && controllers !== '') continue;
    const root = isFirst ? join(mounted, 'memory') : mounted;
    const name = isFirst ? 'memory.oom_control' : 'memory.events';
    // In a container the group of the path may be mounted as the root.
    for (const folder of [join(root, path), root]) {
      const count = /^oom_kill (\d+)$/m.exec(contentOf(join(folder, name)) ?? '')?.[1];
      if (count !== undefined) return Number(count);
    }
  }
  return null;
}

const crashes: Record<string, string> = {
  SIGSEGV: 'it read or wrote memory that is not its own (a fault in native code)',
  SIGABRT: 'native code gave up',
  SIGBUS: 'a file that it had mapped became shorter, or its memory failed',
  SIGILL: 'the processor does not know an instruction of libtorch',
  SIGFPE: 'a fault of arithmetic in native code',
};

/** The last line that says something, for the sentence. */
function lastWords(stderr: string): string {
  const lines = stderr
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('at ') && !/^Node\.js v/.test(line));
  const line =
    lines.findLast((text) => /error|abort|terminate|what\(\)|killed|memory/i.test(text)) ??
    lines.at(-1);
  return line === undefined ? '' : ` Its last words: ${line.slice(0, 300)}`;
}

export interface DeathCircumstances {
  code: number | null;
  signal: NodeJS.Signals | null;
  stderr: string;
  /** {@link outOfMemoryKills} when it started. */
  killsBefore: number | null;
}

export function describeDeath({ code, signal, stderr, killsBefore }: DeathCircumstances): Death {
  const words = lastWords(stderr);
  if (
    /JavaScript heap out of memory|std::bad_alloc|can't allocate memory|not enough memory/i.test(
      stderr,
    )
  ) {
    return { sentence: `The compute process ran out of memory.${words}`, explained: true };
  }
  if (signal === 'SIGKILL') {
    const kills = outOfMemoryKills();
    if (kills !== null && killsBefore !== null && kills > killsBefore) {
      return {
        sentence:
          'The compute process was killed because the machine ran out of memory; a smaller ' +
          'model, sequence length or dtype needs less.',
        explained: true,
      };
    }
    return {
      sentence: `The compute process was killed from outside (SIGKILL).${words}`,
      explained: false,
    };
  }
  if (signal !== null) {
    const why = crashes[signal];
    return {
      sentence:
        'The compute process was ended by ' +
        `${signal}${why === undefined ? '' : `: ${why}`}.${words}`,
      explained: why !== undefined,
    };
  }
  return {
    sentence:
      `The compute process ended with exit code ${code ?? 'unknown'} in the middle of its ` +
      `work.${words}`,
    explained: code !== 0 && words !== '',
  };
}
