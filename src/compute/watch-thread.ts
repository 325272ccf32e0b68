/**
 * A thread of the compute process that works while the main thread computes. It ends the process
 * when its parent is gone: without it a killed server would leave a process that goes on writing
 * the journal its successor continues from. And it sends signs of life to the parent, each with the
 * seconds for which nothing was done here: no turn of the main thread's event loop, hardly any
 * processor time, no bytes read. So a process that is stopped is told from one that works, and so
 * is one that hangs in a driver.
 */
import { Worker } from 'node:worker_threads';

/** Descriptor of the pipe to the parent, after those of the standard streams and the channel. */
export const lifeDescriptor = 4;
/** Variable that says that there is such a pipe. */
export const lifeVariable = 'SAE_EVAL_PROCESS_LIFE';
/** Milliseconds between turns of the main thread that are counted. */
const betweenTurns = 250;

const watch = `
const { readFileSync, writeSync } = require('node:fs');
const { workerData: { turns, lifeDescriptor } } = require('node:worker_threads');
// A parent that ends before this line has another id already.
const parent = Number(process.env['SAE_EVAL_PROCESS_PARENT'] ?? process.ppid);
setInterval(() => { if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL'); }, 100);

function bytesRead() {
  try {
    return Number(/^rchar: (\\d+)$/m.exec(readFileSync('/proc/self/io', 'latin1'))[1]);
  } catch {
    return 0;
  }
}
function work() {
  const { userCPUTime, systemCPUTime, majorPageFault } = process.resourceUsage();
  return {
    turns: Atomics.load(turns, 0),
    cpu: userCPUTime + systemCPUTime,
    faults: majorPageFault,
    bytes: bytesRead(),
  };
}
let before = work();
let idle = 0;
let last = performance.now();
function tell() {
  const now = work();
  const at = performance.now();
  const seconds = (at - last) / 1000;
  // This thread itself uses a little processor time and reads a little.
  const works =
    now.turns !== before.turns ||
    now.faults !== before.faults ||
    now.cpu - before.cpu > 20_000 * seconds ||
    now.bytes - before.bytes > 4096;
  idle = works ? 0 : idle + seconds;
  before = now;
  last = at;
  try {
    writeSync(lifeDescriptor, idle.toFixed(1) + '\\n');
  } catch {
    // The parent does not read, or is gone.
  }
}
if (lifeDescriptor !== null) {
  tell();
  setInterval(tell, 1000);
}
`;

/**
 * Starts the thread. Also ends the process in good order when the channel closes while it is idle.
 */
export function startWatchThread(): void {
  const turns = new Int32Array(new SharedArrayBuffer(4));
  const hasPipe = process.env[lifeVariable] !== undefined;
  const worker = new Worker(watch, {
    eval: true,
    stdout: true,
    stderr: true,
    // Modules preloaded into the process are not meant for this thread.
    execArgv: [],
    workerData: { turns, lifeDescriptor: hasPipe ? lifeDescriptor : null },
  });
  worker.unref();
  setInterval(() => Atomics.add(turns, 0, 1), betweenTurns).unref();
  process.on('disconnect', () => process.exit(0));
  // Ctrl-C reaches every process of a terminal; the parent decides what becomes of this one.
  process.on('SIGINT', () => {});
}
