/** A compute process that outlived its server is killed; any other process never is. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { killOrphan, living, processIdentity } from '#server/jobs/process-identity.js';
import { until } from '../harness.js';

const started: ChildProcess[] = [];
afterAll(() => started.forEach((child) => child.kill('SIGKILL')));

function sleeper(): ChildProcess {
  const child = spawn('sleep', ['60']);
  started.push(child);
  return child;
}

describe.skipIf(!existsSync('/proc/self/stat'))('the identity of a process', () => {
  it('is that of no other, and of none after its end', async () => {
    const [one, two] = [sleeper(), sleeper()];
    const identity = processIdentity(one.pid!)!;
    expect(identity).toMatchObject({ pid: one.pid, parent: process.pid });
    expect(living(identity)).toEqual(identity);
    expect(living({ ...identity, pid: two.pid! })?.pid).not.toBe(one.pid);
    one.kill('SIGKILL');
    await once(one, 'close');
    expect(living(identity)).toBeNull();
    expect(processIdentity(0)).toBeNull();
  });

  it('keeps processes alive whose parent lives, or that only have the id', async () => {
    const child = sleeper();
    const identity = processIdentity(child.pid!)!;
    killOrphan(JSON.stringify(identity));
    killOrphan(JSON.stringify({ ...identity, parent: 1, born: 'another boot' }));
    killOrphan(null);
    killOrphan('no JSON');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([child.exitCode, child.signalCode]).toEqual([null, null]);
  });

  it('lets an orphan be killed', async () => {
    // The shell ends at once, and its child goes to another parent.
    const script = 'sleep 60 >/dev/null 2>&1 & echo $!; echo $$; cat /proc/$!/stat';
    const [pid, shell] = spawnSync('sh', ['-c', script], { encoding: 'utf8' })
      .stdout.split('\n')
      .map(Number);
    const orphan = processIdentity(pid!)!;
    expect(orphan.parent).not.toBe(shell);
    killOrphan(JSON.stringify({ ...orphan, parent: shell! }));
    await until(() => processIdentity(pid!) === null, { what: 'the orphan to end' });
  });
});
