/**
 * The files in deploy/ for schedulers: they are YAML and shell, call commands and set variables
 * that exist, and agree with themselves. `test/cluster/slurm.test.ts` runs the one for Slurm; there
 * is no Kubernetes here.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { environmentVariables } from '#server/options.js';
import { createProgram } from '#src/cli/program.js';

const root = resolve(import.meta.dirname, '../..');
const read = (name: string): string => readFileSync(join(root, 'deploy', name), 'utf8');

interface Container {
  name: string;
  command?: string[];
  args?: string[];
  env?: { name: string; value?: string }[];
  volumeMounts?: { name: string }[];
}
interface PodTemplate {
  metadata?: { labels: Record<string, string> };
  spec: {
    restartPolicy?: string;
    containers: Container[];
    volumes?: { name: string; persistentVolumeClaim?: { claimName: string } }[];
  };
}
interface Rule {
  action: string;
  onExitCodes?: { containerName: string; operator: string; values: number[] };
}
interface Resource {
  kind: string;
  metadata: { name: string };
  spec: {
    template: PodTemplate;
    completions?: number;
    completionMode?: string;
    podFailurePolicy?: { rules: Rule[] };
    selector?: { matchLabels?: Record<string, string> };
  };
}

function documents(name: string): unknown[] {
  return parseAllDocuments(read(name)).map((document) => {
    expect(document.errors).toEqual([]);
    return document.toJS() as unknown;
  });
}

const resources = (name: string): Resource[] => documents(name) as Resource[];
const withPods = (name: string): Resource[] =>
  resources(name).filter(({ kind }) => kind === 'Job' || kind === 'Deployment');

/** Commands of the command line that a file calls. */
function commandsIn(text: string): string[] {
  const after = /(?:cli\/main\.js|\$\{sae_eval\[[@*]\]\}"?)[,\s]+([a-z]+)/g;
  return [...text.matchAll(after)].map((match) => match[1]!);
}

const files = ['slurm.sh', 'k8s-job.yaml', 'k8s-server.yaml', 'compose.yaml', 'skypilot.yaml'];

describe.each(files)('deploy/%s', (name) => {
  it('calls commands that exist', () => {
    const known = createProgram().commands.map((command) => command.name());
    const called = commandsIn(read(name));
    expect(called.length).toBeGreaterThan(0);
    expect(called.filter((command) => !known.includes(command))).toEqual([]);
  });

  it('sets variables that exist', () => {
    const set = new Set(read(name).match(/SAE_EVAL_\w+/g));
    expect([...set].filter((variable) => !(variable in environmentVariables))).toEqual([]);
  });
});

describe('deploy/slurm.sh', () => {
  it('is shell, and says how it is used', () => {
    const path = join(root, 'deploy/slurm.sh');
    execFileSync('bash', ['-n', path]);
    expect(() => execFileSync('bash', [path], { stdio: 'pipe' })).toThrow(/usage: slurm.sh/);
  });
});

describe.each(['k8s-job.yaml', 'k8s-server.yaml'])('deploy/%s', (name) => {
  it('mounts volumes that it names, and claims of its own or of the administrator', () => {
    const claims = resources(name)
      .filter(({ kind }) => kind === 'PersistentVolumeClaim')
      .map(({ metadata }) => metadata.name);
    for (const { spec } of withPods(name)) {
      const { containers, volumes = [] } = spec.template.spec;
      const mounted = containers.flatMap(({ volumeMounts = [] }) => volumeMounts);
      expect(mounted.map((mount) => mount.name)).toEqual(volumes.map((volume) => volume.name));
      for (const { persistentVolumeClaim: claim } of volumes)
        if (claim !== undefined) expect(['sae-eval', ...claims]).toContain(claim.claimName);
      const { matchLabels } = spec.selector ?? {};
      if (matchLabels !== undefined) expect(spec.template.metadata?.labels).toEqual(matchLabels);
    }
  });
});

describe('deploy/k8s-job.yaml', () => {
  const [shards, merge] = withPods('k8s-job.yaml') as [Resource, Resource];

  it('tells each pod its index and the number of pods', () => {
    expect(shards.spec.completionMode).toBe('Indexed');
    const [{ args }] = shards.spec.template.spec.containers as [Container];
    expect(args).toContain(`$(JOB_COMPLETION_INDEX)/${shards.spec.completions}`);
  });

  it('has a rule for each exit code, of a container that is there', () => {
    for (const { spec } of [shards, merge]) {
      expect(spec.template.spec.restartPolicy).toBe('Never');
      for (const { onExitCodes } of spec.podFailurePolicy!.rules)
        if (onExitCodes !== undefined)
          expect(onExitCodes.containerName).toBe(spec.template.spec.containers[0]!.name);
    }
    const actions = shards.spec.podFailurePolicy!.rules.flatMap(({ action, onExitCodes }) =>
      onExitCodes === undefined ? [] : [[onExitCodes.values, action]],
    );
    expect(actions).toEqual([
      [[2], 'FailJob'],
      [[75], 'Ignore'],
    ]);
  });
});
