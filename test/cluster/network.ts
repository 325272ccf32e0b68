/**
 * A network of hosts on this machine: network namespaces (`ip netns`), each tied to one bridge by a
 * veth pair. Names carry the process id, so that two runs do not meet; what a killed run has left
 * is removed by the next one.
 */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { isRunning } from '../running.js';
import { Host, processesOf, signalAll } from './host.js';
import { runCommand, tryCommand } from './run-command.js';

/** Folder with the files at which UTS namespaces are mounted: one folder for each network. */
const runFolder = '/run/sae-eval-hosts';
let opened = 0;

export class Network {
  /** `PIDxN`: the process and a number within it. */
  readonly #id = `${process.pid}x${opened++}`;
  readonly #bridge = `sb${this.#id}`;
  readonly #folder = join(runFolder, this.#id);
  readonly #subnet = freeSubnet();
  readonly #hosts: Host[] = [];
  readonly #closeAtExit = (): void => this.close();
  /** Address of this process on the bridge. */
  readonly address = `${this.#subnet}.1`;

  constructor() {
    removeLeftovers();
    process.once('exit', this.#closeAtExit);
    try {
      mkdirSync(this.#folder, { recursive: true });
      runCommand('ip', 'link', 'add', this.#bridge, 'type', 'bridge');
      runCommand('ip', 'address', 'add', `${this.address}/24`, 'dev', this.#bridge);
      runCommand('ip', 'link', 'set', this.#bridge, 'up');
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Adds a host. @param name its host name, at most a few letters. */
  addHost(name: string): Host {
    const number = this.#hosts.length + 2;
    const place = {
      name,
      address: `${this.#subnet}.${number}`,
      namespace: `sae-eval-${this.#id}-${name}`,
      utsFile: join(this.#folder, name),
      link: `sv${this.#id}h${number}`,
    };
    const { namespace, link, utsFile } = place;
    runCommand('ip', 'netns', 'add', namespace);
    runCommand(
      ...(['ip', 'link', 'add', link, 'type', 'veth'] as const),
      ...['peer', 'name', 'eth0', 'netns', namespace],
    );
    runCommand('ip', 'link', 'set', link, 'master', this.#bridge, 'up');
    runCommand('ip', '-n', namespace, 'address', 'add', `${place.address}/24`, 'dev', 'eth0');
    for (const device of ['eth0', 'lo'])
      runCommand('ip', '-n', namespace, 'link', 'set', device, 'up');
    writeFileSync(utsFile, '');
    runCommand('unshare', `--uts=${utsFile}`, 'hostname', name);
    const host = new Host(place);
    this.#hosts.push(host);
    return host;
  }

  /** Kills all processes of all hosts and removes the network. */
  close(): void {
    process.off('exit', this.#closeAtExit);
    removeNetwork(this.#id);
  }
}

/** First three numbers of a network's addresses that no interface of the machine has. */
function freeSubnet(): string {
  const taken = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .map(({ address }) => address.split('.').slice(0, 3).join('.'));
  for (let number = process.pid + opened; ; number += 1) {
    const subnet = `10.${64 + ((number >> 8) % 64)}.${number % 256}`;
    if (!taken.includes(subnet)) return subnet;
  }
}

/** Removes the networks of processes that have ended. */
function removeLeftovers(): void {
  let ids: string[];
  try {
    ids = readdirSync(runFolder);
  } catch {
    return;
  }
  for (const id of ids) {
    if (isRunning(Number.parseInt(id, 10))) continue;
    try {
      removeNetwork(id);
    } catch {
      // Another run removes it at this moment.
    }
  }
}

function removeNetwork(id: string): void {
  const namespaces = runCommand('ip', 'netns', 'list')
    .split('\n')
    .map((line) => line.split(' ')[0]!)
    .filter((name) => name.startsWith(`sae-eval-${id}-`));
  for (const namespace of namespaces) {
    // A process may have started another one since it was listed.
    for (let ids = processesOf(namespace); ids.length > 0; ids = processesOf(namespace))
      signalAll(ids, 'SIGKILL');
    // Its veth pair goes with it.
    tryCommand('ip', 'netns', 'delete', namespace);
  }
  tryCommand('ip', 'link', 'delete', `sb${id}`);
  const folder = join(runFolder, id);
  for (const file of readdirSync(folder)) tryCommand('umount', join(folder, file));
  rmSync(folder, { recursive: true, force: true });
}
