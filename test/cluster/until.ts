/** Waiting for something that other processes do. */
import { setTimeout as wait } from 'node:timers/promises';

export async function until(
  condition: () => Promise<boolean> | boolean,
  { what, seconds = 30, every = 20 }: { what: string; seconds?: number; every?: number },
): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`Waited ${seconds} s for ${what}.`);
    await wait(every);
  }
}
