/**
 * Ends this process when its parent is gone, even while the main thread computes: a worker thread
 * looks at the parent's id. Without it a killed server would leave a process that goes on writing
 * the journal its successor continues from.
 */
import { Worker } from 'node:worker_threads';

const watch = `
// A parent that ends before this line has another id already.
const parent = Number(process.env['SAE_EVAL_PROCESS_PARENT'] ?? process.ppid);
setInterval(() => { if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL'); }, 100);
`;

/**
 * Starts watching. Also ends the process in good order when the channel closes while it is idle.
 */
export function watchParent(): void {
  const worker = new Worker(watch, { eval: true, stdout: true, stderr: true });
  worker.unref();
  process.on('disconnect', () => process.exit(0));
  // Ctrl-C reaches every process of a terminal; the parent decides what becomes of this one.
  process.on('SIGINT', () => {});
}
