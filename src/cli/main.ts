#!/usr/bin/env node
/**
 * Start of the command line. It is written in what every Node since 14 can read, and imports
 * nothing, so that an old Node is told from a fault of the program.
 */
import type { run as Run } from './run.js';

const oldest = [20, 15];
const [major, minor] = process.versions.node.split('.').map(Number);

if (major! < oldest[0]! || (major === oldest[0] && minor! < oldest[1]!)) {
  process.stderr.write(
    `sae-eval: expected Node.js ${oldest.join('.')} or later, found ${process.versions.node} (` +
      `${process.execPath}). Install a newer one (https://nodejs.org) and run sae-eval with it.\n`,
  );
  process.exitCode = 2;
} else {
  void import('../entry.js')
    .then(({ entryUrl }) => import(entryUrl('src/cli/run.js').href))
    .then(({ run }: { run: typeof Run }) => run(process.argv));
}
