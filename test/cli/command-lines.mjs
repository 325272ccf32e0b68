/**
 * Runs several command lines in one process, one after the other: its argument is a list of lists
 * of arguments. Prints a list of exit codes and of what was written to the streams.
 */
import { runCommand } from '../../dist/src/cli/run.js';

const answers = [];
for (const args of JSON.parse(process.argv[2])) {
  const written = { stdout: '', stderr: '' };
  const own = {};
  for (const name of ['stdout', 'stderr']) {
    own[name] = process[name].write;
    process[name].write = (text) => {
      written[name] += text;
      return true;
    };
  }
  process.exitCode = 0;
  await runCommand([process.execPath, 'sae-eval', ...args]);
  for (const name of ['stdout', 'stderr']) process[name].write = own[name];
  answers.push({ status: process.exitCode, ...written });
}
process.exitCode = 0;
process.stdout.write(JSON.stringify(answers));
