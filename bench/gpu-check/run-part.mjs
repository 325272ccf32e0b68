/** Starts a part, ends it when its time is over, and gives a row for each of its checks. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { text as textOf } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('part-process.mjs', import.meta.url));

const skipped = (name, detail) => ({ name, outcome: 'skipped', detail });

/** Rows of the checks that a part did not come to, the first of which was running. */
function rowsLeft(names, rows, { timedOut, seconds, ending }) {
  const [running, ...rest] = names.slice(rows.length);
  if (running === undefined) return [];
  const over = `the ${Math.round(seconds)} s of its part were over`;
  const first = timedOut
    ? skipped(running, over)
    : { name: running, outcome: 'FAILED', detail: ending };
  const reason = timedOut ? over : `its part ended at “${running}”`;
  return [first, ...rest.map((name) => skipped(name, reason))];
}

/** How a process ended, and what it said about it. */
function endingOf(code, signal, stderr) {
  const lines = stderr.trim().split('\n');
  const said = lines.find((line) => /error|terminate/i.test(line)) ?? lines.at(-1);
  return `the process ended with ${signal ?? code}: ${said.trim().slice(0, 300)}`;
}

/**
 * Runs the part `name` for at most `seconds`.
 * @returns its rows, those that were not reached included.
 */
export async function runPart(name, { seconds, settings, onRow }) {
  const rows = [];
  let names = [];
  const take = (row) => {
    rows.push(row);
    onRow(row);
  };
  if (!(seconds >= 1)) {
    take(skipped(`part ${name}`, 'the time of all parts was over'));
    return rows;
  }
  const child = spawn(process.execPath, [program, name, JSON.stringify(settings)], {
    stdio: ['ignore', 'inherit', 'pipe', 'pipe'],
    detached: true,
  });
  // Its group, since a part may have started a program of its own.
  const end = () => {
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It has just ended by itself.
    }
  };
  const interrupted = () => {
    end();
    process.exit(130);
  };
  process.once('SIGINT', interrupted);
  process.once('SIGTERM', interrupted);
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    end();
  }, seconds * 1000);
  const ended = new Promise((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal }));
  });
  const errors = textOf(child.stderr);
  for await (const text of createInterface({ input: child.stdio[3] })) {
    const line = JSON.parse(text);
    if (line.names !== undefined) names = line.names;
    else take(line.row);
  }
  const { code, signal } = await ended;
  clearTimeout(timer);
  process.off('SIGINT', interrupted);
  process.off('SIGTERM', interrupted);
  const ending = endingOf(code, signal, await errors);
  if (names.length === 0 || (rows.length === names.length && code !== 0))
    names.push(`end of part ${name}`);
  for (const row of rowsLeft(names, [...rows], { timedOut, seconds, ending })) take(row);
  return rows;
}
