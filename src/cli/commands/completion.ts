/** `sae-eval completion`: a script that completes the commands in a shell. */
import type { Command } from 'commander';
import { completionScript, type Shell } from '../completion.js';

export function completion(program: Command, shell: Shell): void {
  process.stdout.write(completionScript(program, shell));
}
