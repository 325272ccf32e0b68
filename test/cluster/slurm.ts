/**
 * A real Slurm: a controller and nodes in hosts of a network, with two partitions. Jobs in `high`
 * preempt those in `low`, which are put back into the queue.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CommandOptions, Host, HostCommand } from './host.js';
import type { Network } from './network.js';
import { startService } from './service.js';
import { slurmSettings } from './slurm-settings.js';
import { until } from './until.js';

/** Programs that this needs. */
export const slurmPrograms = ['slurmctld', 'slurmd', 'munged', 'sbatch'] as const;

/** Slurm's states of a job that has ended. */
const hasEnded = /^(COMPLETED|FAILED|CANCELLED|TIMEOUT|NODE_FAIL|OUT_OF_MEMORY|BOOT_FAIL)/;

export interface Task {
  /** Id of the job of this task. */
  job: number;
  /** Index in its array; null if the job is none. */
  index: number | null;
  state: string;
  exitCode: number;
  /** Number of times it was put back into the queue. */
  restarts: number;
  node: string;
}

export class Slurm {
  readonly #folder: string;
  readonly #munge: Host;
  readonly controller: Host;
  readonly nodes: readonly Host[];
  readonly #daemons = new Map<Host, HostCommand>();

  /** @param folder for keys, state and logs; it is made. */
  constructor(network: Network, folder: string, { nodes = 2, cpus = 1 } = {}) {
    this.#folder = folder;
    // Nodes share one daemon for credentials, which dies with none of them.
    this.#munge = network.addHost('munge');
    this.controller = network.addHost('head');
    this.nodes = Array.from({ length: nodes }, (_, i) => network.addHost(`node${i + 1}`));
    mkdirSync(join(folder, 'munge'), { recursive: true });
    writeFileSync(
      join(folder, 'slurm.conf'),
      slurmSettings({ folder, controller: this.controller, nodes: this.nodes, cpus }),
    );
  }

  async start(): Promise<void> {
    const munge = (name: string): string => join(this.#folder, 'munge', name);
    writeFileSync(munge('key'), randomBytes(128), { mode: 0o400 });
    await startService(this.#munge, {
      command: 'munged',
      args: [
        ...['--force', '--foreground', `--key-file=${munge('key')}`],
        ...[`--socket=${munge('socket')}`, `--pid-file=${munge('pid')}`],
        ...[`--seed-file=${munge('seed')}`],
      ],
      ready: /Found \d+ user/,
    });
    await this.startController();
    await Promise.all(this.nodes.map((node) => this.startNode(node)));
    await this.#until(async () => (await this.idleNodes()) === this.nodes.length, 'idle nodes');
  }

  async startController(): Promise<void> {
    await this.#startDaemon(this.controller, 'slurmctld', ['-D', '-i', '-v'], /Running as primary/);
  }

  /** Starts the daemon of a node whose processes were killed, too. */
  async startNode(node: Host): Promise<void> {
    const args = ['-D', '-v', '-N', node.name];
    await this.#startDaemon(node, 'slurmd', args, /slurmd started on/);
  }

  async #startDaemon(
    host: Host,
    command: string,
    args: readonly string[],
    ready: RegExp,
  ): Promise<void> {
    const options = { command, args, ready, ...this.#options() };
    this.#daemons.set(host, await startService(host, options));
  }

  /** Kills all processes of a node; the controller is told, as its own look takes minutes. */
  async killNode(node: Host): Promise<void> {
    await node.kill();
    await this.#control('update', `NodeName=${node.name}`, 'State=DOWN', 'Reason=killed');
  }

  /** Takes a node back whose daemon runs again. */
  async reviveNode(node: Host): Promise<void> {
    await this.startNode(node);
    await this.#until(async () => {
      const { stdout } = await this.ask('sinfo', '-h', '-n', node.name, '-o', '%T');
      if (/down/.test(stdout))
        await this.ask('scontrol', 'update', `NodeName=${node.name}`, 'State=RESUME');
      return /^(idle|mixed|allocated)\s/.test(stdout);
    }, `${node.name} to be back`);
  }

  /** Number of nodes without work. */
  async idleNodes(): Promise<number> {
    const { stdout } = await this.ask('sinfo', '-h', '-p', 'low', '-t', 'idle', '-o', '%D');
    return Number(stdout.trim() || 0);
  }

  /** Submits a batch job. @returns its id, which is the array's id too */
  async submit(args: readonly string[], options: CommandOptions = {}): Promise<number> {
    const { code, stdout, stderr } = await this.controller.run('sbatch', ['--parsable', ...args], {
      ...options,
      ...this.#options(options.env),
    });
    if (code !== 0) throw new Error(`sbatch ${args.join(' ')}: ${stderr}`);
    return Number.parseInt(stdout, 10);
  }

  /** The tasks of a job, those in the queue under the index that they wait for. */
  async tasks(job: number): Promise<Task[]> {
    const { stdout } = await this.ask('scontrol', 'show', 'job', '--oneliner', String(job));
    return stdout.split('\n').flatMap((line) => {
      const field = (name: string): string =>
        new RegExp(`(?:^|\\s)${name}=(\\S*)`).exec(line)?.[1] ?? '';
      if (field('JobId') === '') return [];
      const index = field('ArrayTaskId');
      return {
        job: Number(field('JobId')),
        index: /^\d+$/.test(index) ? Number(index) : null,
        state: field('JobState'),
        exitCode: Number(field('ExitCode').split(':')[0]),
        restarts: Number(field('Restarts')),
        node: field('NodeList'),
      };
    });
  }

  /**
   * Waits until all tasks of a job have ended. Tasks that were put back into the queue start at
   * once, without Slurm's wait of two minutes.
   */
  async untilEnded(job: number, { seconds = 120 } = {}): Promise<Task[]> {
    let tasks: Task[] = [];
    await this.#until(
      async () => {
        tasks = await this.tasks(job);
        for (const { job: id, state, restarts } of tasks)
          if (state === 'PENDING' && restarts > 0)
            await this.ask('scontrol', 'update', `JobId=${id}`, 'StartTime=now');
        return tasks.every(({ state }) => hasEnded.test(state));
      },
      `job ${job} to end`,
      seconds,
    );
    return tasks;
  }

  /** Environment of commands that ask this Slurm. */
  get environment(): Record<string, string> {
    return { SLURM_CONF: join(this.#folder, 'slurm.conf') };
  }

  /** Runs a command of Slurm on the controller's host. */
  async ask(
    command: string,
    ...args: readonly string[]
  ): Promise<{ stdout: string; code: number | null }> {
    return this.controller.run(command, args, this.#options());
  }

  async #control(...args: readonly string[]): Promise<void> {
    const { code, stdout } = await this.ask('scontrol', ...args);
    if (code !== 0) throw new Error(`scontrol ${args.join(' ')}: ${stdout}`);
  }

  #options(env: Readonly<Record<string, string>> = {}): CommandOptions {
    return { env: { ...env, ...this.environment } };
  }

  async #until(condition: () => Promise<boolean>, what: string, seconds = 60): Promise<void> {
    try {
      await until(condition, { what, seconds, every: 100 });
    } catch (thrown) {
      const { stdout } = await this.ask('squeue');
      throw new Error(`${(thrown as Error).message}\n${stdout}`, { cause: thrown });
    }
  }
}
