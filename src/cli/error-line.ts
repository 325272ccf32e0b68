/** Errors of Commander in the words of the other errors. */
import type { Command } from 'commander';
import { nearestName } from '../nearest-name.js';

/**
 * Commander's text of an error as one line, with the command that was probably meant: of those of
 * the group that `parent` is, or of all.
 */
function errorLine(text: string, parent: Command): string {
  const line = text
    .replace(/^error: /, 'sae-eval: ')
    .replace(/\n\(Did you mean (.*)\?\)/, '; did you mean $1?');
  const [, typed] = /unknown command '(.*)'\n?$/.exec(line) ?? [];
  if (typed === undefined) return line;
  const commands = parent.commands.map((one) => one.name());
  const meant = nearestName(typed, commands);
  const isGroup = parent.parent !== null;
  if (meant === null && !isGroup) return line;
  const advice =
    meant === null ? `${parent.name()} has ${commands.join(', ')}` : `did you mean ${meant}?`;
  return line.replace(/\n?$/, `; ${advice}\n`);
}

/** Makes a command and those below it tell their errors by {@link errorLine}. */
export function tellErrors(command: Command): void {
  command.configureOutput({ outputError: (text, write) => write(errorLine(text, command)) });
  command.commands.forEach(tellErrors);
}
