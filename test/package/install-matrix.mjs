/**
 * Installs the packed package into empty projects, with every Node and package manager, sets it up
 * and uses it as its README does: `node test/package/install-matrix.mjs [--only TEXT] [--write]`.
 * TEXT selects rows, such as `Node 22`. `--write` writes the table to docs/internals/installs.md.
 *
 * Node and the managers come from the registry that npm is configured with; what is missing there
 * is skipped with a word. libtorch is the one that set-up finds on this machine.
 */
import { execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({
  options: { only: { type: 'string' }, write: { type: 'boolean', default: false } },
});
const root = resolve(import.meta.dirname, '../..');
const work = mkdtempSync(join(tmpdir(), 'sae-eval-installs-'));
const registry = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim();

const nodes = [20, 22, 24];
/** Managers: the package that they come in, the first Node that runs them, and their commands. */
const managers = [
  ...[10, 11, 12].map((version) => ({
    name: `npm ${version}`,
    spec: `npm@${version}`,
    bin: 'npm',
    from: version === 12 ? 22 : 20,
    add: (tarballs, scripts) => [
      ...['install', '--no-audit', '--no-fund', '--prefer-offline'],
      ...(scripts ? [] : ['--ignore-scripts']),
      ...tarballs,
    ],
  })),
  ...[10, 'latest'].map((version) => ({
    name: version === 'latest' ? 'pnpm' : `pnpm ${version}`,
    spec: `pnpm@${version}`,
    bin: 'pnpm',
    from: version === 'latest' ? 22 : 20,
    add: (tarballs, scripts) => [
      ...['add', '--store-dir', join(work, 'pnpm-store')],
      ...(scripts ? [] : ['--ignore-scripts']),
      ...tarballs,
    ],
  })),
  {
    name: 'yarn 1',
    spec: 'yarn@1',
    bin: 'yarn',
    from: 20,
    add: (tarballs, scripts, node) => [
      ...['add', '--registry', registry, '--cache-folder', join(work, 'yarn-1'), '--no-lockfile'],
      ...['--non-interactive', ...(scripts ? [] : ['--ignore-scripts'])],
      ...(node === 20 ? ['--ignore-engines'] : []),
      ...tarballs.map((path) => `file:${path}`),
    ],
  },
  {
    name: 'yarn 4',
    spec: '@yarnpkg/cli-dist@4',
    bin: 'yarn',
    from: 20,
    settings: (scripts) =>
      `nodeLinker: node-modules\nenableScripts: ${scripts}\nenableTelemetry: false\n` +
      `enableImmutableInstalls: false\nglobalFolder: ${join(work, 'yarn-4')}\n` +
      `npmRegistryServer: ${registry}\n`,
    add: (tarballs) => ['add', ...tarballs.map((path, i) => `${names[i]}@file:${path}`)],
  },
];
const names = ['sae-eval', 'sae-eval-demo'];

/**
 * Every manager on every Node that runs it; npm 11 and the newest of each manager without install
 * scripts: no package of an installation has one, so that there is nothing else to differ.
 */
const rows = [true, false].flatMap((scripts) =>
  nodes.toReversed().flatMap((node) =>
    managers
      .filter(({ from }) => from <= node)
      .filter(
        ({ name }) => scripts || name === 'npm 11' || (node === nodes.at(-1) && !/ 10$/.test(name)),
      )
      .map((manager) => ({ node, manager, scripts })),
  ),
);

const title = ({ node, manager, scripts }) =>
  `Node ${node}, ${manager.name}, ${scripts ? 'scripts on' : '--ignore-scripts'}`;

/** Runs a program to its end. @returns its output and seconds. @throws Error with its output. */
async function run(program, args, { cwd, env = {} }) {
  const started = performance.now();
  const child = spawn(program, args, {
    cwd,
    env: { ...process.env, NODE_OPTIONS: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'])
    child[name].setEncoding('utf8').on('data', (text) => (output[name] += text));
  const code = await new Promise((done) => child.on('error', done).on('close', done));
  if (code !== 0)
    throw new Error(`${program} ${args.join(' ')}: ${code}\n${output.stdout}\n${output.stderr}`);
  return { ...output, seconds: (performance.now() - started) / 1000 };
}

const tools = new Map();
/** Folder of a package of the registry, installed once; null if it cannot be had. */
async function tool(spec) {
  const folder = join(work, 'tools', spec.replaceAll(/[^\w.-]/g, '-'));
  if (!tools.has(spec)) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{ "private": true }');
    const args = ['install', '--no-audit', '--no-fund', spec];
    const installed = run('npm', args, { cwd: folder }).then(
      () => join(folder, 'node_modules', spec.replace(/(?<=.)@.*$/, '')),
      (error) => {
        console.error(`${spec} is not to be had, so what needs it is skipped: ${error.message}`);
        return null;
      },
    );
    tools.set(spec, installed);
  }
  return tools.get(spec);
}

async function pack() {
  const folder = join(work, 'tarballs');
  mkdirSync(folder);
  for (const cwd of [root, join(root, 'checkpoints')])
    await run('npm', ['pack', '--pack-destination', folder], { cwd });
  const files = readdirSync(folder).sort((a, b) => a.length - b.length);
  return files.map((file) => join(folder, file));
}

async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/** Code blocks of README's section on use. */
function readme(port) {
  const text = readFileSync(join(root, 'README.md'), 'utf8').replaceAll('8787', String(port));
  const section = text.slice(text.indexOf('## Three ways'), text.indexOf('## What is supported'));
  const all = [...section.matchAll(/^```(\w+)\n([\s\S]*?)^```/gm)];
  const blocks = (language) => all.filter((m) => m[1] === language).map((m) => m[2]);
  const [, commandLine] = blocks('sh');
  const [client, library] = blocks('ts');
  return { request: JSON.parse(/\{[\s\S]*\}/.exec(commandLine)[0]), client, library };
}

/** Uses an installed package. @throws Error if something does not do what it should. */
async function use({ folder, env, node }) {
  const bin = join(folder, 'node_modules', '.bin', 'sae-eval');
  const setup = await run(bin, ['setup'], { cwd: folder, env });
  const version = await run(bin, ['--version'], { cwd: folder, env });
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  if (version.stdout.trim() !== manifest.version || version.stderr !== '')
    throw new Error(`--version printed ${version.stdout} ${version.stderr}`);

  const port = await freePort();
  const { request, client, library } = readme(port);
  request.model = 'node_modules/sae-eval-demo/tiny-llama';
  request.dataset = { path: 'node_modules/sae-eval-demo/eval', maxSamples: 4, seqLen: 32 };
  request.saes[0].checkpoint = 'node_modules/sae-eval-demo/TopK_tiny.pt';
  writeFileSync(join(folder, 'request.json'), JSON.stringify(request));
  const evaluated = await run(bin, ['evaluate', 'request.json'], { cwd: folder, env });
  if (!evaluated.stdout.includes('NormMSE')) throw new Error(`evaluate: ${evaluated.stdout}`);

  // Node 20 does not read TypeScript.
  const ending = node === 20 ? 'mjs' : 'mts';
  const of = (code) => code.replaceAll("'checkpoints/", "'node_modules/sae-eval-demo/");
  writeFileSync(join(folder, `client.${ending}`), client);
  writeFileSync(join(folder, `library.${ending}`), `${of(library)}\nconsole.log(result.status);`);
  const byLibrary = await run('node', [`library.${ending}`], { cwd: folder, env });
  if (byLibrary.stdout !== 'succeeded\n' || /warning/i.test(byLibrary.stderr))
    throw new Error(`library.${ending}: ${byLibrary.stdout} ${byLibrary.stderr}`);
  const server = spawn(bin, ['serve', '--port', String(port)], {
    cwd: folder,
    env: { ...process.env, ...env, SAE_EVAL_LOG_LEVEL: 'error' },
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  let complaints = '';
  server.stderr.setEncoding('utf8').on('data', (text) => (complaints += text));
  try {
    await ready(port, server);
    const byClient = await run('node', [`client.${ending}`], { cwd: folder, env });
    if (!/^# /m.test(byClient.stdout)) throw new Error(`client.${ending}: ${byClient.stdout}`);
  } finally {
    process.kill(-server.pid, 'SIGTERM');
  }
  if (/warning/i.test(complaints)) throw new Error(`serve: ${complaints}`);
  return { setup, warned: complaints };
}

async function ready(port, server) {
  for (let i = 0; i < 600; i++) {
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => null);
    if (answer?.ok) return;
    if (server.exitCode !== null) throw new Error(`serve ended with ${server.exitCode}`);
    await new Promise((done) => setTimeout(done, 200));
  }
  throw new Error('serve did not get ready');
}

/** One row of the table. */
async function measure({ node, manager, scripts }, tarballs) {
  const nodePackage = await tool(`node-linux-${process.arch}@${node}`);
  const managerPackage = await tool(manager.spec);
  if (nodePackage === null || managerPackage === null) return null;
  const folder = mkdtempSync(join(work, 'project-'));
  writeFileSync(join(folder, 'package.json'), '{ "name": "project", "version": "1.0.0" }\n');
  if (manager.settings !== undefined)
    writeFileSync(join(folder, '.yarnrc.yml'), manager.settings(scripts));
  // The first line of a manager's program names `node`, which is that of the row.
  const { bin, version } = JSON.parse(readFileSync(join(managerPackage, 'package.json'), 'utf8'));
  const program = join(managerPackage, typeof bin === 'string' ? bin : bin[manager.bin]);
  const env = { PATH: `${join(nodePackage, 'bin')}:${process.env.PATH}`, CI: '1' };
  const install = await run(program, manager.add(tarballs, scripts, node), { cwd: folder, env });
  const { setup } = await use({ folder, env, node });
  const size = await run('du', ['-sm', 'node_modules'], { cwd: folder });
  const full = (await run('node', ['--version'], { cwd: folder, env })).stdout.trim().slice(1);
  rmSync(folder, { recursive: true });
  return {
    node: full,
    manager: `${manager.bin} ${version}`,
    scripts: scripts ? 'on' : 'off',
    install: install.seconds,
    setup: setup.seconds,
    megabytes: Number(size.stdout.split('\t')[0]),
    addon: /took the prebuilt addon/.test(setup.stderr) ? 'prebuilt' : 'compiled',
    sqlite: /has no SQLite|native part/.test(setup.stderr)
      ? 'built by set-up'
      : node === 20
        ? 'built by an earlier set-up'
        : "Node's",
  };
}

function page(done, skipped, tarballs) {
  const megabytes = tarballs.map(
    (path) =>
      `\`${names[tarballs.indexOf(path)]}\` ${(readFileSync(path).length / 1e6).toFixed(1)} MB`,
  );
  return `# Installs

Made by \`node test/package/install-matrix.mjs --write\`. Each row is an empty project into which
the two packed packages were installed, set up, and used as README does: \`--version\`, an
evaluation, the library, a server and the client. Every row must pass and print no warning of Node.
Times are of a machine with ${availableParallelism()} cores that did other work too; libtorch was
there. \`node_modules\` includes the 24 MB of \`sae-eval-demo\`.

Packed: ${megabytes.join(', ')}.

| Node | manager | scripts | install, s | set-up, s | \`node_modules\`, MB | addon | SQLite |
|---|---|---|---|---|---|---|---|
${done
  .map((row) =>
    [
      ...['', row.node, row.manager, row.scripts, row.install.toFixed(0), row.setup.toFixed(0)],
      ...[row.megabytes, row.addon, row.sqlite, ''],
    ].join(' | '),
  )
  .map((line) => line.trim())
  .join('\n')}
${skipped.length === 0 ? '' : `\nNot run: ${skipped.join('; ')}.\n`}`;
}

try {
  const tarballs = await pack();
  const done = [];
  const skipped = [];
  let failures = 0;
  for (const row of rows.filter((one) => title(one).includes(options.only ?? ''))) {
    try {
      const measured = await measure(row, tarballs);
      if (measured === null) skipped.push(title(row));
      else done.push(measured);
      console.log(`${measured === null ? 'skipped' : 'passed'}: ${title(row)}`, measured ?? '');
      if (options.write && done.length > 0)
        writeFileSync(join(root, 'docs/internals/installs.md'), page(done, skipped, tarballs));
    } catch (error) {
      failures++;
      console.log(`FAILED: ${title(row)}\n${error.stack}`);
    }
  }
  console.log(`${done.length} passed, ${failures} failed, ${skipped.length} skipped`);
  process.exitCode = failures > 0 ? 1 : 0;
} finally {
  if (existsSync(work)) rmSync(work, { recursive: true, force: true });
}
