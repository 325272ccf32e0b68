/** A program that runs in a host until it is killed: a database, a scheduler's daemon. */
import type { CommandOptions, Host, HostCommand } from './host.js';

export interface ServiceStart extends CommandOptions {
  command: string;
  args: readonly string[];
  /** What its output holds when it is ready. */
  ready: RegExp;
  seconds?: number;
}

/** Starts a service and waits until it is ready. @throws with its output if it is not. */
export async function startService(
  host: Host,
  { command, args, ready, seconds = 30, ...options }: ServiceStart,
): Promise<HostCommand> {
  const service = host.start(command, args, options);
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      const fail = (what: string): void =>
        reject(new Error(`${command} on ${host.name}: ${what}:\n${service.output()}`));
      const look = (): void => {
        if (ready.test(service.output())) resolve();
      };
      service.child.stdout!.on('data', look);
      service.child.stderr!.on('data', look);
      service.ended.then(({ code }) => fail(`ended with ${code}`), reject);
      timer = setTimeout(() => fail(`not ready after ${seconds} s`), seconds * 1000);
    });
  } finally {
    clearTimeout(timer);
  }
  return service;
}
