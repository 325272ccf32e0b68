/** Completion scripts: what bash completes with one, and that every command is in all. */
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { completionScript, shells } from '#src/cli/completion.js';
import { createProgram } from '#src/cli/program.js';

const program = createProgram();
const has = (shell: string): boolean => spawnSync(shell, ['-c', 'true']).status === 0;

/** Words that bash would offer at the end of a command line. */
function completed(words: readonly string[]): string[] {
  const script = `${completionScript(program, 'bash')}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')})
COMP_CWORD=${words.length - 1}
_sae_eval
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { status, stdout, stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
  return stdout.split('\n').filter((word) => word !== '');
}

describe('bash', () => {
  it('offers commands, their options and the values of these', () => {
    expect(completed(['sae-eval', 'eva'])).toEqual(['evaluate']);
    expect(completed(['sae-eval', ''])).toContain('completion');
    expect(completed(['sae-eval', 'evaluate', '--o'])).toEqual(['--out', '--overwrite']);
    expect(completed(['sae-eval', 'evaluate', '--dtype', 'b'])).toEqual(['bfloat16']);
    expect(completed(['sae-eval', 'report', 'x', '--format', ''])).toEqual([
      'md',
      'html',
      'json',
      'csv',
      'saebench',
    ]);
    expect(completed(['sae-eval', 'evaluate', '--out', ''])).toEqual([]); // files, by bash
    expect(completed(['sae-eval', 'completion', 'f'])).toEqual(['fish']);
    expect(completed(['sae-eval', 'keys', 'a'])).toEqual(['add']);
  });
});

describe('every shell', () => {
  it.each(shells)('%s has every command and option, and its syntax is right', (shell) => {
    const script = completionScript(program, shell);
    for (const command of program.commands) {
      expect(script).toContain(command.name());
      for (const { long } of command.options)
        expect(script).toContain(shell === 'fish' ? long!.replace('--', '-l ') : long);
    }
    if (!has(shell)) return; // the texts above are all that can be checked
    const { stderr, status } = spawnSync(shell, ['-n'], { input: script, encoding: 'utf8' });
    expect([stderr, status]).toEqual(['', 0]);
  });
});
