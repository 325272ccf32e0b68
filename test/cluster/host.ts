/**
 * A host of a cluster: network and UTS namespaces of its own, so an address and a host name of its
 * own. Files and process ids are those of the machine, as on nodes with a shared file system.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as wait } from 'node:timers/promises';
import { runCommand } from './run-command.js';

export interface HostPlace {
  name: string;
  /** IPv4 address on the network's bridge. */
  address: string;
  /** Name of the network namespace. */
  namespace: string;
  /** File at which the UTS namespace is mounted. */
  utsFile: string;
  /** The link's end at the bridge. */
  link: string;
}

/** A command that runs in a host. */
export interface HostCommand {
  child: ChildProcess;
  pid: number;
  /** Text that it has written to both streams until now. */
  output(): string;
  ended: Promise<Ended>;
}

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface CommandOptions {
  /** Added to the environment of the tests. */
  env?: Readonly<Record<string, string>>;
  cwd?: string;
}

export class Host {
  readonly name: string;
  readonly address: string;
  readonly #place: HostPlace;

  constructor(place: HostPlace) {
    this.#place = place;
    this.name = place.name;
    this.address = place.address;
  }

  /** Starts a command in the host. */
  start(command: string, args: readonly string[], options: CommandOptions = {}): HostCommand {
    const { namespace, utsFile } = this.#place;
    // nsenter becomes the command, so that the child's id is the command's.
    const child = spawn(
      'nsenter',
      [`--net=/run/netns/${namespace}`, `--uts=${utsFile}`, '--', command, ...args],
      {
        env: { ...process.env, ...options.env },
        cwd: options.cwd,
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    const text = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr'] as const)
      child[stream].setEncoding('utf8').on('data', (part: string) => (text[stream] += part));
    const ended = new Promise<Ended>((resolve, reject) => {
      child.once('error', reject);
      // A process that outlives a killed one may hold its streams: they get a moment, no more.
      child.once('exit', (code, signal) => {
        const finish = (): void => resolve({ code, signal, ...text });
        child.once('close', finish);
        setTimeout(finish, 500).unref();
      });
    });
    ended.catch(() => undefined);
    return { child, pid: child.pid!, output: () => text.stdout + text.stderr, ended };
  }

  /** Runs a command in the host to its end. */
  async run(
    command: string,
    args: readonly string[] = [],
    options: CommandOptions = {},
  ): Promise<Ended> {
    return this.start(command, args, options).ended;
  }

  /** Ids of all processes of the host. */
  processes(): number[] {
    return processesOf(this.#place.namespace);
  }

  /** Kills all processes at once, as a power failure does. */
  async kill(): Promise<void> {
    // A process may have started another one since it was listed.
    for (let ids = this.processes(); ids.length > 0; ids = this.processes()) {
      signalAll(ids, 'SIGKILL');
      await wait(5);
    }
  }

  /** Stops all processes where they stand; the network stays, and nobody answers. */
  freeze(): void {
    signalAll(this.processes(), 'SIGSTOP');
    signalAll(this.processes(), 'SIGSTOP');
  }

  thaw(): void {
    signalAll(this.processes(), 'SIGCONT');
  }

  /** Pulls the cable. */
  cut(): void {
    runCommand('ip', 'link', 'set', this.#place.link, 'down');
  }

  connect(): void {
    runCommand('ip', 'link', 'set', this.#place.link, 'up');
  }
}

export function processesOf(namespace: string): number[] {
  return (runCommand('ip', 'netns', 'pids', namespace).match(/\d+/g) ?? []).map(Number);
}

/** Sends a signal to processes, some of which may have ended. */
export function signalAll(ids: readonly number[], signal: NodeJS.Signals): void {
  for (const id of ids) {
    try {
      process.kill(id, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}
