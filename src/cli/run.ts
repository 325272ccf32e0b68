/** Runs the command line: arguments → command → exit code. */
import { CommanderError } from 'commander';
import { outliveFetchFault } from '../fetch-fault.js';
import { exitCodeOf, printError } from './exit.js';
import { createProgram } from './program.js';
import { checkArguments } from './utf8-arguments.js';

/** A reader that closes its end, such as `head`, is no fault; what is left goes nowhere. */
function outliveReaders(stream: NodeJS.WriteStream): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') return;
    if (stream === process.stdout)
      process.stderr.write(`sae-eval: standard output cannot be written: ${error.message}\n`);
    process.exitCode = 1;
  });
}

/** Runs the command of `argv` and sets the exit code of the process. */
export async function runCommand(argv: readonly string[]): Promise<void> {
  try {
    checkArguments(argv);
    await createProgram().parseAsync(argv);
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
    else {
      printError(error);
      process.exitCode = exitCodeOf(error);
    }
  }
}

/** The same as the whole work of a process. */
export async function run(argv: readonly string[]): Promise<void> {
  outliveReaders(process.stdout);
  outliveReaders(process.stderr);
  outliveFetchFault();
  await runCommand(argv);
}
